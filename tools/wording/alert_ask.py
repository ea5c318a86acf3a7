"""Owns reading the arguments of an alert: what each kind needs, its end, and its terms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.alerts.alert import BY_SUBJECT, AlertAsk, AlertKind
from services.alerts.words import read_until
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.money import parse_decimal
from services.market.feed import Feed

_OWN: Mapping[AlertKind, tuple[str, ...]] = {
    AlertKind.PLAN_EVENT: ("plan_id", "moments"),
    AlertKind.RISK: ("risk_state", "fires"),
}
_SHARED = frozenset({"kind", "often", "until", "note"})
_OTHERS = ("plan_id", "moments", "risk_state")


def asked(ctx: Context, given: Mapping[str, Any]) -> AlertAsk:
    """Return what the arguments that are given ask for.

    Raises `ARGS_INVALID` for an argument that the kind has not, or for one that it needs, and
    `ALERT_RULE_UNREAD` for an end that is no time.
    """
    kind = AlertKind(given["kind"])
    _require_fit(kind, given)
    often = given.get("often")
    return AlertAsk(
        symbol=given.get("symbol", ""),
        kind=kind,
        level=_number(given, "level"),
        distance_pct=_number(given, "distance_pct"),
        threshold_pct=_number(given, "threshold_pct") or Decimal(0),
        mode="level" if given.get("fires") == "at_level" else "cross",
        basis=given.get("basis"),
        timeframe=given.get("timeframe", "minute"),
        repeat=often == "each_time" if often else kind in BY_SUBJECT,
        expires_at=end_of(ctx, given.get("until")),
        note=given.get("note", ""),
        plan_id=given.get("plan_id", ""),
        moments=tuple(given.get("moments", ())),
        risk_state=given.get("risk_state", ""),
    )


def end_of(ctx: Context, text: str | None) -> datetime | None:
    """Return the end that words name, at the market's time; None without words."""
    return None if text is None else read_until(text, as_of=ctx.port(Feed).as_of(ctx))


def _require_fit(kind: AlertKind, given: Mapping[str, Any]) -> None:
    own = _OWN.get(kind)
    needs = {AlertKind.PLAN_EVENT: "plan_id", AlertKind.RISK: "kind"}.get(kind, "symbol")
    if needs not in given:
        raise refuse("ARGS_INVALID", field=needs, name="alert_set", reason=f"{kind} needs {needs}")
    foreign = _OTHERS if own is None else [one for one in given if one not in {*own, *_SHARED}]
    for name in sorted(set(foreign) & set(given)):
        reason = f"an alert of kind {kind} has no {name}"
        raise refuse("ARGS_INVALID", field=name, name="alert_set", reason=reason)


def _number(given: Mapping[str, Any], name: str) -> Decimal | None:
    return parse_decimal(given[name], name) if name in given else None
