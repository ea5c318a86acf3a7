"""Owns the tool `portfolio`: cash, equity, today's result and the holdings."""

from __future__ import annotations

from services.kit.context import Context
from services.ledger.valuation import value
from tools.registry import Args, Effect, Result, cite_held, tool
from tools.wording.book import book_sentence
from tools.wording.figures import Cents, Exact, Moment, Row, UnitCost


class PortfolioArgs(Args):
    """No arguments."""


class HoldingRow(Row):
    """One holding; values are absent while its price is missing."""

    symbol: str
    quantity: Exact
    average_cost: UnitCost
    last: Exact | None
    market_value: Cents | None
    unrealised: Cents | None


class PortfolioResult(Result):
    """The portfolio at one market time; totals are absent while a price is missing."""

    currency: str
    cash: Cents
    available: Cents
    equity: Cents | None
    day_pnl: Cents | None
    unrealised: Cents | None
    as_of: Moment
    holdings: tuple[HoldingRow, ...]


@tool(effect=Effect.READ)
def portfolio(ctx: Context, args: PortfolioArgs) -> PortfolioResult:  # noqa: ARG001 - a tool's shape
    """Return the default portfolio: cash, equity, today's result and every holding."""
    worth = value(ctx, None)
    return PortfolioResult(
        currency=worth.currency,
        cash=worth.cash.posted.amount,
        available=worth.cash.available.amount,
        equity=worth.equity,
        day_pnl=worth.day_pnl,
        unrealised=worth.unrealised,
        as_of=worth.as_of,
        holdings=tuple(HoldingRow.model_validate(held) for held in worth.holdings),
        flags=worth.flags,
        summary=book_sentence(worth),
        source=cite_held(worth.holdings),
    )
