"""Owns the golden functions of alerts, strategy and risk: each with the adapter to our code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from services.alerts.rule import AlertBar, AlertRule, run_alert
from services.kit.money import rounded
from services.strategy.confidence import STRENGTH, prior_confidence, wilson
from services.strategy.confluence import confluence, mtf
from services.trade.risk import RiskAccount, RiskPosition, risk_state
from tests.case_args import Args, as_list, as_whole, fixed

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


def _decimals(args: Args, name: str) -> dict[str, Decimal]:
    rows = Args(args.raw(name), name)
    return {key: rows.dec(key) for key in rows.given}


def golden_mtf(given: Any) -> Output:
    """2.3."""
    args = Args(given)
    votes = Args(args.raw("votes"), "votes").given
    found = mtf(
        args.word("side", "long", "short"),
        {
            name: [as_whole(name, vote) for vote in as_list(name, cast)]
            for name, cast in votes.items()
        },
        weights=_decimals(args, "weights"),
    )
    return {
        "trend": {name: fixed(value, 6) for name, value in found.trend.items()},
        "mtf": fixed(found.mtf, 6),
    }


def golden_confluence(given: Any) -> Output:
    """2.4."""
    args = Args(given)
    components = Args(args.raw("components"), "components")
    found = confluence(
        {name: components.dec(name, None) for name in components.given}, _decimals(args, "weights")
    )
    return {
        "score": fixed(found.score, 4),
        "coverage": fixed(found.coverage, 4),
        "missing": list(found.missing),
        "flags": list(found.flags),
    }


def golden_confidence(given: Any) -> Output:
    """2.5."""
    args = Args(given)
    tier = args.word("tier", "prior")
    found = prior_confidence(
        args.integer("wins"),
        args.integer("n"),
        rr_tp1=args.dec("rr_tp1"),
        strength=args.integer("strength", STRENGTH),
    )
    return {
        "value": fixed(found.value, 4),
        "tier": tier,
        "n": found.n,
        "wins": found.wins,
        "p0": fixed(found.p0, 4),
        "p_breakeven_tp1": fixed(found.p_breakeven_tp1, 4),
        "ci95": None if found.ci95 is None else [fixed(bound, 4) for bound in found.ci95],
        "edge": fixed(found.edge, 4),
    }


def golden_wilson(given: Any) -> Output:
    """2.5."""
    args = Args(given)
    low, high = wilson(args.integer("k"), args.integer("n"), level=args.dec("level"))
    return {"low": fixed(low, 4), "high": fixed(high, 4)}


def golden_risk_state(given: Any) -> Output:
    """6.1, 6.2."""
    args = Args(given)
    found = risk_state(
        RiskAccount(
            equity=args.dec("equity"),
            one_r=args.dec("one_r"),
            realised_today=args.dec("realised_today"),
            unrealised_today=args.dec("unrealised_today"),
            frozen=args.text("frozen", None),
        ),
        [
            RiskPosition(
                symbol=row.text("symbol"),
                side=row.word("side", "long", "short"),
                quantity=row.dec("qty"),
                last=row.dec("last"),
                stop=row.dec("stop", None),
                multiplier=row.dec("multiplier", ONE),
                fx=row.dec("fx", ONE),
            )
            for row in args.items("positions")
        ],
        limits=_decimals(args, "limits"),
    )
    money = ("open_risk", "gross", "net", "day_pnl")
    return {name: fixed(getattr(found, name), 2) for name in money} | {
        "open_risk_r": fixed(found.open_risk_r, 4),
        "day_r": fixed(found.day_r, 4),
        "utilisation": {name: fixed(value, 4) for name, value in found.utilisation.items()},
        "state": found.state,
        "breaches": list(found.breaches),
        "flags": list(found.flags),
    }
