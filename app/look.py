"""Owns how the coach learns what is so: orders, cards, holdings and watchlists as rows say now."""

from __future__ import annotations

from agent.reality import Card, Deal, Reality
from services.kit.context import Context
from services.ledger import holding, portfolio
from services.orders import proposal, store
from services.watchlist import symbols_watched

_DEALS_MAX, _CARDS_MAX = 50, 20


def look(ctx: Context) -> Reality:
    """Return the acting person's orders and cards, oldest first, what is held and watched."""
    deals = tuple(
        Deal(
            order_id=one.id,
            symbol=one.symbol,
            side=one.side,
            quantity=one.quantity,
            filled_quantity=one.filled_quantity,
            state=one.state.value,
        )
        for one in reversed(store.list_orders(ctx, limit=_DEALS_MAX))
    )
    cards = tuple(
        Card(
            proposal_id=one.id,
            symbol=one.order.symbol,
            side=one.order.side.value,
            quantity=one.order.quantity,
            status=one.status.value,
        )
        for one in reversed(proposal.list_proposals(ctx, limit=_CARDS_MAX))
    )
    held = tuple(
        (line.symbol, line.quantity)
        for mine in portfolio.list_portfolios(ctx)
        for line in holding.positions(ctx, mine.id)
    )
    return Reality(deals=deals, cards=cards, held=held, watched=symbols_watched(ctx))
