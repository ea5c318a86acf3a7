"""Owns turning what a person asks into an alert: side, level, hysteresis, expiry, and refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from services.alerts.alert import AT_VWAP, ZERO, Alert, AlertAsk, AlertKind, Basis, Side
from services.alerts.creation import (
    COOLDOWN_S,
    HYSTERESIS_ATR,
    default_expiry,
    default_hysteresis,
    is_far,
)
from services.alerts.measure import Memory
from services.alerts.rule import start_alert
from services.kit.clock import instant_text
from services.kit.errors import Refusal, refuse
from services.kit.money import decimal_text, rounded, tick_round
from services.kit.text import require_text
from services.market.instrument import Instrument, tick_size

NOTE_MAX = 300
_SHARE_TICK = Decimal("0.01")
_SHARE_HYSTERESIS = Decimal("0.1")
_RVOL_HYSTERESIS = Decimal("0.05")
_VWAP_MAX, _RVOL_MAX = Decimal(50), Decimal(1000)
_FLOOR = Decimal("0.000001")
_FIXED: dict[AlertKind, Side] = {
    AlertKind.PRICE_ABOVE: "above",
    AlertKind.PRICE_BELOW: "below",
    AlertKind.RVOL_ABOVE: "above",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standpoint:
    """The market when an alert is set or changed: last price, what the kind measures, ATR14.

    `measured` is in the unit of the kind and None when it can not be measured yet; `memory` is
    what the session's bars so far leave behind.
    """

    instrument: Instrument
    as_of: datetime
    last: Decimal
    measured: Decimal | None
    atr: Decimal | None
    memory: Memory
    round: int = 0


def build_terms(ask: AlertAsk, at: Standpoint, *, alert_id: str, user_id: str) -> Alert:
    """Return the alert that is asked for, with the product's defaults written into it.

    Cooldown 300 s; hysteresis, expiry and reference price by the rules of `creation`.
    Raises `ALERT_LEVEL_INVALID`, `ALERT_THRESHOLD_RANGE`, `ALERT_EXPIRED`, `ALERT_LEVEL_FAR` and
    `PARAM_INVALID`. Worked: AAPL 200 above with the last price at 198 is `price_above`, armed.
    """
    kind, level = _kind_and_level(ask, at)
    side = _side(ask, kind, at)
    made = Alert(
        id=alert_id,
        user_id=user_id,
        symbol=at.instrument.symbol,
        listing=at.instrument.id,
        calendar=at.instrument.calendar,
        kind=kind,
        side=side,
        level=level,
        threshold_pct=ask.threshold_pct,
        timeframe=ask.timeframe,
        mode=ask.mode,
        basis=ask.basis or _basis(kind, ask),
        repeat=ask.repeat,
        latency=ask.latency,
        hysteresis=_hysteresis(kind, level, at),
        cooldown_s=COOLDOWN_S,
        expires_at=ask.expires_at
        or default_expiry(at.instrument.calendar, at.as_of, timeframe=ask.timeframe),
        ref_price=_reference(kind, at),
        note=require_text(ask.note, "note", longest=NOTE_MAX) if ask.note.strip() else "",
        created_at=at.as_of,
        watched_from=at.as_of,
        updated_at=at.as_of,
        last_close=_reference(kind, at),
        memory=at.memory,
        round=at.round,
    )
    _require(made, ask, at)
    return restart(made)


def restart(alert: Alert) -> Alert:
    """Return the alert at its beginning: armed, or waiting for a reset when already beyond."""
    begun = start_alert(alert.rule)
    return replace(
        alert,
        state=begun.state,
        last_close=begun.last_close,
        last_bar_at=None,
        suppressed=0,
        flags=begun.flags,
    )


def _kind_and_level(ask: AlertAsk, at: Standpoint) -> tuple[AlertKind, Decimal]:
    level, kind = ask.level, ask.kind
    if kind is AlertKind.VWAP_CROSS:
        level = ask.distance_pct if level is None else level
        return kind, ZERO if level is None else level
    if ask.distance_pct is not None and level is None:
        tick = tick_size(at.instrument, at.last, at.as_of.date())
        level = tick_round(at.last * (1 + ask.distance_pct / 100), tick, "nearest")
    if level is None:
        raise refuse("ALERT_LEVEL_INVALID", field="level", rule="a level is missing")
    if kind is not None:
        return kind, level
    above = level > at.last if ask.side is None else ask.side == "above"
    return (AlertKind.PRICE_ABOVE if above else AlertKind.PRICE_BELOW), level


def _side(ask: AlertAsk, kind: AlertKind, at: Standpoint) -> Side:
    """Return the side; a VWAP alert looks where its distance lies, else across from the price."""
    if kind in _FIXED:
        return _FIXED[kind]
    distance = ask.level if ask.level is not None else ask.distance_pct
    if distance:
        return "above" if distance > 0 else "below"
    if ask.side is not None:
        return ask.side
    return "below" if at.measured is not None and at.measured > AT_VWAP else "above"


def _basis(kind: AlertKind, ask: AlertAsk) -> Basis:
    by_price = kind in (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW)
    return "touch" if by_price and ask.timeframe == "minute" else "close"


def _reference(kind: AlertKind, at: Standpoint) -> Decimal:
    if kind in (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW):
        return at.last
    if at.measured is not None:
        return max(at.measured, _FLOOR)
    return AT_VWAP if kind is AlertKind.VWAP_CROSS else _FLOOR


def _hysteresis(kind: AlertKind, level: Decimal, at: Standpoint) -> Decimal:
    """Return the product's default in the unit of the kind.

    A share of the VWAP resets by 0.1 points or a quarter ATR of the price, whichever is wider;
    relative volume by a twentieth of its level.
    """
    if kind is AlertKind.RVOL_ABOVE:
        return tick_round(abs(level) * _RVOL_HYSTERESIS, _SHARE_TICK, "nearest")
    if kind is AlertKind.VWAP_CROSS:
        wide = ZERO if at.atr is None else rounded(100 * HYSTERESIS_ATR * at.atr / at.last, 6)
        return tick_round(max(_SHARE_HYSTERESIS, wide), _SHARE_TICK, "nearest")
    if level <= 0:
        return ZERO
    tick = tick_size(at.instrument, level, at.as_of.date())
    return default_hysteresis(level, at.atr, tick=tick)


def _require(made: Alert, ask: AlertAsk, at: Standpoint) -> None:
    _require_level(made)
    if made.expires_at is not None and made.expires_at <= at.as_of:
        raise refuse("ALERT_EXPIRED", field="expires_at", expires_at=instant_text(made.expires_at))
    by_price = made.kind in (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW)
    if not by_price and (made.threshold_pct or made.timeframe == "day"):
        raise _unfit("threshold_pct" if made.threshold_pct else "timeframe", made.kind)
    if by_price and not ask.confirm_far and is_far(made.level, at.last):
        raise refuse(
            "ALERT_LEVEL_FAR",
            field="level",
            level=decimal_text(made.level),
            last=decimal_text(at.last),
        )


def _require_level(made: Alert) -> None:
    """Refuse a level outside the kind's range; the rule itself refuses what is not above 0."""
    shown = decimal_text(made.level)
    if made.kind is AlertKind.VWAP_CROSS and abs(made.level) > _VWAP_MAX:
        rule = f"distance {shown} % from the VWAP must be -50 to 50"
    elif made.kind is AlertKind.RVOL_ABOVE and made.level > _RVOL_MAX:
        rule = f"relative volume {shown} must be at most {_RVOL_MAX}"
    else:
        made.rule.is_beyond(made.ref_price)
        return
    raise refuse("ALERT_LEVEL_INVALID", field="level", rule=rule)


def _unfit(name: str, kind: AlertKind) -> Refusal:
    rule = f"{kind} is watched by the minute, without a threshold"
    return refuse("PARAM_INVALID", field=name, name=name, value="given", rule=rule)
