"""Owns the view: a track seen from one side and up to one bar, so one rule serves both sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from services.kit.errors import refuse
from services.market.bar import Bar
from services.strategy.track import Series, Track

Side = Literal["long", "short"]


class _Slice:
    """The first bars of a track from one side; what lies outside is refused or None."""

    __slots__ = ("_count", "_track", "sign")

    def __init__(self, track: Track, side: Side, count: int) -> None:
        self._track = track
        self._count = count
        self.sign = 1.0 if side == "long" else -1.0

    def _at(self, ago: int) -> int | None:
        if ago < 0:
            raise refuse("LOOKAHEAD", index=ago)
        at = self._count - 1 - ago
        return at if at >= 0 else None

    def _plain(self, values: Series, ago: int) -> float | None:
        at = self._count - 1 - ago
        if ago < 0:
            raise refuse("LOOKAHEAD", index=ago)
        return values[at] if 0 <= at < len(values) else None

    def _signed(self, values: Series, ago: int) -> float | None:
        at = self._count - 1 - ago
        if ago < 0:
            raise refuse("LOOKAHEAD", index=ago)
        found = values[at] if 0 <= at < len(values) else None
        return None if found is None else self.sign * found


class Readings(_Slice):
    """The indicators of a view: prices negated from the short side, strengths turned over."""

    __slots__ = ()

    def volume(self, ago: int = 0) -> float | None:
        """Return the volume."""
        return self._plain(self._track.v, ago)

    def ema(self, n: int, ago: int = 0) -> float | None:
        """Return the exponential average of `n` closes."""
        return self._signed(self._track.ema(n), ago)

    def vwap(self, ago: int = 0) -> float | None:
        """Return the session's volume-weighted average price."""
        return self._signed(self._track.vwap, ago)

    def sigma(self, ago: int = 0) -> float | None:
        """Return the spread about VWAP."""
        return self._plain(self._track.sigma, ago)

    def atr(self, ago: int = 0) -> float | None:
        """Return the average true range of 14; None for 0, on which no distance stands."""
        return self._plain(self._track.atr, ago) or None

    def adx(self, ago: int = 0) -> float | None:
        """Return the directional index of 14."""
        return self._plain(self._track.adx, ago)

    def rsi(self, ago: int = 0) -> float | None:
        """Return the relative strength of 14, from the short side 100 less it."""
        found = self._plain(self._track.rsi, ago)
        return found if found is None or self.sign > 0 else 100.0 - found

    def rvol_tod(self, ago: int = 0) -> float | None:
        """Return the session's volume so far over that of other days by this minute."""
        return self._plain(self._track.rvol_tod, ago)

    def rvol_bar(self, ago: int = 0, n: int = 20) -> float | None:
        """Return the bar's volume over the mean of the `n` before it; None without them."""
        at = self._at(ago)
        if at is None or at < n:
            return None
        total = 0.0
        for volume in self._track.v[at - n : at]:
            total += volume
        return self._track.v[at] * n / total if total else None

    def opening_range(self) -> tuple[float, float] | None:
        """Return the best and worst price of the first 15 minutes; None until they are over."""
        at = self._at(0)
        ranges = self._track.opening_range
        found = ranges[at] if at is not None and at < len(ranges) else None
        if found is None:
            return None
        top, bottom = found
        return (top, bottom) if self.sign > 0 else (-bottom, -top)

    def gaps(self, count: int) -> list[float]:
        """Return ln(open / close before) of the newest `count` bars that have one, newest first."""
        end = self._count
        first = max(1, end - count)
        opens = [float(bar.o) for bar in self._track.bars[first:end]]
        closes = self._track.c[first - 1 : end - 1]
        pairs = zip(reversed(opens), reversed(closes), strict=True) if end > 1 else ()
        return [math.log(begun / before) for begun, before in pairs if begun and before]

    def bars_of_session(self) -> int:
        """Return how many bars the newest bar's session has so far."""
        at = self._at(0)
        return 0 if at is None else at - self._track.first_of_session[at] + 1


