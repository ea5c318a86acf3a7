"""Owns the tool `fills`: the newest executions, exactly as they were posted."""

from __future__ import annotations

from pydantic import Field

from services.kit.clock import instant_text
from services.kit.context import Context
from services.orders.store import FillView, list_fills
from tools.registry import Args, Effect, Result, Source, tool
from tools.wording.account import fills_sentence
from tools.wording.figures import Cents, Exact, Moment, Row


class FillsArgs(Args):
    """How many of the newest."""

    limit: int = Field(20, ge=1, le=50, description="How many of the newest fills.")


class FillRow(Row):
    """One posted execution; `commission` is in `currency`."""

    id: str
    order_id: str
    symbol: str
    side: str
    quantity: Exact
    price: Exact
    commission: Cents
    currency: str
    provenance: str
    at: Moment
    corrected: str


class FillsResult(Result):
    """The fills, newest first."""

    fills: tuple[FillRow, ...]


@tool(effect=Effect.READ)
def fills(ctx: Context, args: FillsArgs) -> FillsResult:
    """Return the newest fills: what was really bought or sold, at which price and commission."""
    found = list_fills(ctx, limit=args.limit)
    return FillsResult(
        fills=tuple(FillRow.model_validate(one) for one in found),
        summary=fills_sentence(found),
        source=tuple(_cite(one) for one in {one.symbol: one for one in reversed(found)}.values()),
    )


def _cite(newest: FillView) -> Source:
    return Source(
        provider=newest.broker,
        dataset="fills",
        symbol=newest.symbol,
        as_of=instant_text(newest.at),
        provenance=newest.provenance,
    )
