"""Owns the look at the rows: orders, cards and holdings of the acting person as they stand now."""

from __future__ import annotations

from agent.reality import Card, Deal, Reality
from services.kit.context import Context
from services.ledger.holding import positions
from services.ledger.portfolio import list_portfolios
from services.orders.proposal import list_proposals
from services.orders.store import list_orders

_ORDERS_MAX = 50
_CARDS_MAX = 30


def look(ctx: Context) -> Reality:
    """Return the newest orders and cards, oldest first, and all holdings; reads only."""
    deals = tuple(
        Deal(
            order_id=view.id,
            symbol=view.order.symbol,
            side=view.order.side.value,
            quantity=view.order.quantity,
            filled_quantity=view.filled_quantity,
            state=view.state.value,
        )
        for view in reversed(list_orders(ctx, limit=_ORDERS_MAX))
    )
    cards = tuple(
        Card(
            proposal_id=card.id,
            symbol=card.order.symbol,
            side=card.order.side.value,
            quantity=card.order.quantity,
            status=card.status.value,
        )
        for card in reversed(list_proposals(ctx, limit=_CARDS_MAX))
        if card.user_id == ctx.principal.user_id
    )
    held = tuple(
        (holding.symbol, holding.quantity)
        for portfolio in list_portfolios(ctx)
        for holding in positions(ctx, portfolio.id)
    )
    return Reality(deals=deals, cards=cards, held=held)