class View(_Slice):
    """A track's first `count` bars. From the short side prices are negated, highs are lows.

    `ago` counts back from the newest bar, which is 0; what lies later than the view's end raises
    `LOOKAHEAD`, what lies before the first bar is None. `read` has the indicators. A price that a
    rule makes from these goes back through `price`.
    """

    __slots__ = ("read", "timeframe")

    def __init__(self, track: Track, side: Side, count: int | None = None) -> None:
        there = len(track.bars)
        count = there if count is None else count
        if not 0 <= count <= there:
            raise refuse("LOOKAHEAD", index=count)
        self._track = track
        self._count = count
        self.sign = 1.0 if side == "long" else -1.0
        self.read = Readings(track, side, count)
        self.timeframe = track.timeframe

    def __len__(self) -> int:
        return self._count

    def price(self, value: float) -> float:
        """Return a real price of one seen here."""
        return self.sign * value

    def bar(self, ago: int = 0) -> Bar:
        """Return the stored bar; raises `LOOKAHEAD` outside the view."""
        at = self._at(ago)
        if at is None:
            raise refuse("LOOKAHEAD", index=ago)
        return self._track.bars[at]

    def closed_at(self) -> datetime:
        """Return when the newest bar closed."""
        return self.bar().t_close

    def open(self, ago: int = 0) -> float | None:
        """Return the opening price."""
        at = self._at(ago)
        return None if at is None else self.sign * float(self._track.bars[at].o)

    def close(self, ago: int = 0) -> float | None:
        """Return the closing price."""
        return self._priced("c", ago)

    def high(self, ago: int = 0) -> float | None:
        """Return the best price of the side."""
        return self._priced("h" if self.sign > 0 else "l", ago)

    def low(self, ago: int = 0) -> float | None:
        """Return the worst price of the side."""
        return self._priced("l" if self.sign > 0 else "h", ago)

    def typical(self, ago: int = 0) -> float:
        """Return the price that a VWAP takes of a bar; raises `LOOKAHEAD` outside the view."""
        bar = self.bar(ago)
        if bar.vw is not None:
            return self.sign * float(bar.vw)
        return self.sign * ((float(bar.h) + float(bar.l) + float(bar.c)) / 3)

    def highest(self, count: int, ago: int = 0) -> float | None:
        """Return the best price of `count` bars that end `ago` bars back; None with fewer."""
        column = self._track.h if self.sign > 0 else self._track.l
        rows = self._rows(column, count, ago)
        return self.sign * (max(rows) if self.sign > 0 else min(rows)) if rows else None

    def lowest(self, count: int, ago: int = 0) -> float | None:
        """Return the worst price of `count` bars that end `ago` bars back; None with fewer."""
        column = self._track.l if self.sign > 0 else self._track.h
        rows = self._rows(column, count, ago)
        return self.sign * (min(rows) if self.sign > 0 else max(rows)) if rows else None

    def highest_close(self, count: int, ago: int = 0) -> float | None:
        """Return the best close of `count` bars that end `ago` bars back; None with fewer."""
        rows = self._rows(self._track.c, count, ago)
        return max(self.sign * row for row in rows) if rows else None

    def swings(self, kind: Literal["high", "low"]) -> Iterator[tuple[int, float]]:
        """Yield confirmed swings of the side as (bars ago, price), newest first."""
        real = kind if self.sign > 0 else ("low" if kind == "high" else "high")
        for swing in self._track.swings_until(self._count):
            if swing.kind == real:
                yield self._count - 1 - swing.index, self.sign * swing.price

    def _priced(self, letter: str, ago: int) -> float | None:
        at = self._count - 1 - ago
        if ago < 0:
            raise refuse("LOOKAHEAD", index=ago)
        return self.sign * self._track.price(letter, at) if at >= 0 else None

    def _rows(self, column: list[float], count: int, ago: int) -> list[float]:
        at = self._at(ago)
        return [] if at is None or at + 1 < count else column[at + 1 - count : at + 1]
