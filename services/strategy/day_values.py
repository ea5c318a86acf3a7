"""Owns the values of a running session on an intraday track: VWAP, opening range, volume by time.

A session is worked out when one of its bars is first asked for, up to that moment, and goes on
from there: nothing is made of a session that no rule reads.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, islice
from operator import attrgetter, mul
from threading import RLock
from typing import Protocol

from services.kit.errors import fail
from services.market.bar import Bar
from services.market.session import Session, find_last_session, market_state
from services.market.vwap import VolumeBar

RANGE_MINUTES = 15
RVOL_SESSIONS, RVOL_SESSIONS_MIN = 20, 5
_MINUTE, _INSTANT = timedelta(minutes=1), timedelta(microseconds=1)
_t_open, _t_close, _first = attrgetter("t_open"), attrgetter("t_close"), attrgetter("first")


class Columns(Protocol):
    """The bars of a track, their float columns, and the lock under which they grow."""

    bars: list[Bar]
    lock: RLock

    @property
    def h(self) -> Sequence[float]:
        """Highs."""
        ...

    @property
    def l(self) -> Sequence[float]:  # noqa: E743 - the field's own letter, as in every feed
        """Lows."""
        ...

    @property
    def c(self) -> Sequence[float]:
        """Closes."""
        ...

    @property
    def v(self) -> Sequence[float]:
        """Volumes."""
        ...


@dataclass(slots=True)
class _Day:
    """One session from its bar `first` on; each list goes as far as it was asked for.

    `paid` and `volumes` are running sums, `past` the whole days before it.
    """

    session: Session
    first: int
    prices: list[float] = field(default_factory=list)
    paid: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    range: tuple[float, float] | None = None
    past: tuple[_Day, ...] | None = None


class DayValues:
    """The sessions of an intraday track, each made once; `at` is the index of a bar."""

    def __init__(self, track: Columns, calendar: str) -> None:
        self._track = track
        self._calendar = calendar
        self._days: list[_Day] = []

    def first_of(self, at: int) -> int:
        """Return the index of the first bar of the bar's session."""
        return self._day(at).first

    def vwap(self, at: int) -> float | None:
        """Return the session's VWAP after the bar; None without any volume."""
        day = self._priced(at)
        volume = day.volumes[at - day.first]
        return day.paid[at - day.first] / volume if volume else None

    def sigma(self, at: int) -> float | None:
        """Return the spread about the VWAP of that moment; None without any volume."""
        centre = self.vwap(at)
        if centre is None:
            return None
        day = self._priced(at)
        count = at - day.first + 1
        squares = 0.0
        rows = zip(day.prices[:count], self._track.v[day.first : at + 1], strict=True)
        for price, volume in rows:
            squares += volume * (price - centre) * (price - centre)
        return math.sqrt(squares / day.volumes[count - 1])

    def opening_range(self, at: int) -> tuple[float, float] | None:
        """Return high and low of the first 15 minutes; None until they are over at the bar."""
        day, bars = self._day(at), self._track.bars
        ends = day.session.open + timedelta(minutes=RANGE_MINUTES)
        if bars[at].t_close < ends:
            return None
        if day.range is None:
            end = bisect_left(bars, ends, day.first, at + 1, key=_t_open)
            if end == day.first:
                return None
            highs, lows = self._track.h[day.first : end], self._track.l[day.first : end]
            day.range = (max(highs), min(lows))
        return day.range

    def rvol_tod(self, at: int) -> float | None:
        """Return the session's volume so far over the mean of up to 20 whole days by that minute.

        None before there are five, and when they had no volume. Half days are left out.
        """
        day = self._measured(self._day(at), at)
        past = self._past(day)
        if len(past) < RVOL_SESSIONS_MIN:
            return None
        minute = (self._track.bars[at].t_close - day.session.open) // _MINUTE
        total = 0.0
        for other in past:
            total += self._volume_by(other, minute)
        mean = total / len(past)
        return day.volumes[at - day.first] / mean if mean else None

    def _volume_by(self, day: _Day, minute: int) -> float:
        """Return the volume of the day's bars that closed by that minute of its session."""
        limit = day.session.open + (minute + 1) * _MINUTE
        last = day.first + len(day.volumes)
        seen = bisect_left(self._track.bars, limit, day.first, last, key=_t_close) - day.first
        return day.volumes[seen - 1] if seen else 0.0

    def _past(self, day: _Day) -> tuple[_Day, ...]:
        """Return the last 20 whole days before a day, oldest first, with their volumes."""
        if day.past is None:
            with self._track.lock:
                found = [other for other in self._before(day) if not other.session.half_day]
                for other in found:
                    self._measure(other)
                day.past = tuple(reversed(found))
        return day.past

    def _before(self, day: _Day) -> Iterator[_Day]:
        whole = 0
        while day.first and whole < RVOL_SESSIONS:
            day = self._day(day.first - 1)
            whole += not day.session.half_day
            yield day

    def _day(self, at: int) -> _Day:
        """Return the day of a bar; a bar outside of any session is a bug."""
        place, begins = bisect_right(self._days, at, key=_first), self._track.bars[at].t_open
        if place and begins < self._days[place - 1].session.close:
            return self._days[place - 1]
        with self._track.lock:
            return self._new_day(at, begins)

    def _new_day(self, at: int, begins: datetime) -> _Day:
        session = market_state(self._calendar, begins).session
        if session is None:
            fail("an intraday bar lies in a session", at=begins)
        before = find_last_session(self._calendar, session.open - _INSTANT)
        closed = before.close if before is not None else self._track.bars[0].t_open
        first = bisect_left(self._track.bars, closed, 0, at, key=_t_open)
        place = bisect_left(self._days, first, key=_first)
        if place == len(self._days) or self._days[place].first != first:
            self._days.insert(place, _Day(session, first))
        return self._days[place]

    def _measured(self, day: _Day, at: int) -> _Day:
        """Return the day with the volumes of its bars up to `at`, or later."""
        if day.first + len(day.volumes) <= at:
            with self._track.lock:
                self._measure(day)
        return day

    def _measure(self, day: _Day) -> None:
        bars, close, done = self._track.bars, day.session.close, day.first + len(day.volumes)
        if done < len(bars) and bars[done].t_open < close:
            newest = bars[-1].t_open < close
            end = len(bars) if newest else bisect_left(bars, close, done, key=_t_open)
            _add_up(day.volumes, self._track.v[done:end])

    def _priced(self, at: int) -> _Day:
        """Return the day of a bar with what was paid in every bar up to it, or later."""
        day = self._day(at)
        if day.first + len(day.paid) <= at:
            with self._track.lock:
                self._measure(day)
                self._price(day)
        return day

    def _price(self, day: _Day) -> None:
        track, rows = self._track, slice(day.first + len(day.paid), day.first + len(day.volumes))
        columns = (track.bars, track.h, track.l, track.c, track.v)
        fresh = [_typical(*row) for row in zip(*(one[rows] for one in columns), strict=True)]
        day.prices += fresh
        _add_up(day.paid, list(map(mul, fresh, track.v[rows])))


def _typical(bar: Bar, high: float, low: float, close: float, volume: float) -> float:
    """Return the price that a VWAP takes of a bar. Raises `PARAM_INVALID` as `VolumeBar` does."""
    price = (high + low + close) / 3 if bar.vw is None else float(bar.vw)
    if not (0.0 < price < math.inf and 0.0 <= volume < math.inf):
        return VolumeBar(high, low, close, volume, None if bar.vw is None else price).price
    return price


def _add_up(sums: list[float], values: Sequence[float]) -> None:
    """Append the running sums that go on with `values`."""
    if sums:
        sums.extend(islice(accumulate(values, initial=sums[-1]), 1, None))
    else:
        sums.extend(accumulate(values))
