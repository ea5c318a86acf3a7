"""Owns the price alert's state machine: what one bar does to an alert, folded over bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from services.kit.errors import refuse
from services.kit.money import decimal_text, rounded

Kind = Literal["price_above", "price_below"]
State = Literal["armed", "waiting_reset", "fired_wait", "done", "expired"]
THRESHOLD_MAX = Decimal(20)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """What an alert watches. Times are seconds on one scale, `hysteresis` is a price.

    `threshold_pct` is in signed percentage points: positive asks for a move beyond the level,
    negative warns before it. `ref_price` is the last price at creation.
    """

    kind: Kind
    level: Decimal
    ref_price: Decimal
    mode: Literal["cross", "level"] = "cross"
    basis: Literal["touch", "close"] = "touch"
    threshold_pct: Decimal = ZERO
    repeat: bool = False
    hysteresis: Decimal = ZERO
    cooldown_s: int = 0
    expires_at: int | None = None

    def __post_init__(self) -> None:
        _require_rule(self)

    @property
    def effective(self) -> Decimal:
        """Return the level with its threshold, unrounded: 200 above at +0.4 is 200.8."""
        sign = 1 if self.kind == "price_above" else -1
        return self.level * (1 + sign * self.threshold_pct / 100)

    def is_beyond(self, price: Decimal) -> bool:
        """Return whether a price is at the effective level or past it."""
        above = self.kind == "price_above"
        return price >= self.effective if above else price <= self.effective


@dataclass(frozen=True, slots=True)
class AlertBar:
    """A complete bar as an alert sees it; `t_close` in seconds."""

    t_close: int
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter, as in every feed
    c: Decimal


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """The alert fired: at the close `t` of its bar, at `price` (4 decimals)."""

    t: int
    price: Decimal
    gap: bool


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where an alert stands after its last bar; all that the next bar needs to know."""

    state: State
    last_close: Decimal
    last_bar_t: int | None = None
    last_event_t: int | None = None
    suppressed: int = 0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertRun:
    """The events of some bars in order, and the state after them."""

    events: tuple[AlertEvent, ...]
    after: AlertState


def start_alert(rule: AlertRule) -> AlertState:
    """Return the state at creation; a cross alert already beyond waits for a reset.

    Worked: 200 above with the price at 201 is `waiting_reset` with `ALREADY_BEYOND`; in mode
    `level` it is `armed` and fires with the first bar.
    """
    if rule.mode == "cross" and rule.is_beyond(rule.ref_price):
        return AlertState("waiting_reset", rule.ref_price, flags=("ALREADY_BEYOND",))
    return AlertState("armed", rule.ref_price)


def run_alert(
    rule: AlertRule, bars: Iterable[AlertBar], *, state: AlertState | None = None
) -> AlertRun:
    """Return the events of `bars`, ascending, from `state` on; from creation without one.

    A stream, a poller and the replay of a downtime share this fold: bars given in any batches,
    or given again, make the same events. Worked: 200 above, from 198: a first bar with high 200.4
    fires at 200, once.
    """
    now, events = start_alert(rule) if state is None else state, []
    for bar in bars:
        now, event = step_alert(rule, now, bar=bar)
        if event is not None:
            events.append(event)
    return AlertRun(tuple(events), now)


def step_alert(
    rule: AlertRule, state: AlertState, *, bar: AlertBar
) -> tuple[AlertState, AlertEvent | None]:
    """Return the state after one bar and its event, at most one.

    A bar at or before the last one changes nothing. A bar that closes after `expires_at` is not
    evaluated. To re-arm and to fire takes two bars, since the order inside a bar is unknown.
    """
    known = state.last_bar_t is not None and bar.t_close <= state.last_bar_t
    if known or state.state in ("done", "expired"):
        return state, None
    if rule.expires_at is not None and bar.t_close > rule.expires_at:
        return replace(state, state="expired", last_bar_t=bar.t_close), None
    seen = replace(state, last_close=bar.c, last_bar_t=bar.t_close)
    if state.state != "armed":
        return (replace(seen, state="armed") if _has_reset(rule, bar) else seen), None
    if not rule.is_beyond(_extreme(rule, bar)):
        return seen, None
    if not _cooldown_passed(rule, state, bar):
        return replace(seen, suppressed=seen.suppressed + 1), None
    fired: State = "fired_wait" if rule.repeat else "done"
    event = _event(rule, state.last_close, bar)
    return replace(seen, state=fired, last_event_t=bar.t_close), event


def _extreme(rule: AlertRule, bar: AlertBar) -> Decimal:
    if rule.basis == "close":
        return bar.c
    return bar.h if rule.kind == "price_above" else bar.l


def _has_reset(rule: AlertRule, bar: AlertBar) -> bool:
    """Return whether the price came back to the effective level less the hysteresis."""
    if rule.kind == "price_above":
        low = bar.c if rule.basis == "close" else bar.l
        return low <= rule.effective - rule.hysteresis
    high = bar.c if rule.basis == "close" else bar.h
    return high >= rule.effective + rule.hysteresis


def _cooldown_passed(rule: AlertRule, state: AlertState, bar: AlertBar) -> bool:
    return state.last_event_t is None or bar.t_close - state.last_event_t >= rule.cooldown_s


def _event(rule: AlertRule, close_before: Decimal, bar: AlertBar) -> AlertEvent:
    price, gap = rule.effective, False
    if rule.basis == "close":
        price = bar.c
    elif rule.is_beyond(bar.o):
        gap = not rule.is_beyond(close_before)
        price = bar.o if gap else bar.c
    return AlertEvent(bar.t_close, rounded(price, 4), gap)


def _require_rule(rule: AlertRule) -> None:
    if rule.level <= 0:
        raise refuse(
            "ALERT_LEVEL_INVALID", rule=f"level {decimal_text(rule.level)} must be above 0"
        )
    if abs(rule.threshold_pct) > THRESHOLD_MAX:
        shown = decimal_text(rule.threshold_pct)
        raise refuse("ALERT_THRESHOLD_RANGE", rule=f"threshold {shown} % must be -20 to 20")
    for name, value, holds, wanted in (
        ("ref_price", rule.ref_price, rule.ref_price > 0, "must be above 0"),
        ("hysteresis", rule.hysteresis, rule.hysteresis >= 0, "must be 0 or more"),
        ("cooldown_s", rule.cooldown_s, rule.cooldown_s >= 0, "must be 0 or more"),
    ):
        if not holds:
            raise refuse("PARAM_INVALID", name=name, value=str(value), rule=wanted)
