"""Owns the golden functions of alerts, strategy and risk: each with the adapter to our code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.alerts.rule import AlertBar, AlertRule, run_alert
from services.kit.money import rounded
from tests.case_args import Args, fixed

Output = dict[str, Any]
ZERO, ONE = Decimal(0), Decimal(1)


def golden_alert_run(given: Any) -> Output:
    """5.2."""
    args = Args(given)
    alert = Args(args.raw("alert"), "alert")
    rule = AlertRule(
        kind=alert.word("kind", "price_above", "price_below"),
        level=alert.dec("level"),
        ref_price=alert.dec("ref_price"),
        mode=alert.word("mode", "cross", "level", default="cross"),
        basis=alert.word("basis", "touch", "close", default="touch"),
        threshold_pct=alert.dec("threshold_pct", ZERO),
        repeat=alert.flag("repeat", default=False),
        hysteresis=alert.dec("hysteresis", ZERO),
        cooldown_s=alert.integer("cooldown_s", 0),
        expires_at=alert.integer("expires_at", None),
    )
    run = run_alert(
        rule,
        [
            AlertBar(row.integer("t_close"), *(row.dec(name) for name in "ohlc"))
            for row in args.items("bars")
        ],
    )
    return {
        "effective": fixed(rule.effective, 4),
        "events": [
            {"t": event.t, "price": str(rounded(event.price, 4)), "gap": event.gap}
            for event in run.events
        ],
        "suppressed": run.after.suppressed,
        "state": run.after.state,
        "flags": list(run.after.flags),
    }
