"""Owns what an alert measures of a bar: its prices, their share of the VWAP, or relative volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from services.alerts.alert import AlertKind, to_seconds
from services.alerts.rule import AlertBar
from services.kit.errors import check
from services.kit.money import decimal_text, rounded
from services.market.bar import Bar
from services.market.relative_volume import SESSIONS_MIN
from services.market.session import Session, find_last_session

SLOT = timedelta(minutes=5)
"""Relative volume is read at the end of each slot of the session."""
PLACES = 6
Memory = Mapping[str, str]
Means = Callable[[Session], Sequence[Decimal]]
"""The usual cumulative volume at the end of each slot, from the sessions before one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A bar in the unit that the rule judges (None: nothing to judge), and what to remember."""

    bar: AlertBar | None
    memory: Memory


def plain_bar(bar: Bar) -> AlertBar:
    """Return the bar's own prices."""
    return AlertBar(to_seconds(bar.t_close), bar.o, bar.h, bar.l, bar.c)


def no_means(_session: Session) -> Sequence[Decimal]:
    """Return no history: relative volume is then not measured."""
    return ()


def measure(
    kind: AlertKind, bar: Bar, memory: Memory, *, calendar: str, means: Means = no_means
) -> Measured:
    """Return what `kind` judges of a bar, and what the next bar needs to know.

    `vwap_cross`: the prices in percent of the session's VWAP at the bar's end, 6 decimals.
    `rvol_above`: the session's volume over the usual one, at the end of each 5-minute slot.
    A session that was not seen from its start is not measured.
    Worked: bars of 100 x 10 and 104 x 30 have a VWAP of 103; a close of 100.94 is 98.
    """
    if kind in (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW):
        return Measured(plain_bar(bar), memory)
    session = find_last_session(calendar, bar.t_open)
    if session is None or bar.t_open >= session.close:
        return Measured(None, memory)
    known = _of_session(memory, session)
    if kind is AlertKind.VWAP_CROSS:
        return _vwap(bar, known)
    return _rvol(bar, known, session, means)


def lose_sight(bar: Bar, *, calendar: str) -> Memory:
    """Return the memory after bars were skipped: the session of `bar` is not measured any more."""
    session = find_last_session(calendar, bar.t_open)
    return {} if session is None else {"session": str(to_seconds(session.open)), "partial": "1"}


def _of_session(memory: Memory, session: Session) -> dict[str, str]:
    key = str(to_seconds(session.open))
    return dict(memory) if memory.get("session") == key else {"session": key}


def _number(memory: Memory, name: str) -> Decimal:
    return Decimal(memory.get(name, "0"))


def _vwap(bar: Bar, memory: dict[str, str]) -> Measured:
    """Measure against the VWAP; `paid` is three times the money, so that it stays exact."""
    thrice = 3 * bar.vw if bar.vw is not None else bar.h + bar.l + bar.c
    paid = _number(memory, "paid") + thrice * bar.v
    volume = _number(memory, "volume") + bar.v
    kept = {**memory, "paid": decimal_text(paid), "volume": decimal_text(volume)}
    if not paid or "partial" in memory:
        return Measured(None, kept)
    shares = (
        rounded(300 * price * volume / paid, PLACES) for price in (bar.o, bar.h, bar.l, bar.c)
    )
    return Measured(AlertBar(to_seconds(bar.t_close), *shares), kept)


def _rvol(bar: Bar, memory: dict[str, str], session: Session, means: Means) -> Measured:
    volume = _number(memory, "volume") + bar.v
    kept = {**memory, "volume": decimal_text(volume)}
    elapsed = bar.t_close - session.open
    if elapsed % SLOT or "partial" in memory:
        return Measured(None, kept)
    if "means" not in kept:
        kept["means"] = " ".join(decimal_text(one) for one in means(session))
    usual, slot = kept["means"].split(), elapsed // SLOT - 1
    if slot >= len(usual) or not Decimal(usual[slot]):
        return Measured(None, kept)
    ratio = rounded(volume / Decimal(usual[slot]), PLACES)
    return Measured(AlertBar(to_seconds(bar.t_close), ratio, ratio, ratio, ratio), kept)


def usual_volumes(sessions: Sequence[Sequence[Bar]], *, slots: int) -> tuple[Decimal, ...]:
    """Return the mean cumulative volume at the end of each slot over earlier sessions' bars.

    Fewer than 5 sessions are no history: empty. `sessions` hold 5-minute bars, ascending; a slot
    without a bar counts with the volume before it. Source: `services.market.relative_volume`.
    Worked: five sessions of 100 in each slot have means of 100, 200, 300 and so on.
    """
    if len(sessions) < SESSIONS_MIN:
        return ()
    check(slots > 0, "a session has slots")
    totals = [Decimal(0)] * slots
    for bars in sessions:
        for slot, volume in enumerate(_cumulative(bars, slots)):
            totals[slot] += volume
    return tuple(rounded(total / len(sessions), PLACES) for total in totals)


def _cumulative(bars: Sequence[Bar], slots: int) -> list[Decimal]:
    volumes = [Decimal(0)] * slots
    for bar in bars:
        slot = (bar.t_open - bars[0].t_open) // SLOT
        if slot < slots:
            volumes[slot] += bar.v
    running, total = [], Decimal(0)
    for volume in volumes:
        total += volume
        running.append(total)
    return running
