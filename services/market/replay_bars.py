"""Owns the replayed bars and trades of one instrument: nothing later than the given `as_of`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice

from services.market.bar import Bar
from services.market.corporate_action import split_factor, splits_of
from services.market.feed import Tick
from services.market.history.bundle import History
from services.market.history.layout import SCALE, DayRow
from services.market.instrument import tick_size
from services.market.path import MinuteBar, session_path
from services.market.session import Session, get_session
from services.market.tick import PathTick, minute_ticks

_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = timedelta(minutes=1)
INTRADAY_SESSIONS_MAX = 250
"""How far back intraday bars reach: a year of sessions, which takes about half a second."""


@dataclass(frozen=True, slots=True)
class ReplayDay:
    """One session of one instrument, with the steps its simulated course is made of."""

    symbol: str
    session: Session
    row: DayRow
    tick: int

    def path(self) -> tuple[MinuteBar, ...]:
        """Return the traded minutes of the whole session; callers cut them at their `as_of`."""
        return session_path(self.symbol, self.row, self.session.minutes, self.tick)

    def ticks(self, bar: MinuteBar) -> tuple[PathTick, ...]:
        """Return the trades of one of its minutes."""
        return minute_ticks(self.symbol, self.session.date, bar, self.tick)

    def seen(self, as_of: datetime) -> list[MinuteBar]:
        """Return the minutes up to `as_of`; the last may be in progress, cut at its last trade."""
        elapsed_ms = (as_of - self.session.open) // _MILLISECOND
        path = self.path()
        whole = bisect_right(path, elapsed_ms // 60_000 - 1, key=lambda bar: bar.minute)
        bars = list(path[:whole])
        if whole < len(path):
            so_far = [tick for tick in self.ticks(path[whole]) if tick.at_ms <= elapsed_ms]
            if so_far:
                bars.append(_in_progress(path[whole].minute, so_far))
        return bars

    def last_tick(self, as_of: datetime) -> PathTick | None:
        """Return the last trade at or before `as_of`, None when there is none yet."""
        elapsed_ms = (as_of - self.session.open) // _MILLISECOND
        path = self.path()
        begun = bisect_right(path, elapsed_ms // 60_000, key=lambda bar: bar.minute)
        for bar in reversed(path[:begun]):
            for tick in reversed(self.ticks(bar)):
                if tick.at_ms <= elapsed_ms:
                    return tick
        return None


def _in_progress(minute: int, ticks: Sequence[PathTick]) -> MinuteBar:
    prices = [tick.price for tick in ticks]
    return MinuteBar(
        minute, prices[0], max(prices), min(prices), prices[-1], sum(tick.size for tick in ticks)
    )


def build_day(history: History, row: DayRow) -> ReplayDay:
    """Return one row of the history as a day that can be replayed."""
    instrument = history.instrument
    session = get_session(instrument.calendar, row.date)
    step = tick_size(instrument, price_of(row.l), row.date) * SCALE
    return ReplayDay(instrument.symbol, session, row, int(step))


def days_until(history: History, as_of: datetime) -> Iterator[ReplayDay]:
    """Yield the days that have opened by `as_of`, the newest first."""
    for at in range(history.until(as_of.date()), 0, -1):
        day = build_day(history, history.rows[at - 1])
        if day.session.open <= as_of:
            yield day


def price_of(units: int) -> Decimal:
    """Return a price in dollars from 1/10000: with cents, or four decimals where it has parts."""
    if units % 100 == 0:
        return Decimal(units // 100).scaleb(-2)
    return Decimal(units).scaleb(-4)


def daily_bars(
    history: History, as_of: datetime, count: int, *, include_partial: bool = False
) -> list[Bar]:
    """Return the newest `count` daily bars, adjusted for the splits that `as_of` has reached.

    A session counts from its close on; the one in progress comes only with `include_partial`,
    drawn from its minutes so far.
    """
    found: list[Bar] = []
    for day in days_until(history, as_of):
        if len(found) == count:
            break
        complete = day.session.close <= as_of
        if complete:
            whole = MinuteBar(0, day.row.o, day.row.h, day.row.l, day.row.c, day.row.v)
        elif include_partial and (seen := day.seen(as_of)):
            whole = _merge(seen)
        else:
            continue
        span = (day.session.open, day.session.close)
        found.append(_bar(whole, span, _factor(history, day, as_of), complete=complete))
    return found[::-1]


def intraday_bars(
    history: History, as_of: datetime, minutes: int, count: int, *, include_partial: bool = False
) -> list[Bar]:
    """Return the newest `count` bars of `minutes`, anchored at each session's open.

    A bar is complete when `as_of` has reached its end. A span without trades has no bar. They
    reach back `INTRADAY_SESSIONS_MAX` sessions at most.
    """
    found: list[Bar] = []
    for day in islice(days_until(history, as_of), INTRADAY_SESSIONS_MAX):
        if len(found) >= count:
            break
        factor = _factor(history, day, as_of)
        session: list[Bar] = []
        for number, group in _grouped(day.seen(as_of), minutes):
            opens = day.session.open + number * minutes * _MINUTE
            closes = min(opens + minutes * _MINUTE, day.session.close)
            if closes <= as_of or include_partial:
                session.append(
                    _bar(_merge(group), (opens, closes), factor, complete=closes <= as_of)
                )
        found = session + found
    return found[-count:]


def _grouped(path: Sequence[MinuteBar], minutes: int) -> Iterator[tuple[int, list[MinuteBar]]]:
    groups: dict[int, list[MinuteBar]] = {}
    for bar in path:
        groups.setdefault(bar.minute // minutes, []).append(bar)
    yield from groups.items()


def _merge(group: Sequence[MinuteBar]) -> MinuteBar:
    return MinuteBar(
        group[0].minute,
        group[0].o,
        max(bar.h for bar in group),
        min(bar.l for bar in group),
        group[-1].c,
        sum(bar.v for bar in group),
    )


def _factor(history: History, day: ReplayDay, as_of: datetime) -> Fraction:
    return split_factor(splits_of(history.instrument.symbol), day.session.date, as_of)


def _bar(
    whole: MinuteBar, span: tuple[datetime, datetime], factor: Fraction, *, complete: bool
) -> Bar:
    def price(units: int) -> Decimal:
        if factor == 1:
            return price_of(units)
        return price_of(units) * factor.denominator / factor.numerator

    return Bar(
        t_open=span[0],
        t_close=span[1],
        o=price(whole.o),
        h=price(whole.h),
        l=price(whole.l),
        c=price(whole.c),
        complete=complete,
        v=Decimal(whole.v) * factor.numerator / factor.denominator,
    )


def trades_between(history: History, after: datetime, until: datetime) -> list[Tick]:
    """Return the trades with `after < ts <= until`, ascending, as traded (not adjusted)."""
    found: list[Tick] = []
    first, last = history.until(after.date() - timedelta(days=1)), history.until(until.date())
    for row in history.rows[first:last]:
        day = build_day(history, row)
        low_ms = (after - day.session.open) // _MILLISECOND
        high_ms = (until - day.session.open) // _MILLISECOND
        for bar in day.path():
            if low_ms < (bar.minute + 1) * 60_000 and bar.minute * 60_000 <= high_ms:
                found += [
                    trade_of(day.session, tick)
                    for tick in day.ticks(bar)
                    if after < _at(day.session, tick) <= until
                ]
    return found


def _at(session: Session, tick: PathTick) -> datetime:
    return session.open + tick.at_ms * _MILLISECOND


def trade_of(session: Session, tick: PathTick) -> Tick:
    """Return a simulated trade in dollars, with its time."""
    return Tick(
        _at(session, tick),
        price_of(tick.price),
        Decimal(tick.size),
        price_of(tick.bid),
        price_of(tick.ask),
    )


def first_open(history: History) -> datetime:
    """Return when the instrument first trades in this history."""
    return get_session(history.instrument.calendar, history.days[0]).open
