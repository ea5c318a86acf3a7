"""Owns the checklist of acting on a position: plan, size, risk, orders and data, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.kit.money import decimal_text, rounded
from services.trade.param import ZERO
from services.trade.position_action import Change, PositionFacts

Verdict = Literal["pass", "warn", "fail"]
NEAR_TARGET_R = Decimal("0.25")
"""A price this near to its target counts as there (`Trim at TP1`); the same as for alerts."""
_CENTS, _PLACES = 2, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the checklist: the verdict, its figure, what the figure is held against."""

    symbol: str
    name: str
    verdict: Verdict
    text: str
    value: Decimal | None = None
    limit: Decimal | None = None
    source: str


def checklist(held: PositionFacts, change: Change) -> tuple[Check, ...]:
    """Return what speaks for and against an action: plan, size, risk, orders, quality of data.

    Every line has its figure and where that is from. A fail says that the action can not be done
    as it stands; a warning leaves it to the person.
    """
    return (
        _plan(held, change),
        _size(held, change),
        _risk(held, change),
        _orders(held, change),
        _quality(held),
    )


def _plan(held: PositionFacts, change: Change) -> Check:
    r = held.r_now
    source = held.basis or "orders"
    if r is None:
        text = "no plan or stop is known that this position was opened with"
        return Check(symbol=held.symbol, name="plan", verdict="warn", text=text, source=source)
    where = f"the price stands {decimal_text(r)} R from the entry"
    verdict, why = _plan_verdict(held, change, r)
    return Check(
        symbol=held.symbol,
        name="plan",
        verdict=verdict,
        text=f"{where}; {why}",
        value=r,
        limit=held.target,
        source=source,
    )


def _plan_verdict(held: PositionFacts, change: Change, r: Decimal) -> tuple[Verdict, str]:
    reached = _target_near(held)
    at_target = "the first target is reached or nearly so"
    if change.action == "move_stop":
        past = change.stop is not None and held.sign * (change.stop - held.entry) >= 0
        if past and r < 1 and not reached:
            return "warn", "a stop at break-even this early often ends a trade that works"
        return "pass", "the stop moves toward profit, as the plan's rules do"
    if reached:
        return "pass", at_target
    if change.action == "close" and r <= -1:
        return "pass", "the planned stop is reached"
    if held.target is None and r >= 1:
        return "pass", "the first R is earned and no target is known"
    return "warn", "neither target nor stop of the plan is reached"


def _target_near(held: PositionFacts) -> bool:
    if held.target is None or held.planned_stop is None:
        return False
    room = NEAR_TARGET_R * abs(held.entry - held.planned_stop)
    return held.sign * (held.target - held.last) <= room


def _size(held: PositionFacts, change: Change) -> Check:
    left = held.quantity - change.units
    value = left * held.last * held.worth
    fraction = rounded(value / held.equity, _PLACES) if held.equity > 0 else None
    over = fraction is not None and fraction > held.symbol_limit
    does = f"closes {decimal_text(change.units)} of {decimal_text(held.quantity)} units"
    if change.action == "move_stop":
        does = f"{decimal_text(held.quantity)} units are held"
    share = "" if fraction is None else f", {decimal_text(100 * fraction)}% of the equity"
    stays = (
        "nothing stays"
        if left == 0
        else f"{decimal_text(left)} stay, {value:.2f} {held.currency}{share}"
    )
    return Check(
        symbol=held.symbol,
        name="size",
        verdict="warn" if over else "pass",
        text=f"{does}; {stays}",
        value=fraction,
        limit=held.symbol_limit,
        source="ledger",
    )


def open_risk(held: PositionFacts, units: Decimal, stop: Decimal | None) -> Decimal:
    """Return what `units` give back from the last price to `stop`, all of their value without one.

    In account money, 2 decimals half-even. Worked: 100 long at 107.5 with a stop at 95 is 1250.
    """
    room = held.last if stop is None else max(ZERO, held.sign * (held.last - stop))
    return rounded(units * room * held.worth, _CENTS)


def _risk(held: PositionFacts, change: Change) -> Check:
    stop = change.stop if change.stop is not None else held.stop
    before = open_risk(held, held.quantity, held.stop)
    after = open_risk(held, held.quantity - change.units, stop)
    known = stop is not None or after == 0
    text = f"open risk goes from {before:.2f} to {after:.2f} {held.currency}"
    if held.one_r > 0:
        text += f", {decimal_text(rounded(after / held.one_r, _CENTS))} R"
    if not known:
        text += ", all of its value: no stop is known"
    bad = held.account_state in ("breach", "frozen")
    if bad:
        text += f"; the account stands at {held.account_state} ({held.account_reason})"
    return Check(
        symbol=held.symbol,
        name="risk",
        verdict="fail" if after > before else "pass" if known and not bad else "warn",
        text=text,
        value=after,
        limit=before,
        source=held.stop_source or "orders",
    )


def _orders(held: PositionFacts, change: Change) -> Check:
    found = len(held.working)
    free = held.quantity - held.promised
    blocked = change.units > free or (change.action == "move_stop" and bool(held.stops))
    text = "no open order would close any of it"
    if found:
        named = "1 open order closes" if found == 1 else f"{found} open orders close"
        text = f"{named} {decimal_text(held.promised)} units; {decimal_text(free)} are free"
        text += "; that has to be cancelled first" if blocked else ""
    return Check(
        symbol=held.symbol,
        name="orders",
        verdict="fail" if blocked else "pass",
        text=text,
        value=held.promised,
        limit=held.quantity,
        source="orders",
    )


def _quality(held: PositionFacts) -> Check:
    real = held.provenance == "LIVE"
    text = f"data quality is green, the quote is {decimal_text(held.quote_age_s)} s old"
    return Check(
        symbol=held.symbol,
        name="data",
        verdict="pass" if real else "warn",
        text=text if real else f"{text}; prices are {held.provenance}, not live",
        value=held.quote_age_s,
        limit=held.quote_age_max_s,
        source=held.source,
    )
