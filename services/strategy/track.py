"""Owns the track: one timeframe's complete bars, and every indicator of them as it is read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from threading import RLock
from typing import Any, Generic, TypeVar, overload

from services.kit.errors import check
from services.market.bar import Bar
from services.market.fold import fold_adx, fold_atr, fold_ema, fold_rsi, fold_swings
from services.market.grid import MINUTES
from services.market.indicator import Adx, Atr, Ema, Rsi
from services.market.level import Swing
from services.market.realised_volatility import SESSIONS_PER_YEAR, LogReturns, rank_of_returns
from services.strategy.day_values import DayValues

T = TypeVar("T")
Series = Sequence[float | None]
EMA_LENGTHS = (9, 10, 20, 21, 30, 50, 200)
WILDER = 14
SWING_INTRADAY, SWING_DAY = 3, 5
RV_BARS = 20
_t_close = attrgetter("t_close")


@dataclass(slots=True)
class _Column:
    """Values by bar: `fold` makes those of many bars at once, `step` that of the newest.

    `reads` names the columns that they take, by their letters; without one it is the bars.
    A column with a step, which takes one value, goes on with each bar once it was read; others
    grow when they are asked.
    """

    fold: Callable[..., Sequence[Any]]
    step: Callable[[Any], Any] | None = None
    reads: str = ""
    values: list[Any] = field(default_factory=list)
    rows: tuple[list[Any], ...] = ()


class _Read(Generic[T]):
    """An attribute of a track that is one of its columns, up to the newest bar."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, track: Track, owner: type | None = None) -> list[T]:
        values = track.columns[self._name].values
        return values if len(values) == len(track.bars) else track.grown(self._name)


class _PerBar(Sequence[T], Generic[T]):
    """Values of single bars, each made when it is read; empty on tracks without sessions."""

    __slots__ = ("_make", "_track")

    def __init__(self, track: Track, make: Callable[[int], T] | None) -> None:
        self._track = track
        self._make = make

    def __len__(self) -> int:
        return 0 if self._make is None else len(self._track.bars)

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> list[T]: ...

    def __getitem__(self, at: int | slice) -> T | list[T]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        count = len(self._track.bars)
        if self._make is None or not -count <= at < count:
            raise IndexError(at)
        return self._make(at % count)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (list, _PerBar)) and self[:] == other[:]

    __hash__ = None  # type: ignore[assignment]


class _Emas(Mapping[int, list[float | None]]):
    """The averages by length, each made when it is read."""

    __slots__ = ("_track",)

    def __init__(self, track: Track) -> None:
        self._track = track

    def __getitem__(self, n: int) -> list[float | None]:
        return self._track.ema(n)

    def __iter__(self) -> Iterator[int]:
        return iter(EMA_LENGTHS)

    def __len__(self) -> int:
        return len(EMA_LENGTHS)


