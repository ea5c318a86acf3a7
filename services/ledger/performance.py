"""Owns how a portfolio did: its closed trades, its equity series, and the figures over both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import select

from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.money import rounded
from services.ledger.performance_math import (
    TradeStats,
    annual_growth,
    return_stats,
    returns_of,
    trade_stats,
)
from services.ledger.portfolio import get_portfolio
from services.ledger.position import ZERO
from services.ledger.tables import ledger_batches, trades, valuations
from services.ledger.valuation import Valuation, flows_since, grow, newest_row, value

HISTORY_MAX = 1000
POINTS_MAX = 2000
Basis = Literal["round_trip", "fill"]


@dataclass(frozen=True, slots=True)
class Trade:
    """One closing fill with its realised profit or loss, fees of both sides included."""

    seq: int
    listing: str
    symbol: str
    quantity: Decimal
    price: Decimal | None
    proceeds: Decimal
    cost: Decimal
    pnl: Decimal
    order_id: str
    exec_id: str
    opened_seq: int
    opened_at: datetime | None
    closed_at: datetime
    flat: bool
    provenance: str


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """The equity at one minute of market time; `kind` is start, minute or close."""

    at: datetime
    kind: str
    cash: Decimal
    market_value: Decimal
    equity: Decimal
    flow: Decimal
    provenance: str


@dataclass(frozen=True, slots=True)
class History:
    """Closed trades, newest first, and the equity series, oldest first; both bounded."""

    portfolio_id: str
    currency: str
    trades: tuple[Trade, ...]
    points: tuple[EquityPoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Figures since the portfolio was opened; undefined ones are None and a flag says why."""

    portfolio_id: str
    currency: str
    as_of: datetime
    basis: Basis
    equity: Decimal | None
    realised: Decimal
    unrealised: Decimal | None
    total_return: Decimal | None
    max_drawdown: Decimal | None
    sharpe: Decimal | None
    sortino: Decimal | None
    annual_volatility: Decimal | None
    cagr: Decimal | None
    closed: TradeStats
    days: int
    provenance: str
    source: str
    flags: tuple[str, ...]


def history(ctx: Context, portfolio_id: str | None = None, *, limit: int = 200) -> History:
    """Return the newest `limit` closed trades and the newest equity points.

    Raises `PARAM_INVALID` for a limit outside 1 to 1000, and `PORTFOLIO_UNKNOWN`.
    """
    if not 1 <= limit <= HISTORY_MAX:
        raise refuse(
            "PARAM_INVALID",
            field="limit",
            name="limit",
            value=limit,
            rule=f"must be 1 to {HISTORY_MAX}",
        )
    portfolio = get_portfolio(ctx, portfolio_id)
    rows = ctx.db.rows(
        select(valuations)
        .where(valuations.c.portfolio_id == portfolio.id)
        .order_by(valuations.c.era.desc(), valuations.c.at.desc(), valuations.c.kind)
        .limit(POINTS_MAX)
    )
    return History(
        portfolio.id,
        portfolio.base_currency,
        tuple(reversed(closed_trades(ctx, portfolio.id)[-limit:])),
        tuple(_point(row) for row in reversed(rows)),
    )


def closed_trades(ctx: Context, portfolio_id: str) -> list[Trade]:
    """Return every closing fill that stands, in order; reversed ones and reversals are left out."""
    undone: set[int] = set()
    for row in ctx.db.rows(
        select(ledger_batches.c.seq, ledger_batches.c.reverses_seq)
        .where(
            ledger_batches.c.portfolio_id == portfolio_id,
            ledger_batches.c.reverses_seq.is_not(None),
        )
        .order_by(ledger_batches.c.seq)
    ):
        undone |= {row.seq, row.reverses_seq}
    rows = ctx.db.rows(
        select(trades).where(trades.c.portfolio_id == portfolio_id).order_by(trades.c.seq)
    )
    return [_trade(row) for row in rows if row.seq not in undone]


