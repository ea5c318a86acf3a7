"""Owns the tool `portfolio`: cash, equity, today's result and the holdings."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.ledger.valuation import Valuation, value
from tools.registry import Args, Effect, Result, cite, tool


class PortfolioArgs(Args):
    """No arguments."""


class HoldingRow(BaseModel):
    """One holding; values are absent while its price is missing."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    quantity: str
    average_cost: str
    last: str | None
    market_value: str | None
    unrealised: str | None


class PortfolioResult(Result):
    """The portfolio at one market time; totals are absent while a price is missing."""

    currency: str
    cash: str
    available: str
    equity: str | None
    day_pnl: str | None
    unrealised: str | None
    as_of: str
    holdings: tuple[HoldingRow, ...]


@tool(effect=Effect.READ)
def portfolio(ctx: Context, args: PortfolioArgs) -> PortfolioResult:  # noqa: ARG001 - a tool's shape
    """Return the default portfolio: cash, equity, today's result and every holding."""
    worth = value(ctx, None)
    rows = tuple(HoldingRow(
        symbol=held.symbol, quantity=decimal_text(held.quantity), last=_text(held.last),
        average_cost=decimal_text(rounded(held.average_cost, 4)),
        market_value=_money(held.market_value), unrealised=_money(held.unrealised))
        for held in worth.holdings)
    return PortfolioResult(
        currency=worth.currency, cash=f"{worth.cash.posted.amount:.2f}",
        available=f"{worth.cash.available.amount:.2f}", equity=_money(worth.equity),
        day_pnl=_money(worth.day_pnl), unrealised=_money(worth.unrealised),
        as_of=instant_text(worth.as_of), holdings=rows, flags=worth.flags,
        summary=_sentence(worth, rows), source=tuple(
            cite("quotes", held, symbol=held.symbol, as_of=held.as_of)
            for held in worth.holdings if held.as_of))


def _sentence(worth: Valuation, rows: tuple[HoldingRow, ...]) -> str:
    unit = worth.currency
    head = f"Cash {worth.cash.posted.amount:.2f} {unit}"
    if worth.equity is not None and worth.day_pnl is not None:
        way = "down" if worth.day_pnl < 0 else "up"
        head = (f"Equity {worth.equity:.2f} {unit}, {way} {abs(worth.day_pnl):.2f} today; cash "
                f"{worth.cash.posted.amount:.2f}, of it {worth.cash.available.amount:.2f} free")
    lines = [f"- {row.quantity} {row.symbol} at {row.average_cost}, last {row.last}, worth "
             f"{row.market_value}, unrealised {row.unrealised}" for row in rows]
    return f"{head}. You hold nothing." if not rows else "\n".join([f"{head}. You hold:", "", *lines])


def _text(value_: Decimal | None) -> str | None:
    return None if value_ is None else decimal_text(value_)


def _money(value_: Decimal | None) -> str | None:
    return None if value_ is None else f"{value_:.2f}"
