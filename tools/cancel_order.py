"""Owns the tool `cancel_order`: a cancel as a card that waits for a person."""

from __future__ import annotations

from pydantic import Field

from services.kit.clock import instant_text
from services.kit.context import Context
from services.orders.proposal import summary
from services.orders.propose import propose_cancel
from tools.registry import Args, Effect, Result, tool


class CancelOrderArgs(Args):
    """Which order."""

    order_id: str = Field(
        min_length=4,
        max_length=60,
        pattern=r"^[A-Za-z0-9_-]{4,60}$",
        description="Id of an open order, from the tool orders.",
    )


class CancelOrderResult(Result):
    """The pending card of the cancel."""

    proposal_id: str
    order_id: str
    status: str
    expires_at: str


@tool(effect=Effect.PROPOSE)
def cancel_order(ctx: Context, args: CancelOrderArgs) -> CancelOrderResult:
    """Prepare the cancel of one open order as a card for the person to confirm."""
    made = propose_cancel(ctx, args.order_id, **ctx.origin)
    return CancelOrderResult(
        proposal_id=made.id,
        order_id=args.order_id,
        status=made.status.value,
        expires_at=instant_text(made.expires_at),
        summary=f"Prepared: {summary(made)}.",
    )