class Track:
    """Bars ascending and one value per bar of each indicator; None until it is defined.

    A column is made when it is first read and goes on with every bar after that. Each value
    depends on its own bar and earlier ones alone, so it is the same however the bars came in.
    Session values (VWAP, opening range, relative volume by time of day) are of intraday tracks.
    """

    h = _Read[float]()
    l = _Read[float]()  # noqa: E741 - the field's own letter, as in every feed
    c = _Read[float]()
    v = _Read[float]()
    atr = _Read[float | None]()
    rsi = _Read[float | None]()
    adx = _Read[float | None]()
    returns = _Read[float]()

    def __init__(self, timeframe: str, calendar: str, bars: Iterable[Bar] = ()) -> None:
        self.timeframe = timeframe
        self.calendar = calendar
        self.minutes = MINUTES.get(timeframe)
        self.bars: list[Bar] = []
        self.lock = RLock()
        self.emas = _Emas(self)
        days = None if self.minutes is None else DayValues(self, calendar)
        self.vwap = _PerBar(self, None if days is None else days.vwap)
        self.sigma = _PerBar(self, None if days is None else days.sigma)
        self.opening_range = _PerBar(self, None if days is None else days.opening_range)
        self.rvol_tod = _PerBar(self, None if days is None else days.rvol_tod)
        self.first_of_session = _PerBar(self, None if days is None else days.first_of)
        self.columns = _columns(self.bars)
        self._read: list[_Column] = []
        self._swings: list[Swing] = []
        self._swings_end = 0
        self.extend(bars)

    def __len__(self) -> int:
        return len(self.bars)

    def push(self, bar: Bar) -> None:
        """Take one more complete bar; later than the last one. What was read goes on with it."""
        with self.lock:
            before = len(self.bars)
            self._append((bar,))
            for column in self._read:
                values, step = column.values, column.step
                if len(values) == before and step is not None:
                    values.append(step(column.rows[0][-1]))

    def extend(self, bars: Iterable[Bar]) -> None:
        """Take more complete bars, ascending and later than the last one."""
        fresh = tuple(bars)
        if len(fresh) == 1:
            self.push(fresh[0])
        elif fresh:
            with self.lock:
                self._append(fresh)

    def _append(self, fresh: tuple[Bar, ...]) -> None:
        closed = self.bars[-1].t_close if self.bars else fresh[0].t_open
        for bar in fresh:
            if not bar.complete or bar.t_open < closed:
                check(bar.complete, "a track takes complete bars", at=bar.t_open)
                check(bar.t_open >= closed, "bars ascend", at=bar.t_open)
            closed = bar.t_close
        self.bars.extend(fresh)

    def ema(self, n: int) -> list[float | None]:
        """Return the averages of `n` closes; `n` is one of `EMA_LENGTHS`."""
        values = self.columns[n].values
        return values if len(values) == len(self.bars) else self.grown(n)

    def grown(self, name: str | int) -> list[Any]:
        """Return a column with the values of every bar that is there; an average has its length."""
        column = self.columns[name]
        with self.lock:
            first = len(column.values)
            if first < len(self.bars):
                for letter in column.reads:
                    self.grown(letter)
                if column.step is not None and not first:
                    self._read.append(column)
                column.values.extend(column.fold(*[row[first:] for row in column.rows]))
        return column.values

    @property
    def swings(self) -> list[Swing]:
        """Return the confirmed swings in the order of their confirmation."""
        if self._swings_end < len(self.bars):
            with self.lock:
                k = SWING_DAY if self.minutes is None else SWING_INTRADAY
                self._swings += fold_swings(self.h, self.l, k, self._swings_end)
                self._swings_end = len(self.bars)
        return self._swings

    def price(self, letter: str, at: int) -> float:
        """Return one price; its column is not made for it."""
        values = self.columns[letter].values
        return values[at] if at < len(values) else float(getattr(self.bars[at], letter))

    def count_until(self, as_of: datetime) -> int:
        """Return how many bars had closed by `as_of`; the view of a clock ends there."""
        if self.bars and self.bars[-1].t_close <= as_of:
            return len(self.bars)
        return bisect_right(self.bars, as_of, key=_t_close)

    def volatility_rank(self, count: int) -> float | None:
        """Return where the realised volatility of the first `count` bars stands in its year.

        The share of the last 252 values at or below it; None before there are 252.
        """
        first = count - SESSIONS_PER_YEAR - RV_BARS
        return rank_of_returns(self.returns[first + 1 : count], RV_BARS) if first >= 0 else None

    def swings_until(self, count: int) -> Iterator[Swing]:
        """Yield the swings confirmed within the first `count` bars, newest first."""
        swings = self.swings
        end = bisect_right(swings, count - 1, key=attrgetter("confirmed_at"))
        for at in range(end - 1, -1, -1):
            yield swings[at]


def _columns(bars: list[Bar]) -> dict[str | int, _Column]:
    """Return the empty columns of a track: prices of the bars, indicators of the prices."""
    found: dict[str | int, _Column] = {}
    for letter in "hlcv":
        price = attrgetter(letter)
        found[letter] = _Column(partial(_prices, price), partial(_price, price), rows=(bars,))
    for n in EMA_LENGTHS:
        average = Ema(n)
        found[n] = _Column(partial(fold_ema, average), average.push, "c")
    found["atr"] = _Column(partial(fold_atr, Atr(WILDER)), reads="hlc")
    found["rsi"] = _Column(partial(fold_rsi, Rsi(WILDER)), reads="c")
    found["adx"] = _Column(partial(fold_adx, Adx(WILDER)), reads="hlc")
    found["returns"] = _Column(LogReturns().fold, reads="c")
    for column in found.values():
        column.rows = tuple(found[letter].values for letter in column.reads) or column.rows
    return found


def _prices(letter: Callable[[Bar], Decimal], bars: Sequence[Bar]) -> list[float]:
    return list(map(float, map(letter, bars)))


def _price(letter: Callable[[Bar], Decimal], bar: Bar) -> float:
    return float(letter(bar))
