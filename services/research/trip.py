"""Owns the trips of a simple strategy: one bracket after the other over the frames of a symbol."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from services.market.bar import Bar
from services.research.bracket import Columns, Terms, Walk, drill, walk
from services.research.config import BacktestConfig
from services.research.rule_signal import signals
from services.research.series import Frame, Series

_SAME = 1e-6
"""A price so near to a step is on it: what floats add is far below."""


class Trip(NamedTuple):
    """One order and its end: the bar of its signal, its side, its edges in ticks, its walk.

    `drilled` says that minutes judged its last bar.
    """

    at: int
    sign: int
    stop: int
    target: int
    walk: Walk
    drilled: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """The price step as a fraction, so that whole steps become the same float as their Decimal."""

    top: int
    bottom: int

    @classmethod
    def of(cls, tick: Decimal) -> Steps:
        """Return the steps of a tick."""
        return cls(*tick.as_integer_ratio())

    def below(self, price: float) -> int:
        """Return the whole steps at or below a price."""
        return math.floor(price * self.bottom / self.top + _SAME)

    def above(self, price: float) -> int:
        """Return the whole steps at or above a price."""
        return math.ceil(price * self.bottom / self.top - _SAME)

    def price(self, steps: int) -> float:
        """Return the float of `steps` whole steps, the nearest to the exact price."""
        return steps * self.top / self.bottom


Minutes = Mapping[int, Columns]
"""The minutes inside a bar, by the bar's index."""


def trips(
    frames: list[Frame], config: BacktestConfig, minutes: Minutes | None = None
) -> Iterator[tuple[Frame, Trip]]:
    """Yield the trips of one symbol in order; a signal while one is live is left out.

    An order lives from the bar after its signal on. A stop is rounded away from the close, a
    target toward it. A bar's close at which a trip ended may signal the next.
    """
    free = 0
    for frame in frames:
        whole = not frame.factors and frame.first == 0
        inside = minutes if whole and minutes else {}
        for trip in _of_frame(frame, config, free=max(free, frame.first), inside=inside):
            yield frame, trip
            free = max(free, _free_at(trip, len(frame.series.bars)))


def _of_frame(
    frame: Frame, config: BacktestConfig, *, free: int, inside: Minutes
) -> Iterator[Trip]:
    series, columns = frame.series, frame.series.columns
    orders = _Orders(series, config)
    count = len(series.bars)
    for at, sign in signals(series, config.rule):
        if at < free or at + 1 >= count:
            continue
        if at >= frame.end:
            return
        order = orders.at(at, sign)
        if order is None:
            continue
        bracket = order[2]
        found, drilled = walk(bracket, columns, at + 1), False
        if found.ambiguous and found.exit_bar in inside:
            found, drilled = drill(bracket, columns, found, inside[found.exit_bar]), True
        trip = Trip(at, sign, order[0], order[1], found, drilled)
        yield trip
        free = _free_at(trip, count)


class _Orders:
    """The orders of a rule's signals on one series, its numbers read once."""

    def __init__(self, series: Series, config: BacktestConfig) -> None:
        terms = config.rule
        self._steps = Steps.of(config.listing(series.symbol).tick)
        self._reach, self._warm = series.atr(terms.atr), terms.atr
        self._closes = series.columns.c
        self._stop, self._target = float(terms.stop_atr), float(terms.target_atr)
        self._held = terms.time_stop_bars

    def at(self, at: int, sign: int) -> tuple[int, int, Terms] | None:
        """Return the stop and the target in steps, and the bracket; None where no ATR stands."""
        if at < self._warm or self._reach[at - self._warm] <= 0:
            return None
        reach, close, steps = self._reach[at - self._warm], self._closes[at], self._steps
        rounded = steps.below if sign > 0 else steps.above
        stop = rounded(close - sign * self._stop * reach)
        target = rounded(close + sign * self._target * reach)
        if stop <= 0 or target <= 0:
            return None
        edges = steps.price(stop), steps.price(target)
        return stop, target, Terms(sign > 0, "market", None, *edges, self._held)


def _free_at(trip: Trip, count: int) -> int:
    """Return the first bar whose close may signal again."""
    status = trip.walk.status
    if status == "closed":
        return trip.walk.exit_bar
    return trip.walk.entry_bar if status == "rejected" else count


def minutes_of(bars: Sequence[Bar], minutes: Sequence[Bar]) -> Minutes:
    """Return the minute bars by the index of the bar that holds them."""
    found: dict[int, list[Bar]] = {}
    at = 0
    for minute in minutes:
        while at < len(bars) and bars[at].t_close <= minute.t_open:
            at += 1
        if at < len(bars) and bars[at].t_open <= minute.t_open:
            found.setdefault(at, []).append(minute)
    return {at: Series("", "1m", rows).columns for at, rows in found.items()}
