"""Owns the equity curve of a backtest: booked cash and open trades at the close of each session."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from services.kit.money import from_float, rounded
from services.ledger.performance_math import (
    ReturnStats,
    TradeStats,
    annual_growth,
    max_drawdown,
    return_stats,
    returns_of,
    total_return,
    trade_stats,
)
from services.research.booking import Book, OpenTrade, in_order
from services.research.outcome import WHOLE, Outcome
from services.research.series import Series

_CENTS = 2
_PLACES = 6


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """Equity after the last bar of a day that ends by `ts`."""

    ts: datetime
    equity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What the account did. Fractions at 6 decimals; null where the figure is undefined.

    `exposure` is the share of bars in which a position was open, over all symbols.
    """

    start: Decimal
    end: Decimal
    total_return: Decimal | None
    max_drawdown: Decimal | None
    cagr: Decimal | None
    exposure: Decimal | None
    ratios: ReturnStats
    trades: TradeStats


def run_books(
    book: Book, outcomes: Sequence[Outcome], series: Mapping[str, Series]
) -> list[EquityPoint]:
    """Book every event in the order of time and return the equity at the end of each day.

    A trade over a split is marked at its entry until it ends: its units are in older terms.
    """
    points, events, at = [], in_order(outcomes), 0
    for ts in _day_ends(series.values()):
        while at < len(events) and events[at][0] <= ts:
            _apply(book, outcomes, events[at])
            at += 1
        equity = book.cash
        for symbol, held in book.open.items():
            equity += _open_pnl(held, series[symbol], ts)
        points.append(EquityPoint(ts, rounded(equity, _CENTS)))
    for event in events[at:]:
        _apply(book, outcomes, event)
    return points


def _apply(book: Book, outcomes: Sequence[Outcome], event: tuple[datetime, int, int, int]) -> None:
    _, kind, number, leg = event
    if kind:
        book.enter(outcomes[number])
    else:
        book.leave(outcomes[number], leg)


def _open_pnl(held: OpenTrade, series: Series, ts: datetime) -> Decimal:
    count = bisect_right(series.closes, ts)
    if not count or any(one.factor is not WHOLE for one in held.outcome.leaves):
        return Decimal(0)
    return held.open_pnl(series.bars[count - 1].c)


def _day_ends(series: Iterable[Series]) -> list[datetime]:
    """Return the last close of every day of any symbol, ascending."""
    ends: dict[date, datetime] = {}
    for one in series:
        for day, ts in one.day_ends.items():
            ends[day] = max(ends.get(day, ts), ts)
    return sorted(ends.values())


def performance(
    book: Book, points: Sequence[EquityPoint], *, exposure: Decimal | None
) -> Performance:
    """Return the account's figures, by the same functions as those of the ledger."""
    start = book.config.size.start_cash
    levels = [start, *(point.equity for point in points)]
    days = (points[-1].ts - points[0].ts) // timedelta(days=1) if points else 0
    fall, grown = max_drawdown(levels), total_return(start, levels[-1])
    return Performance(
        start=start,
        end=levels[-1],
        total_return=None if grown is None else rounded(grown, _PLACES),
        max_drawdown=None if fall is None else rounded(fall, _PLACES),
        cagr=annual_growth(start, levels[-1], days),
        exposure=exposure,
        ratios=return_stats(returns_of(levels)) if min(levels) > 0 else return_stats([]),
        trades=trade_stats([trade.pnl for trade in book.trades]),
    )


def share_exposed(held: int, bars: int) -> Decimal | None:
    """Return the share of bars with an open position, 6 decimals; None without a bar."""
    return from_float(held / bars, _PLACES) if bars else None
