"""Owns the bracket: what happens to one entry with a stop and a target, bar by bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from services.market.param import require

Side = Literal["long", "short"]
EntryKind = Literal["market", "stop", "limit"]
Reason = Literal["stop", "stop_gap", "target", "target_gap", "time"]
Status = Literal["closed", "open", "unfilled", "rejected"]


class Ohlc(NamedTuple):
    """A bar as a bracket sees it."""

    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter, as in every feed
    c: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketOrder:
    """One entry with its exits. `touch` lets a limit fill at equality, to compare with others.

    `time_stop_bars` counts from the entry bar, which is 1; None is no time stop. A stop at or
    beyond the target refuses with `PARAM_INVALID`.
    """

    side: Side
    entry_kind: EntryKind
    stop: Decimal
    target: Decimal
    entry_price: Decimal | None = None
    time_stop_bars: int | None = None
    touch: bool = False

    def __post_init__(self) -> None:
        ahead = (self.target - self.stop) * self.sign
        require(ahead > 0, "target", value=self.target, rule="must lie beyond the stop")
        needs = self.entry_kind != "market"
        given = self.entry_price is not None
        require(needs == given, "entry_price", value=self.entry_price, rule="for stop and limit")
        bars = self.time_stop_bars
        require(bars is None or bars >= 1, "time_stop_bars", value=bars, rule="must be 1 or more")

    @property
    def sign(self) -> int:
        """Return +1 for a long, -1 for a short."""
        return 1 if self.side == "long" else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """How it ended; prices, bar indices from 0, and R of the actual fill risk, all unrounded.

    `mfe_r` and `mae_r` are the best and the worst move while open. `ambiguous` says that one bar
    held several touches whose order is unknown.
    """

    status: Status
    entry: Decimal | None = None
    entry_bar: int | None = None
    exit: Decimal | None = None
    exit_bar: int | None = None
    reason: Reason | None = None
    ambiguous: bool = False
    r: Decimal | None = None
    mfe_r: Decimal | None = None
    mae_r: Decimal | None = None


class _Fill(NamedTuple):
    """An entry: its price, and how it came about, which decides what the same bar may do."""

    price: Decimal
    how: Literal["open", "stop", "limit"]


class _Exit(NamedTuple):
    price: Decimal
    reason: Reason
    ambiguous: bool


def run_bracket(order: BracketOrder, bars: Iterable[Ohlc]) -> Bracket:
    """Return the end of one bracket on `bars`; the order is live from the first. No costs.

    Stop first when a bar holds both; a gap fills at the open. Worked: long at the open of 100 with
    stop 98 and target 103 on (100, 104, 97, 102) is stopped at 98, -1 R, ambiguous.
    """
    rows = enumerate(bars)
    entered = _enter(order, rows)
    if entered is None:
        return Bracket(status="unfilled")
    at, bar, fill = entered
    if (fill.price - order.stop) * order.sign <= 0:
        return Bracket(status="rejected", entry_bar=at)
    track = _Track(order, fill.price, at)
    left = _entry_bar(order, fill, bar)
    while True:
        track.see(bar)
        left = left or _time_stop(order, bar, track.held)
        if left is not None:
            return track.close(left, bar)
        row = next(rows, None)
        if row is None:
            return track.open()
        _, bar = row
        left = _later_bar(order, bar)


def _enter(order: BracketOrder, rows: Iterator[tuple[int, Ohlc]]) -> tuple[int, Ohlc, _Fill] | None:
    for at, bar in rows:
        fill = _fill(order, bar)
        if fill is not None:
            return at, bar, fill
    return None


def _fill(order: BracketOrder, bar: Ohlc) -> _Fill | None:
    wanted = order.entry_price
    if wanted is None:
        return _Fill(bar.o, "open")
    up = order.side == "long"
    if order.entry_kind == "stop":
        if bar.o >= wanted if up else bar.o <= wanted:
            return _Fill(bar.o, "open")
        reached = bar.h >= wanted if up else bar.l <= wanted
        return _Fill(wanted, "stop") if reached else None
    if bar.o <= wanted if up else bar.o >= wanted:
        return _Fill(bar.o, "open")
    through = bar.l < wanted if up else bar.h > wanted
    touched = order.touch and (bar.l == wanted if up else bar.h == wanted)
    return _Fill(wanted, "limit") if through or touched else None


def _entry_bar(order: BracketOrder, fill: _Fill, bar: Ohlc) -> _Exit | None:
    """Judge the bar of the entry: what may have come before the entry counts against us."""
    stopped, reached = _touches(order, bar)
    match fill.how:
        case "open":
            return _inside(order, stopped=stopped, reached=reached)
        case "stop":
            if stopped:
                return _Exit(order.stop, "stop", ambiguous=True)
            return _Exit(order.target, "target", ambiguous=False) if reached else None
        case "limit":
            return _Exit(order.stop, "stop", ambiguous=True) if stopped else None


def _later_bar(order: BracketOrder, bar: Ohlc) -> _Exit | None:
    if (bar.o - order.stop) * order.sign <= 0:
        gap = bar.o != order.stop
        return _Exit(bar.o, "stop_gap" if gap else "stop", ambiguous=False)
    if (bar.o - order.target) * order.sign >= 0:
        gap = bar.o != order.target
        return _Exit(bar.o, "target_gap" if gap else "target", ambiguous=False)
    stopped, reached = _touches(order, bar)
    return _inside(order, stopped=stopped, reached=reached)


def _touches(order: BracketOrder, bar: Ohlc) -> tuple[bool, bool]:
    if order.side == "long":
        return bar.l <= order.stop, bar.h >= order.target
    return bar.h >= order.stop, bar.l <= order.target


def _inside(order: BracketOrder, *, stopped: bool, reached: bool) -> _Exit | None:
    if stopped:
        return _Exit(order.stop, "stop", ambiguous=reached)
    return _Exit(order.target, "target", ambiguous=False) if reached else None


def _time_stop(order: BracketOrder, bar: Ohlc, held: int) -> _Exit | None:
    due = order.time_stop_bars is not None and held >= order.time_stop_bars
    return _Exit(bar.c, "time", ambiguous=False) if due else None


class _Track:
    """The open trade: how many bars it is held, and its best and worst move so far."""

    def __init__(self, order: BracketOrder, entry: Decimal, at: int) -> None:
        self._order = order
        self._entry = entry
        self._first = at
        self._best = self._worst = Decimal(0)
        self._before = (self._best, self._worst)
        self.held = 0

    def see(self, bar: Ohlc) -> None:
        """Count one more bar with both its extremes."""
        self.held += 1
        self._before = (self._best, self._worst)
        moves = [self._order.sign * (price - self._entry) for price in (bar.h, bar.l)]
        self._best, self._worst = max(self._best, *moves), min(self._worst, *moves)

    def close(self, left: _Exit, bar: Ohlc) -> Bracket:
        """Return the closed trade; of its last bar only what surely came before the exit."""
        move = self._order.sign * (left.price - self._entry)
        best, worst = self._before
        if left.reason == "time":
            best, worst = self._best, self._worst
        elif left.reason == "target":
            worst = self._worst
        elif left.reason == "target_gap":
            worst = min(worst, self._order.sign * (bar.o - self._entry))
        best, worst = max(best, move), min(worst, move)
        risk = abs(self._entry - self._order.stop)
        return Bracket(
            status="closed",
            entry=self._entry,
            entry_bar=self._first,
            exit=left.price,
            exit_bar=self._first + self.held - 1,
            reason=left.reason,
            ambiguous=left.ambiguous,
            r=move / risk,
            mfe_r=best / risk,
            mae_r=worst / risk,
        )

    def open(self) -> Bracket:
        """Return the trade as it stands after the last bar."""
        return Bracket(status="open", entry=self._entry, entry_bar=self._first)


def bounds(brackets: Sequence[Bracket], *, target_r: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """Return the sum of R with every ambiguous trade stopped, and with every one at its target.

    `target_r` holds the R of the target of each bracket, in the same order.
    """
    low = high = Decimal(0)
    for found, at_target in zip(brackets, target_r, strict=True):
        if found.r is None:
            continue
        low += found.r
        high += at_target if found.ambiguous else found.r
    return low, high
