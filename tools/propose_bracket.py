"""Owns the tool `propose_bracket`: an order with its stop and target as one card for a person."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.money import parse_decimal
from services.orders.bracket_ask import complete
from services.orders.draft import OrderDraft
from services.orders.proposal import summary
from services.orders.propose import propose
from tools.propose_order import ProposeOrderResult
from tools.registry import Args, DecimalText, Effect, SymbolText, cite_stored, tool
from tools.wording.figures import Cents, Exact

_PRICES = ("limit_price", "stop_price", "stop_loss", "take_profit")


class ProposeBracketArgs(Args):
    """An order and its exits, as the person asked for them."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["buy", "sell"] = Field("buy", description="Buy; sell protects what is held.")
    quantity: DecimalText = Field(description="Units: the person's number, or a size result's.")
    type: Literal["market", "limit", "stop"] = Field("market", description="Type of the buy.")
    limit_price: DecimalText | None = Field(None, description="Limit price of a limit buy.")
    stop_price: DecimalText | None = Field(None, description="Trigger price of a stop buy.")
    tif: Literal["day", "gtc"] = Field("day", description="How long the buy or the sale works.")
    stop_loss: DecimalText | None = Field(None, description="Exit at market once this trades.")
    take_profit: DecimalText | None = Field(None, description="Exit at this price or better.")
    basis_ref: str | None = Field(None, max_length=80, description="Ref whose stop and target fit.")


class ProposeBracketResult(ProposeOrderResult):
    """The pending card; `reward` is the gain if the target is reached, costs taken off."""

    stop_loss: Exact | None
    take_profit: Exact | None
    reward: Cents | None


@tool(effect=Effect.PROPOSE)
def propose_bracket(ctx: Context, args: ProposeBracketArgs) -> ProposeBracketResult:
    """Prepare a buy with its stop and target, or both for a position held, as one card."""
    made = propose(ctx, complete(ctx, _draft(args)), **ctx.origin)
    order = made.order
    money = {
        name: parse_decimal(made.risk[name]) for name in ("money", "reward") if name in made.risk
    }
    kept = ("symbol", "side", "quantity", "type", "basis_ref", "stop_loss")
    return ProposeBracketResult(
        **{name: getattr(made, name) for name in ("version", "status", "expires_at")},
        **{name: getattr(order, name) for name in kept},
        proposal_id=made.id,
        take_profit=order.limit_price if args.side == "sell" else order.take_profit,
        risk=money.get("money"),
        reward=money.get("reward"),
        summary=f"Prepared: {summary(made)}, {made.mode} account.",
        source=(cite_stored("quotes", made.quote, symbol=order.symbol),),
    )


def _draft(args: ProposeBracketArgs) -> OrderDraft:
    given = {name: getattr(args, name) for name in _PRICES}
    prices: dict[str, Any] = {name: parse_decimal(one) for name, one in given.items() if one}
    return OrderDraft(
        symbol=args.symbol.upper(),
        side=args.side,
        quantity=parse_decimal(args.quantity),
        type=args.type,
        tif=args.tif,
        basis_ref=args.basis_ref,
        **prices,
    )
