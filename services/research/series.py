"""Owns a series: the bars of one symbol by column, with indicators made once and only forward."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

from services.kit.errors import check
from services.kit.money import rounded
from services.market.bar import Bar, bar_hash, validate_bars
from services.research.bracket import Columns
from services.research.config import ListingTerms

Values = list[float]
_PLACES = 6


@dataclass
class Series:
    """One symbol's complete bars ascending, their float columns, and indicators as they are asked.

    An indicator's value at a bar depends on that bar and earlier ones alone: each is a running
    fold, the same as the states of `services.market.indicator` bit for bit. `crosses` keeps the
    signals of averages by their two lengths and the sides, for sweeps.
    """

    symbol: str
    timeframe: str
    bars: Sequence[Bar]
    crosses: dict[tuple[int, int, str], list[tuple[int, int]]] = field(default_factory=dict)
    _emas: dict[int, Values] = field(default_factory=dict)
    _atrs: dict[int, Values] = field(default_factory=dict)

    @cached_property
    def columns(self) -> Columns:
        """Return the float prices by column."""
        return Columns(
            [float(bar.o) for bar in self.bars],
            [float(bar.h) for bar in self.bars],
            [float(bar.l) for bar in self.bars],
            [float(bar.c) for bar in self.bars],
        )

    @cached_property
    def closes(self) -> list[datetime]:
        """Return when each bar closed."""
        return [bar.t_close for bar in self.bars]

    @cached_property
    def day_ends(self) -> dict[date, datetime]:
        """Return the close of the last bar of each UTC day."""
        return {bar.t_open.date(): bar.t_close for bar in self.bars}

    @cached_property
    def sound(self) -> bool:
        """Check every bar once. Raises `BAR_INVALID`; bars in progress are a bug."""
        validate_bars(self.bars)
        check(all(bar.complete for bar in self.bars), "a backtest takes complete bars")
        return True

    def prepare(self) -> Series:
        """Check the bars and make columns and hash, so that a run finds them ready."""
        check(self.sound and self.columns and self.hash and self.day_ends, "a series has bars")
        return self

    @cached_property
    def hash(self) -> str:
        """Return the hash (`bars/v1`) of the bars as they were given."""
        return bar_hash(self.symbol, self.timeframe, self.bars)

    def ema(self, n: int) -> Values:
        """Return the EMA of `n` closes from bar n-1 on: its first value is that bar's."""
        if n not in self._emas:
            self._emas[n] = _ema(self.columns.c, n)
        return self._emas[n]

    def atr(self, n: int) -> Values:
        """Return Wilder's ATR of `n` from bar n on: its first value is that bar's."""
        if n not in self._atrs:
            self._atrs[n] = _atr(self.columns, n)
        return self._atrs[n]


def _ema(closes: Sequence[float], n: int) -> Values:
    if len(closes) < n:
        return []
    mean, weight = _total(closes[:n]) / n, 2 / (n + 1)
    return [mean, *[mean := mean + weight * (close - mean) for close in closes[n:]]]


def _atr(columns: Columns, n: int) -> Values:
    """Return the smoothed ranges; a true range is max(h, c') - min(l, c') after a close c'."""
    _, highs, lows, closes = columns
    if len(closes) <= n:
        return []
    head = zip(highs[1 : n + 1], lows[1 : n + 1], closes[:n], strict=True)
    first = [max(high, close) - min(low, close) for high, low, close in head]
    mean, before = _total(first) / n, n - 1
    ranges = [
        (high if high > close else close) - (low if low < close else close)  # noqa: FURB136
        for high, low, close in zip(highs[n + 1 :], lows[n + 1 :], closes[n:], strict=False)
    ]
    return [mean, *[mean := (mean * before + one) / n for one in ranges]]


@dataclass(frozen=True, slots=True)
class Frame:
    """A series in the terms of the days `[first, end)`: splits after them are not yet known.

    Its later bars are brought back to those terms, as a position over a split would be. `factor`
    is new units per unit at each bar, relative to the frame.
    """

    series: Series
    first: int
    end: int
    factors: tuple[tuple[int, Fraction], ...] = ()

    def factor_at(self, at: int) -> Fraction:
        """Return how many units one unit of this frame has become by bar `at`."""
        found = Fraction(1)
        for index, factor in self.factors:
            if at >= index:
                found = factor
        return found


def build_frames(series: Series, listing: ListingTerms) -> list[Frame]:
    """Return one frame per stretch between splits; without a split the series itself.

    Raises `BAR_INVALID` for bars that can not be true and for bars that are not complete.
    """
    check(series.sound, "every bar was checked")
    count = len(series.bars)
    cuts = [_index_of(series, one.day) for one in listing.splits]
    ratios = [Fraction(one.after, one.before) for one in listing.splits]
    known = [(at, ratio) for at, ratio in zip(cuts, ratios, strict=True) if 0 < at < count]
    if not known:
        return [Frame(series, 0, count)]
    edges = [0, *(at for at, _ in known), count]
    return [_frame(series, known, first, end) for first, end in pairwise(edges)]


def _frame(series: Series, known: list[tuple[int, Fraction]], first: int, end: int) -> Frame:
    scaled: list[Bar] = []
    for at, bar in enumerate(series.bars):
        ratio = Fraction(1)
        for cut, step in known:
            if at < cut <= first:
                ratio /= step
            elif first < cut <= at:
                ratio *= step
        scaled.append(bar if ratio == 1 else _scaled(bar, ratio))
    factor, factors = Fraction(1), []
    for cut, step in known:
        if cut > first:
            factor *= step
            factors.append((cut, factor))
    own = Series(series.symbol, series.timeframe, scaled)
    return Frame(own, first, end, tuple(factors))


def _scaled(bar: Bar, ratio: Fraction) -> Bar:
    """Return a bar with every price times `ratio` and its volume divided by it."""
    top, bottom = Decimal(ratio.numerator), Decimal(ratio.denominator)
    prices = (rounded(price * top / bottom, _PLACES) for price in (bar.o, bar.h, bar.l, bar.c))
    o, h, l, c = prices  # noqa: E741 - the field's own letters
    vw = None if bar.vw is None else bar.vw * top / bottom
    return Bar(
        t_open=bar.t_open,
        t_close=bar.t_close,
        o=o,
        h=h,
        l=l,
        c=c,
        v=bar.v * bottom / top,
        vw=vw,
        n=bar.n,
        session=bar.session,
    )


def _index_of(series: Series, day: date) -> int:
    return bisect_left(series.bars, day, key=lambda bar: bar.t_open.date())


def _total(values: Sequence[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total
