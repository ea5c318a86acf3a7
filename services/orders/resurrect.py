"""Owns the return of an order that was thought lost: its money is held again, all else stops."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.ledger.book import reserve
from services.ledger.tables import reservations
from services.orders.freeze import freeze
from services.orders.order import Order, Side, order_from_json


def take_back(ctx: Context, row: Row[Any]) -> None:
    """Hold back what the living order may still cost, and freeze everything for the owner.

    The hold was given back when its session ended. What is no longer free can not be held; that
    is on record, and a fill that the book can not pay becomes a dispute.
    """
    order = order_from_json(row.order_json)
    held = ctx.db.row(select(reservations.c.cash).where(reservations.c.order_id == row.id))
    if held is None:
        try:
            _hold(ctx, row, order)
        except Refusal as refusal:
            if refusal.kind is Kind.INTERNAL:
                raise
            audit.record(ctx, "order.not_held", row.id, code=refusal.code)
    freeze(ctx, f"order {row.id} was thought lost and is alive", subject=row.id)


def _hold(ctx: Context, row: Row[Any], order: Order) -> None:
    remaining = order.quantity - row.filled_quantity
    if order.side is Side.BUY:
        reserve(ctx, order.portfolio_id, row.id, cash=remaining * order.worst_price)
    else:
        listing = order.instrument_id
        reserve(ctx, order.portfolio_id, row.id, listing=listing, quantity=remaining)
