"""Owns the tool `replace_order`: new terms for a working order, as a card for a person."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.money import parse_decimal
from services.orders.change import before_change, terms_words
from services.orders.replace import NewTerms, propose_replace
from tools.registry import Args, DecimalText, Effect, Result, cite_stored, tool
from tools.wording.figures import Exact, Moment


class ReplaceOrderArgs(Args):
    """Which order, and what of it is to be different."""

    order_id: str = Field(
        min_length=4,
        max_length=60,
        pattern=r"^[A-Za-z0-9_-]{4,60}$",
        description="Id of a working order, from the tool orders.",
    )
    type: Literal["limit", "stop"] | None = Field(None, description="New type; null stays.")
    limit_price: DecimalText | None = Field(None, description="New limit: the person's number.")
    stop_price: DecimalText | None = Field(None, description="New stop: the person's number.")
    tif: Literal["day", "gtc"] | None = Field(None, description="New time in force; null stays.")


class ReplaceOrderResult(Result):
    """The pending card of the change; symbol, side and quantity stay as they are."""

    proposal_id: str
    order_id: str
    status: str
    expires_at: Moment
    symbol: str
    side: str
    quantity: Exact
    before: str
    after: str


@tool(effect=Effect.PROPOSE)
def replace_order(ctx: Context, args: ReplaceOrderArgs) -> ReplaceOrderResult:
    """Prepare a change of a working order's price, type or time as a card. It sends nothing."""
    terms = NewTerms(
        type=args.type,
        limit_price=parse_decimal(args.limit_price) if args.limit_price else None,
        stop_price=parse_decimal(args.stop_price) if args.stop_price else None,
        tif=args.tif,
    )
    made = propose_replace(ctx, args.order_id, terms, **ctx.origin)
    order, before = made.order, terms_words(before_change(ctx, made.id))
    after, name = terms_words(order), f"{order.side} {order.quantity} {order.symbol}"
    return ReplaceOrderResult(
        proposal_id=made.id,
        order_id=args.order_id,
        status=made.status.value,
        expires_at=made.expires_at,
        **{name: getattr(order, name) for name in ("symbol", "side", "quantity")},
        before=before,
        after=after,
        summary=f"Prepared: change {name} from {before} to {after}, {made.mode} account.",
        source=(cite_stored("quotes", made.quote, symbol=order.symbol),),
    )
