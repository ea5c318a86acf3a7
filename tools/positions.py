"""Owns the tool `positions`: what is held, at its mark."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.ledger.valuation import HeldValue, value
from tools.registry import Args, Effect, Result, cite, tool


class PositionsArgs(Args):
    """No arguments."""


class PositionRow(BaseModel):
    """One holding; values are absent while its price is missing."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    quantity: str
    average_cost: str
    last: str | None
    market_value: str | None
    unrealised: str | None
    provenance: str
    missing: str


class PositionsResult(Result):
    """The holdings by symbol."""

    positions: tuple[PositionRow, ...]
    currency: str


@tool(effect=Effect.READ)
def positions(ctx: Context, args: PositionsArgs) -> PositionsResult:  # noqa: ARG001 - a tool's shape
    """Return what the default portfolio holds, with average cost, mark and unrealised P&L."""
    worth = value(ctx, None)
    rows = tuple(_row(held) for held in worth.holdings)
    said = "\n".join(["You hold:", "", *(_line(row, worth.currency) for row in rows)])
    return PositionsResult(positions=rows, currency=worth.currency,
                           summary=said if rows else "You hold nothing.",
                           source=tuple(
                               cite("quotes", held, symbol=held.symbol, as_of=held.as_of)
                               for held in worth.holdings if held.as_of))


def _row(held: HeldValue) -> PositionRow:
    """Return one holding as text."""
    return PositionRow(
        symbol=held.symbol, quantity=decimal_text(held.quantity),
        average_cost=decimal_text(rounded(held.average_cost, 4)), missing=held.missing,
        last=decimal_text(held.last) if held.last is not None else None,
        market_value=f"{held.market_value:.2f}" if held.market_value is not None else None,
        unrealised=f"{held.unrealised:.2f}" if held.unrealised is not None else None,
        provenance=str(held.provenance))


def _line(row: PositionRow, currency: str) -> str:
    """Return one line of plain English about a holding."""
    if row.market_value is None or row.unrealised is None:
        return f"- {row.quantity} {row.symbol} at {row.average_cost}, no price ({row.missing})"
    way = "down" if row.unrealised.startswith("-") else "up"
    return (f"- {row.quantity} {row.symbol} at {row.average_cost}, last {row.last}, worth "
            f"{row.market_value} {currency}, {way} {row.unrealised.lstrip('-')} ({row.provenance})")
