"""Owns asking for a cancel: the database half, which the executor then carries to the broker."""

from __future__ import annotations

from sqlalchemy import select, update

from services import audit
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.outbox import wake
from services.orders.order import OPEN, Event, State
from services.orders.sent import end_unsent
from services.orders.store import OrderView, change_order, locked_row, order_view
from services.orders.tables import order_intents

_ALREADY = (State.CANCEL_PENDING, State.CANCEL_UNKNOWN, State.CANCELLED)


def request_cancel(ctx: Context, order_id: str, *, reason: str, asked_by: str = "") -> OrderView:
    """Ask to cancel an order; repeating it changes nothing.

    An order that never left is cancelled at once. One whose sending is in flight or in doubt, also
    when it waits to be sent again, is cancelled as soon as it is known at the broker. `asked_by` is
    the confirmed cancel card, if one asks; every other card for this order is closed when it ends.

    Raises `ORDER_UNKNOWN` and `ORDER_FINAL`.
    """
    row = locked_row(ctx, order_id)
    state = State(row.state)
    if state in _ALREADY:
        return order_view(row)
    if state not in OPEN:
        raise refuse("ORDER_FINAL", id=order_id, state=state.value)
    if state is State.QUEUED:
        row = end_unsent(ctx, row, Event.CANCEL, reason=reason, asked_by=asked_by)
        if row.state == State.CANCELLED:
            return order_view(row)
    if state in (State.WORKING, State.PARTIALLY_FILLED):
        row = change_order(ctx, row, Event.ASK_CANCEL, reason=reason)
        wake(ctx, "orders", ctx.principal.tenant_id)
        return order_view(row)
    if not row.cancel_wanted:
        ctx.db.change(
            update(order_intents).where(order_intents.c.id == order_id).values(cancel_wanted=reason)
        )
        audit.record(ctx, "order.cancel_wanted", order_id, state=row.state, reason=reason)
    return order_view(row)


def cancel_open_orders(ctx: Context, *, reason: str) -> int:
    """Ask to cancel every open order of the tenant that can be; return how many were asked."""
    rows = ctx.db.rows(
        select(order_intents.c.id)
        .where(
            order_intents.c.state.in_(
                [State.QUEUED.value, State.WORKING.value, State.PARTIALLY_FILLED.value]
            )
        )
        .order_by(order_intents.c.id)
    )
    for row in rows:
        request_cancel(ctx, row.id, reason=reason)
    return len(rows)
