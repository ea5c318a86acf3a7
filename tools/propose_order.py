"""Owns the tool `propose_order`: an order as a card that waits for a person."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.money import parse_decimal
from services.orders.draft import OrderDraft
from services.orders.proposal import summary
from services.orders.propose import propose
from services.trade import advice
from tools.registry import Args, DecimalText, Effect, Result, SymbolText, cite_stored, tool
from tools.wording.figures import Cents, Exact, Moment


class ProposeOrderArgs(Args):
    """One order, as the person asked for it."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["buy", "sell"] = Field(description="Buy, or sell what is held.")
    quantity: DecimalText = Field(description="Units: the person's number, or a size result's.")
    type: Literal["market", "limit", "stop"] = Field(description="Order type.")
    limit_price: DecimalText | None = Field(None, description="Limit price of a limit order.")
    stop_price: DecimalText | None = Field(None, description="Trigger price of a stop order.")
    tif: Literal["day", "gtc"] = Field(description="Day, or good till cancelled.")
    basis_ref: str | None = Field(None, max_length=80, description="Ref of the size or plan.")


class ProposeOrderResult(Result):
    """The pending card. It holds no token: only a person's own surface can confirm."""

    proposal_id: str
    version: int
    status: str
    expires_at: Moment
    symbol: str
    side: str
    quantity: Exact
    type: str
    basis_ref: str | None
    risk: Cents | None


@tool(effect=Effect.PROPOSE)
def propose_order(ctx: Context, args: ProposeOrderArgs) -> ProposeOrderResult:
    """Prepare one order as a card for the person to confirm. It sends nothing."""
    made = propose(ctx, _draft(ctx, args), **ctx.origin)
    order, seen = made.order, made.quote
    risk = parse_decimal(made.risk["money"]) if "money" in made.risk else None
    measured = "" if risk is None else f", risk to the stop {risk:.2f} {order.currency}"
    kept = ("symbol", "side", "quantity", "type", "basis_ref")
    return ProposeOrderResult(
        **{name: getattr(made, name) for name in ("version", "status", "expires_at")},
        **{name: getattr(order, name) for name in kept},
        proposal_id=made.id,
        risk=risk,
        summary=f"Prepared: {summary(made)}, {made.mode} account{measured}.",
        source=(cite_stored("quotes", seen, symbol=order.symbol),),
    )


def _draft(ctx: Context, args: ProposeOrderArgs) -> OrderDraft:
    basis = advice.find(ctx, args.basis_ref) if args.basis_ref else None
    if args.basis_ref and (basis is None or basis.symbol != args.symbol.upper()):
        raise refuse("PROVENANCE_REFUSED", field="basis_ref", value=args.basis_ref)
    return OrderDraft(
        symbol=args.symbol.upper(),
        side=args.side,
        quantity=parse_decimal(args.quantity),
        type=args.type,
        tif=args.tif,
        limit_price=parse_decimal(args.limit_price) if args.limit_price else None,
        stop_price=parse_decimal(args.stop_price) if args.stop_price else None,
        protective_stop=basis.number("stop") if basis and basis.opens == args.side else None,
        basis_ref=basis.ref if basis else None,
    )