def round_trips(closed: Sequence[Trade]) -> list[Decimal]:
    """Return the profit or loss of each completed flat-to-flat group, in order of completion.

    Worked: 837.40 and then -361.40 to flat is one round trip of 476.00.
    """
    sums: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    done: list[Decimal] = []
    for trade in closed:
        key = (trade.listing, trade.opened_seq)
        sums[key] += trade.pnl
        if trade.flat:
            done.append(sums.pop(key))
    return done


def performance(
    ctx: Context, portfolio_id: str | None = None, *, basis: Basis = "round_trip"
) -> Performance:
    """Return the figures of the portfolio up to now, fractions at 6 decimals half-even.

    Returns are time-weighted, so money from outside is no gain. Ratios use the daily closes.
    `basis` says what counts as one trade for win rate and profit factor: a flat-to-flat round
    trip, or each closing fill. Raises `PARAM_INVALID` and `PORTFOLIO_UNKNOWN`.
    """
    if basis not in ("round_trip", "fill"):
        raise refuse(
            "PARAM_INVALID",
            field="basis",
            name="basis",
            value=str(basis)[:40],
            rule="must be round_trip or fill",
        )
    now = value(ctx, portfolio_id)
    closed = closed_trades(ctx, now.portfolio_id)
    pnl = round_trips(closed) if basis == "round_trip" else [trade.pnl for trade in closed]
    stats = trade_stats(pnl)
    daily = return_stats(_daily_returns(ctx, now.portfolio_id))
    total, deepest = _course(ctx, now)
    days = _days(ctx, now)
    return Performance(
        portfolio_id=now.portfolio_id,
        currency=now.currency,
        as_of=now.as_of,
        basis=basis,
        equity=now.equity,
        realised=sum((trade.pnl for trade in closed), ZERO),
        unrealised=now.unrealised,
        total_return=total,
        max_drawdown=deepest,
        sharpe=daily.sharpe,
        sortino=daily.sortino,
        annual_volatility=daily.annual_volatility,
        cagr=None if total is None else annual_growth(Decimal(1), 1 + total, days),
        closed=stats,
        days=days,
        provenance=now.provenance,
        source=now.source,
        flags=tuple(sorted({*now.flags, *stats.flags, *daily.flags})),
    )


def _course(ctx: Context, now: Valuation) -> tuple[Decimal | None, Decimal | None]:
    """Return total return and deepest drawdown, the present moment included."""
    if now.equity is None:
        return None, None
    last = newest_row(ctx, now.portfolio_id)
    flow = flows_since(ctx, now.portfolio_id, last.last_seq if last else 0)
    course = grow(last, now.equity, flow)
    return rounded(course.growth - 1, 6), rounded(course.drawdown_max, 6)


def _daily_returns(ctx: Context, portfolio_id: str) -> list[float]:
    rows = ctx.db.rows(
        select(valuations.c.growth)
        .where(valuations.c.portfolio_id == portfolio_id, valuations.c.kind == "close")
        .order_by(valuations.c.era, valuations.c.at)
    )
    return returns_of([Decimal(1), *(row.growth for row in rows)])


def _days(ctx: Context, now: Valuation) -> int:
    first = ctx.db.scalar(
        select(valuations.c.as_of)
        .where(valuations.c.portfolio_id == now.portfolio_id)
        .order_by(valuations.c.era, valuations.c.at)
        .limit(1)
    )
    return 0 if first is None else max(0, (now.as_of - first).days)


def _trade(row: Any) -> Trade:
    return Trade(
        row.seq,
        row.listing,
        row.symbol,
        row.quantity,
        row.price,
        row.proceeds,
        row.cost,
        row.pnl,
        row.order_id,
        row.exec_id,
        row.opened_seq,
        row.opened_at,
        row.closed_at,
        bool(row.flat),
        row.provenance,
    )


def _point(row: Any) -> EquityPoint:
    return EquityPoint(
        row.at, row.kind, row.cash, row.market_value, row.equity, row.flow, row.provenance
    )
