"""Owns how the paper broker's book speaks of an order, and how its row takes new terms."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.orders.broker import BrokerFill, BrokerStatus, BrokerView, Change
from services.orders.order import OrderType, Tif
from services.orders.paper_tables import paper_fills, paper_orders

_FILLS = (
    select(paper_fills)
    .where(paper_fills.c.paper_order_id == bindparam("of_order"))
    .order_by(paper_fills.c.number)
)


def view_of(ctx: Context, row: Row[Any]) -> BrokerView:
    """Return what the book says of an order: its standing, its fills and its terms."""
    rows = ctx.db.rows(_FILLS, of_order=row.id) if row.filled_quantity else ()
    made = tuple(
        BrokerFill(
            exec_id=fill.exec_id,
            quantity=fill.quantity,
            price=fill.price,
            commission=fill.commission,
            at=fill.at,
            provenance=fill.provenance,
        )
        for fill in rows
    )
    return BrokerView(
        client_order_id=row.client_order_id,
        broker_order_id=row.id,
        status=BrokerStatus(row.status),
        fills=made,
        reason=row.reason,
        terms=_terms(row),
    )


def take_terms(ctx: Context, row: Row[Any], change: Change, as_of: datetime) -> None:
    """Let a working order stand on new terms from `as_of` on, with the latency of a new order.

    A day order ends with the session of `as_of`. What it has filled and seen of the tape stays.
    """
    worst = change.limit_price if change.limit_price is not None else change.stop_price
    limit = change.limit_price if change.type is OrderType.LIMIT else None
    ctx.db.change(
        update(paper_orders)
        .where(paper_orders.c.id == row.id)
        .values(
            type=change.type.value,
            tif=change.tif.value,
            limit_price=limit,
            stop_price=change.stop_price,
            worst_price=worst,
            triggered=0,
            accepted_at=as_of,
            live_at=as_of + timedelta(milliseconds=ctx.policy.paper.latency_ms),
            seen_until=as_of,
        )
    )


def _terms(row: Row[Any]) -> Change:
    """Return the terms of an order; the stop of a buy stands with its price band as a limit."""
    banded = row.type == OrderType.STOP and row.side == "buy"
    return Change(
        type=OrderType(row.type),
        tif=Tif(row.tif),
        limit_price=row.worst_price if banded else row.limit_price,
        stop_price=row.stop_price,
    )
