"""Owns the quick way of a trade into the live book: in order, within its minute and its range."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf, nextafter

from services.kit.clock import EPOCH
from services.market.bar import Bar
from services.market.stream_frame import StreamTrade
from services.market.stream_tick import PLACES, VOLUME_BITS, Tick, trade_of

_MINUTE = timedelta(minutes=1)
_MS = timedelta(milliseconds=1)
_NOTHING = Decimal(0)
_VOLUME = (1 << VOLUME_BITS) - 1
_Key = tuple[datetime, int, str]


def _no_numbers() -> array[int]:
    """Return no sequence numbers yet, in a form that takes a fifth of what objects take."""
    return array("q")


@dataclass(slots=True)
class MinuteBuild:
    """One minute while its trades arrive in any order, some of them twice.

    Of the trades that came in order only the sequence numbers are kept: these are unique for a
    symbol, and enough to know a trade that comes again.
    """

    first: _Key
    last: _Key
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter
    c: Decimal
    v: Decimal = _NOTHING
    paid: Decimal = _NOTHING
    n: int = 0
    _numbers: array[int] = field(default_factory=_no_numbers)
    _seen: set[_Key] = field(default_factory=set)

    def add(self, trade: StreamTrade, key: _Key) -> bool:
        """Take in a trade; False when it is known. The order of arrival makes no difference."""
        if key in self._seen or (key <= self.last and trade.seq in self._numbers):
            return False
        self._seen.add(key)
        if key < self.first:
            self.first, self.o = key, trade.price
        if key > self.last:
            self.last, self.c = key, trade.price
        self.h, self.l = max(self.h, trade.price), min(self.l, trade.price)
        self.v += trade.size
        self.paid += trade.price * trade.size
        self.n += 1
        return True

    def add_run(self, run: Run, newest: StreamTrade) -> None:
        """Take in what a run counted; `newest` is the last of its trades."""
        self.last, self.c = key_of(newest), newest.price
        self.v += run.counted & _VOLUME
        self.paid += Decimal(run.counted >> VOLUME_BITS).scaleb(-PLACES)
        self.n += len(run.numbers)
        self._numbers += run.numbers

    def bar(self, opens: datetime) -> Bar:
        """Return the bar of the trades so far."""
        return Bar(
            t_open=opens,
            t_close=opens + _MINUTE,
            o=self.o,
            h=self.h,
            l=self.l,
            c=self.c,
            v=self.v,
            vw=self.paid / self.v if self.v else None,
            n=self.n,
        )


class Run:
    """The newest trade of a symbol, and the trades in order that its open minute has to count.

    While it is open, a trade at or after `last` and before `end` (ms), with a greater sequence
    number and a price from `low` to `high`, changes nothing of its bar but close and volume.
    """

    __slots__ = (
        "_build", "_trade", "counted", "end", "high", "last", "low", "numbers",
    )  # fmt: skip

    last: Tick
    numbers: array[int]
    counted: int

    def __init__(self) -> None:
        self._trade: StreamTrade | None = None
        self._build: MinuteBuild | None = None
        self.low, self.high, self.end = inf, -inf, 0

    @property
    def trade(self) -> StreamTrade | None:
        """Return the newest trade, or None before the first."""
        return self._trade if self._build is None else trade_of(self.last)

    def set_trade(self, trade: StreamTrade) -> None:
        """Note the newest trade while closed."""
        self._trade = trade

    def open(self, build: MinuteBuild, opens: datetime, newest: Tick) -> None:
        """Count trades after `newest`, which is the last of the build, until its minute ends."""
        self._build, self.last = build, newest
        self.numbers, self.counted = _no_numbers(), 0
        self.end = (opens + _MINUTE - EPOCH) // _MS
        self.low, self.high = _within(build.l, inf), _within(build.h, -inf)

    def close(self, build: MinuteBuild | None = None) -> None:
        """Hand over what was counted; with a build only if it is the open one."""
        mine = self._build
        if mine is None or (build is not None and build is not mine):
            return
        self._trade = trade_of(self.last)
        if self.numbers:
            mine.add_run(self, self._trade)
        self._build = None
        self.low, self.high, self.end = inf, -inf, 0

    def stretch(self, row: Tick) -> bool:
        """Count a trade of any price and size; False unless it is next in the open minute."""
        build = self._build
        if build is None or not (self.last.t <= row.t < self.end and self.last.q < row.q):
            return False
        if row.p.exact > build.h:
            build.h, self.high = row.p.exact, row.p.number
        elif row.p.exact < build.l:
            build.l, self.low = row.p.exact, row.p.number
        self.numbers.append(row.q)
        self.last = row
        if row.ds is None:
            self.counted += row.p.weight * row.s
        else:
            build.v += row.ds
            build.paid += row.p.exact * row.ds
        return True


def follow(
    runs: Mapping[str, Run],
    rows: Iterable[Tick],
    excluded: frozenset[int],
    *,
    otherwise: Callable[[Tick], None],
) -> None:
    """Put each row into its run, and give `otherwise` those that need more care.

    Every step here is paid for by every trade.
    """
    for row in rows:
        try:
            run = runs[row.sym]
        except KeyError:
            otherwise(row)
            continue
        price, t = row.p, row.t
        if (
            run.low <= price.number <= run.high
            and run.last.t <= t < run.end
            and run.last.q < row.q
            and row.ds is None
            and (not row.c or excluded.isdisjoint(row.c))
        ):
            run.numbers.append(row.q)
            run.counted += price.weight * row.s
            run.last = row
        else:
            otherwise(row)


def key_of(trade: StreamTrade) -> _Key:
    """Return what orders the trades of a symbol and tells one from every other."""
    return trade.ts, trade.seq, trade.key


def _within(price: Decimal, toward: float) -> float:
    """Return the float of a price, or the next one inward where it has none of its own."""
    number = float(price)
    return number if Decimal(repr(number)) == price else nextafter(number, toward)
