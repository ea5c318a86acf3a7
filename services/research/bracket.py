"""Owns the bracket: what happens to one entry with a stop and a target, bar by bar."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from services.market.param import require

Side = Literal["long", "short"]
EntryKind = Literal["market", "stop", "limit"]
Reason = Literal["stop", "stop_gap", "target", "target_gap", "time"]
Status = Literal["closed", "open", "unfilled", "rejected"]
Number = Any
"""A price of a walk: all Decimal, or all float64 where only their order matters."""


class Ohlc(NamedTuple):
    """A bar as a bracket sees it."""

    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter, as in every feed
    c: Decimal


class Columns(NamedTuple):
    """The prices of bars by column, all of one number type."""

    o: Sequence[Number]
    h: Sequence[Number]
    l: Sequence[Number]  # noqa: E741 - the field's own letter, as in every feed
    c: Sequence[Number]


@dataclass(frozen=True, slots=True, kw_only=True)
class BracketOrder:
    """One entry with its exits. `touch` lets a limit fill at equality, to compare with others.

    Without a target only the stop and the time stop end it. `time_stop_bars` counts from the entry
    bar, which is 1; `entry_bars_max` is how long the entry stays live; None is no limit. A stop at
    or beyond the target refuses with `PARAM_INVALID`.
    """

    side: Side
    entry_kind: EntryKind
    stop: Decimal
    target: Decimal | None = None
    entry_price: Decimal | None = None
    time_stop_bars: int | None = None
    entry_bars_max: int | None = None
    touch: bool = False

    def __post_init__(self) -> None:
        if self.target is not None:
            ahead = (self.target - self.stop) * self.sign
            require(ahead > 0, "target", value=self.target, rule="must lie beyond the stop")
        needs = self.entry_kind != "market"
        given = self.entry_price is not None
        require(needs == given, "entry_price", value=self.entry_price, rule="for stop and limit")
        for name in ("time_stop_bars", "entry_bars_max"):
            bars = getattr(self, name)
            require(bars is None or bars >= 1, name, value=bars, rule="must be 1 or more")

    @property
    def sign(self) -> int:
        """Return +1 for a long, -1 for a short."""
        return 1 if self.side == "long" else -1


class Terms(NamedTuple):
    """An order as a walk reads it, in the number type of its columns."""

    up: bool
    kind: EntryKind
    wanted: Number
    stop: Number
    target: Number
    time_stop_bars: int | None = None
    entry_bars_max: int | None = None
    touch: bool = False


class Walk(NamedTuple):
    """How a bracket went over columns: indices and prices, and `ambiguous` as in `Bracket`."""

    status: Status
    entry: Number = None
    entry_bar: int = -1
    exit: Number = None
    exit_bar: int = -1
    reason: Reason | None = None
    ambiguous: bool = False


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


UNFILLED = Walk("unfilled")


def run_bracket(order: BracketOrder, bars: Iterable[Ohlc]) -> Bracket:
    """Return the end of one bracket on `bars`; the order is live from the first. No costs.

    Stop first when a bar holds both; a gap fills at the open. Worked: long at the open of 100 with
    stop 98 and target 103 on (100, 104, 97, 102) is stopped at 98, -1 R, ambiguous.
    """
    rows = list(bars)
    columns = Columns(*(list(column) for column in zip(*rows, strict=True))) if rows else EMPTY
    return _bracket(order, columns, walk(terms_of(order), columns))


EMPTY = Columns((), (), (), ())


def terms_of(order: BracketOrder) -> Terms:
    """Return the terms of an order in its own Decimals."""
    return Terms(
        order.side == "long",
        order.entry_kind,
        order.entry_price,
        order.stop,
        order.target,
        order.time_stop_bars,
        order.entry_bars_max,
        order.touch,
    )


def _bracket(order: BracketOrder, columns: Columns, found: Walk) -> Bracket:
    if found.status == "unfilled":
        return Bracket(status="unfilled")
    if found.status == "rejected":
        return Bracket(status="rejected", entry_bar=found.entry_bar)
    if found.status == "open":
        return Bracket(status="open", entry=found.entry, entry_bar=found.entry_bar)
    best, worst = excursions(columns, found, up=order.side == "long")
    risk = abs(found.entry - order.stop)
    return Bracket(
        status="closed",
        entry=found.entry,
        entry_bar=found.entry_bar,
        exit=found.exit,
        exit_bar=found.exit_bar,
        reason=found.reason,
        ambiguous=found.ambiguous,
        r=order.sign * (found.exit - found.entry) / risk,
        mfe_r=best / risk,
        mae_r=worst / risk,
    )


def walk(terms: Terms, columns: Columns, first: int = 0) -> Walk:
    """Return how a bracket goes when its order is live from bar `first` on.

    Only bars that touch an edge are looked at; what happens there is decided by the same rules.
    """
    entered = _enter(terms, columns, first)
    if entered is None:
        return UNFILLED
    at, price, how = entered
    if price <= terms.stop if terms.up else price >= terms.stop:
        return Walk("rejected", None, at)
    below, above = _edges(terms)
    if columns.l[at] <= below or columns.h[at] >= above:
        left = _entry_bar(terms, columns, at, how)
        if left is not None:
            return Walk("closed", price, at, left[0], at, left[1], left[2])
    return hold(terms, columns, price, at)


def hold(terms: Terms, columns: Columns, price: Number, at: int) -> Walk:
    """Return how a position that was entered at bar `at`, and outlived it, goes on."""
    end = len(columns.o)
    last = end if terms.time_stop_bars is None else at + terms.time_stop_bars - 1
    found = _touch(terms, columns, at + 1, min(end, last + 1))
    if found is not None:
        exit_price, reason, ambiguous = _later_bar(terms, columns, found)
        return Walk("closed", price, at, exit_price, found, reason, ambiguous)
    if last < end:
        return Walk("closed", price, at, columns.c[last], last, "time")
    return Walk("open", price, at)


_Exit = tuple[Number, Reason, bool]
_How = Literal["open", "stop", "limit"]


def _enter(terms: Terms, columns: Columns, first: int) -> tuple[int, Number, _How] | None:
    end = len(columns.o)
    if terms.kind == "market":
        return (first, columns.o[first], "open") if first < end else None
    if terms.entry_bars_max is not None:
        end = min(end, first + terms.entry_bars_max)
    wanted, opens = terms.wanted, columns.o
    rising = terms.up == (terms.kind == "stop")
    edge = columns.h if rising else columns.l
    even = terms.kind == "stop" or terms.touch
    for at in range(first, end):
        if opens[at] >= wanted if rising else opens[at] <= wanted:
            return at, opens[at], "open"
        beyond = edge[at] > wanted if rising else edge[at] < wanted
        if beyond or (even and edge[at] == wanted):
            return at, wanted, terms.kind
    return None


def _entry_bar(terms: Terms, columns: Columns, at: int, how: _How) -> _Exit | None:
    """Judge the bar of the entry: what may have come before the entry counts against us."""
    stopped, reached = _touches(terms, columns, at)
    if how == "open":
        return _inside(terms, stopped=stopped, reached=reached)
    if stopped:
        return terms.stop, "stop", True
    return (terms.target, "target", False) if reached and how == "stop" else None


def _later_bar(terms: Terms, columns: Columns, at: int) -> _Exit:
    opens = columns.o[at]
    if opens <= terms.stop if terms.up else opens >= terms.stop:
        return opens, "stop_gap" if opens != terms.stop else "stop", False
    if terms.target is not None and (opens >= terms.target if terms.up else opens <= terms.target):
        return opens, "target_gap" if opens != terms.target else "target", False
    stopped, reached = _touches(terms, columns, at)
    found = _inside(terms, stopped=stopped, reached=reached)
    return (columns.c[at], "time", False) if found is None else found


def _touches(terms: Terms, columns: Columns, at: int) -> tuple[bool, bool]:
    high, low = columns.h[at], columns.l[at]
    if terms.up:
        return low <= terms.stop, terms.target is not None and high >= terms.target
    return high >= terms.stop, terms.target is not None and low <= terms.target


def _inside(terms: Terms, *, stopped: bool, reached: bool) -> _Exit | None:
    if stopped:
        return terms.stop, "stop", reached
    return (terms.target, "target", False) if reached else None


def _touch(terms: Terms, columns: Columns, first: int, end: int) -> int | None:
    """Return the first bar in [first, end) whose range meets the stop or the target."""
    below, above = _edges(terms)
    lows, highs = columns.l, columns.h
    for at in range(first, end):
        if lows[at] <= below or highs[at] >= above:
            return at
    return None


def _edges(terms: Terms) -> tuple[Number, Number]:
    """Return the lower and the upper price that end a position; infinity without a target."""
    if terms.up:
        return terms.stop, math.inf if terms.target is None else terms.target
    return -math.inf if terms.target is None else terms.target, terms.stop


def excursions(columns: Columns, found: Walk, *, up: bool) -> tuple[Number, Number]:
    """Return the best and worst move of a closed walk in price, at least and at most 0.

    Of its last bar only what surely came before the exit counts: its open, unless it is the bar of
    the entry too; of a target its worst price, of a time stop both (Sweeney, for bars). Worked: a
    long from 100 that was stopped at 98 in a bar that opened at 103 went 3 up.
    """
    last = found.exit_bar
    best, worst = _span(columns, found.entry, range(found.entry_bar, last), up=up)
    if last > found.entry_bar:
        opened = columns.o[last] - found.entry if up else found.entry - columns.o[last]
        best, worst = max(best, opened), min(worst, opened)
    whole = _span(columns, found.entry, range(last, last + 1), up=up)
    move = found.exit - found.entry if up else found.entry - found.exit
    if found.reason == "time":
        best, worst = max(best, whole[0]), min(worst, whole[1])
    elif found.reason == "target":
        worst = min(worst, whole[1])
    return max(best, move), min(worst, move)


def _span(columns: Columns, entry: Number, bars: range, *, up: bool) -> tuple[Number, Number]:
    zero = entry - entry
    if not bars:
        return zero, zero
    high, low = max(columns.h[bars.start : bars.stop]), min(columns.l[bars.start : bars.stop])
    best, worst = (high - entry, low - entry) if up else (entry - low, entry - high)
    return max(best, zero), min(worst, zero)


def drill(terms: Terms, columns: Columns, found: Walk, minutes: Columns) -> Walk:
    """Return an ambiguous walk judged again inside its last bar by that bar's `minutes`.

    The same rules at the finer level. Minutes in which nothing happens leave the walk as it is.
    """
    if found.entry_bar < found.exit_bar:
        touched = _touch(terms, minutes, 0, len(minutes.o))
        if touched is None:
            return found
        price, reason, ambiguous = _later_bar(terms, minutes, touched)
        return found._replace(exit=price, reason=reason, ambiguous=ambiguous)
    inner = walk(terms._replace(time_stop_bars=None), minutes)
    if inner.status == "closed":
        return found._replace(exit=inner.exit, reason=inner.reason, ambiguous=inner.ambiguous)
    return hold(terms, columns, found.entry, found.entry_bar) if inner.status == "open" else found


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
