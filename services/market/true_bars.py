"""Owns which bars of a series can be true: judged with hindsight, pure, and none is repaired."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from services.kit.errors import Refusal
from services.market.bar import Bar, validate_bars
from services.market.grid import MINUTES
from services.market.instrument import Instrument
from services.market.observation import find_spike_fault
from services.market.quality_rule import (
    THRESHOLDS_BY_CLASS,
    Fault,
    QualityThresholds,
    find_jump,
    find_scale_fault,
    is_jump_confirmed,
)
from services.market.quality_window import Window, course_of

_LEAD, _LEAD_MIN = 5, 3
_BEFORE = timedelta(days=3)
_SESSION_MINUTES = 390
_SESSIONS_OF = {"1d": 1, "1w": 5, "1mo": 21}
_NORMAL = 1.4826
"""Standard deviation over the middle absolute deviation, for a normal course."""
_RETURNS_MIN = 10
_PRINTS_MINUTES_MAX = 15
"""Up to this length a bar's high and low are held against its close by the rule of prints."""
Second = Callable[[], Decimal | None]


class Untrue(NamedTuple):
    """A bar that is left out, and why."""

    bar: Bar
    fault: Fault


class Sifted(NamedTuple):
    """The bars that may be shown, ascending, and those that may not."""

    good: tuple[Bar, ...]
    bad: tuple[Untrue, ...]


def _no_second() -> None:
    return None


def sift(
    bars: Sequence[Bar],
    *,
    instrument: Instrument,
    timeframe: str,
    known: Window | None = None,
    second: Second = _no_second,
) -> Sifted:
    """Return the bars of an ascending series that can be true, and the others with their faults.

    Each is held against the good one before it by the rules of the gate: a price in another unit
    is never true; a jump is when the two bars after it go with it, or at the end of the series
    `second`, the price of the moment. `known` is the last price that the gate believed: it leads
    from its own time on. Worked: 190, 19000, 190.1 leaves the middle bar out (`DQ_SCALE_SUSPECT`).
    """
    walk = _Walk(bars, instrument, timeframe, second)
    for at, bar in enumerate(bars):
        walk.meet(known, bar)
        fault = walk.find_fault(at)
        if fault is None:
            walk.lead(bar)
        else:
            walk.bad.append(Untrue(bar, fault))
    return Sifted(tuple(walk.good), tuple(walk.bad))


class _Walk:
    """One pass over a series: what is good so far, and the window that it leads."""

    def __init__(
        self, bars: Sequence[Bar], instrument: Instrument, timeframe: str, second: Second
    ) -> None:
        self.good: list[Bar] = []
        self.bad: list[Untrue] = []
        self._bars, self._second, self._calendar = bars, second, instrument.calendar
        self._limits: QualityThresholds = THRESHOLDS_BY_CLASS[instrument.asset_class]
        self._minutes = MINUTES.get(timeframe)
        self._sigma = _sigma_day(bars, timeframe)
        self._window = _first_window(bars)
        self._last = None if self._window.last is None else float(self._window.last)

    def meet(self, known: Window | None, bar: Bar) -> None:
        """Let the price that the gate believed lead from its time on; it may disown the series."""
        if known is None or known.last is None or known.last_ts is None:
            return
        behind = self.good[-1].t_close if self.good else None
        if known.last_ts > bar.t_close or (behind is not None and behind >= known.last_ts):
            return
        if self.good:
            fault = find_scale_fault(self.good[-1].c, known.last, limits=self._limits)
            if fault is not None:
                self.bad += [Untrue(one, fault) for one in self.good]
                self.good.clear()
        self._window = Window(last=known.last, last_ts=known.last_ts)
        self._last = float(known.last)

    def lead(self, bar: Bar) -> None:
        """Take a good bar: the next one is held against it."""
        self.good.append(bar)
        self._window = Window(last=bar.c, last_ts=bar.t_close)
        self._last = float(bar.c)

    def find_fault(self, at: int) -> Fault | None:
        """Return why a bar can not be true; most bars are done after a few comparisons."""
        bar = self._bars[at]
        fault = _find_insane(bar) or self._find_spike(bar)
        if fault is not None or self._last is None:
            return fault
        if abs(math.log(float(bar.c) / self._last)) <= self._limits.jump_intraday:
            return None
        return self._find_level(at, bar)

    def _find_spike(self, bar: Bar) -> Fault | None:
        if bar.h <= 2 * bar.c and 2 * bar.l >= bar.c and self._minutes is None:
            return None
        of_prints = self._minutes is not None and self._minutes <= _PRINTS_MINUTES_MAX
        limit = self._limits.jump_day if of_prints else None
        if limit is not None and bar.h * 10 <= bar.c * 12 and bar.l * 10 >= bar.c * 9:
            return None
        return find_spike_fault(bar, limit, self._limits)

    def _find_level(self, at: int, bar: Bar) -> Fault | None:
        window = replace(self._window, sigma=self._sigma)
        course = course_of(window, bar.t_close, self._calendar, limits=self._limits)
        if course is None or window.last is None:
            return None
        scale = find_scale_fault(bar.c, window.last, limits=self._limits)
        if scale is not None:
            return scale
        jump = find_jump(bar.c, window.last, limit=course.limit)
        return None if jump is None or self._is_confirmed(at, window.last) else jump

    def _is_confirmed(self, at: int, before: Decimal) -> bool:
        """Return whether the course went with a jump: the two bars after it lie nearer to it."""
        suspect = self._bars[at].c
        moved = abs(math.log(float(suspect) / float(before)))
        limit = max(self._limits.jump_intraday, moved / 2)
        after = [one.c for one in self._bars[at + 1 : at + 3] if one.c.is_finite() and one.c > 0]
        if is_jump_confirmed(suspect, after, limit=limit, limits=self._limits):
            return True
        if at + 2 < len(self._bars):
            return False
        second = self._second()
        return (
            second is not None
            and second > 0
            and is_jump_confirmed(suspect, (), limit=limit, second_source=second)
        )


def _find_insane(bar: Bar) -> Fault | None:
    values = (bar.o, bar.h, bar.l, bar.c, bar.v)
    if not all(value.is_finite() for value in values):
        return Fault("DQ_NONFINITE", "CRIT", "a price or volume is not a number")
    if 0 < bar.l <= min(bar.o, bar.c) and bar.h >= max(bar.o, bar.c) and bar.v >= 0:
        return None
    try:
        validate_bars((bar,))
    except Refusal as refusal:
        return Fault("DQ_BAR_SANITY", "CRIT", refusal.message)
    return None


def _first_window(bars: Sequence[Bar]) -> Window:
    """Return the middle close of the first bars, as what the first one is held against."""
    closes = [bar.c for bar in bars[:_LEAD] if bar.c.is_finite() and bar.c > 0]
    if len(closes) < _LEAD_MIN:
        return Window()
    return Window(last=statistics.median_low(closes), last_ts=bars[0].t_open - _BEFORE)


def _sigma_day(bars: Sequence[Bar], timeframe: str) -> float | None:
    """Return the daily deviation of the series' own course, which single bad bars do not move."""
    closes = [float(bar.c) for bar in bars if bar.c.is_finite() and bar.c > 0]
    moved = [abs(math.log(after / before)) for before, after in pairwise(closes)]
    if len(moved) < _RETURNS_MIN:
        return None
    minutes = MINUTES.get(timeframe)
    share = minutes / _SESSION_MINUTES if minutes else _SESSIONS_OF.get(timeframe, 1)
    return _NORMAL * statistics.median(moved) / math.sqrt(share)
