"""Owns the tool `positions`: what is held, at its mark."""

from __future__ import annotations

from services.kit.context import Context
from services.ledger.valuation import value
from tools.registry import Args, Effect, Result, cite_held, tool
from tools.wording.book import held_sentence
from tools.wording.figures import Cents, Exact, Row, UnitCost


class PositionsArgs(Args):
    """No arguments."""


class PositionRow(Row):
    """One holding; values are absent while its price is missing."""

    symbol: str
    quantity: Exact
    average_cost: UnitCost
    last: Exact | None
    market_value: Cents | None
    unrealised: Cents | None
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
    return PositionsResult(
        positions=tuple(PositionRow.model_validate(held) for held in worth.holdings),
        currency=worth.currency,
        summary=held_sentence(worth),
        source=cite_held(worth.holdings),
    )
