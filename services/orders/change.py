"""Owns changes of working orders as they are kept: reading them, moving them on, telling them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.errors import check, refuse
from services.kit.money import decimal_text
from services.kit.outbox import put
from services.orders.broker import Change
from services.orders.change_tables import IN_FLIGHT, ChangeState, order_changes
from services.orders.news import announce_order
from services.orders.order import OPEN, Order, OrderType, Side, order_from_json
from services.orders.proposal import proposal_row
from services.orders.store import order_row
from services.orders.tables import order_intents
from services.trade.wording import price_words

_STANDS = (*IN_FLIGHT, ChangeState.UNSEEN)
"""Changes that may still reach the order; no other one is made beside them."""
_TOLD = (ChangeState.REFUSED, ChangeState.DROPPED, ChangeState.OVERTAKEN, ChangeState.UNSEEN)
"""Ends that the person did not ask for, so they are told."""


def change_of(order: Order) -> Change:
    """Return the terms of an order as a broker is asked for them; pure.

    The stop of a buy carries its price band as a limit beside it. Worked: a buy stop at 195 with
    a worst price of 196.95 is a stop at 195 with the limit 196.95.
    """
    banded = order.type is OrderType.STOP and order.side is Side.BUY
    return Change(
        type=order.type,
        tif=order.tif,
        limit_price=order.worst_price if banded else order.limit_price,
        stop_price=order.stop_price,
    )


def terms_words(order: Order) -> str:
    """Return the terms of an order in words, such as `limit 189.50, day`."""
    price = {
        OrderType.MARKET: "at market",
        OrderType.LIMIT: f"limit {price_words(order.limit_price or order.worst_price)}",
        OrderType.STOP: f"stop {price_words(order.stop_price or order.worst_price)}",
    }[order.type]
    return f"{price}, {order.tif}"


def get_change(ctx: Context, proposal_id: str) -> Row[Any]:
    """Return the change that a proposal stands for. Raises `PROPOSAL_UNKNOWN`."""
    row = ctx.db.row(select(order_changes).where(order_changes.c.proposal_id == proposal_id))
    if row is None:
        raise refuse("PROPOSAL_UNKNOWN", id=proposal_id)
    return row


def before_change(ctx: Context, proposal_id: str) -> Order:
    """Return the order as it stood when the card of its change was made."""
    return order_from_json(get_change(ctx, proposal_id).before_json)


def find_standing(ctx: Context, order_id: str) -> Row[Any] | None:
    """Return the change that may still reach an order, or None."""
    return ctx.db.row(
        select(order_changes)
        .where(
            order_changes.c.order_id == order_id,
            order_changes.c.state.in_([state.value for state in _STANDS]),
        )
        .limit(1)
    )


def list_due(ctx: Context) -> list[Row[Any]]:
    """Return the changes that want something now, oldest first: sending, a look, or an end.

    One that was never seen is looked for as long as its order is open.
    """
    mine, orders = order_changes.c, order_intents.c
    known = order_intents.c.id == mine.order_id
    flying = mine.state.in_([state.value for state in IN_FLIGHT])
    open_order = orders.state.in_([state.value for state in OPEN])
    watched = (mine.state == ChangeState.UNSEEN.value) & open_order
    query = (
        select(mine.proposal_id, mine.order_id, mine.state, mine.next_scan_at)
        .select_from(order_changes.join(order_intents, known))
        .where(or_(flying, watched))
        .order_by(mine.confirmed_at, mine.proposal_id)
    )
    return ctx.db.rows(query)


def move_change(
    ctx: Context, change: Row[Any], state: ChangeState, *, reason: str = "", **values: Any
) -> Row[Any]:
    """Take a change to `state` by a guarded update, audited with both hashes, and tell it.

    Run it under the order's lock. Returns the new row.
    """
    hit = ctx.db.change(
        update(order_changes)
        .where(
            order_changes.c.proposal_id == change.proposal_id, order_changes.c.state == change.state
        )
        .values(state=state.value, reason=reason[:300], **values)
    )
    check(hit == 1, "a change moved under its order's lock", change=change.proposal_id)
    audit.record(
        ctx,
        f"order.change_{state.value}",
        change.order_id,
        proposal=change.proposal_id,
        before_hash=change.before_hash,
        order_hash=change.order_hash,
        from_state=change.state,
        to_state=state.value,
        reason=reason[:300],
    )
    moved = get_change(ctx, change.proposal_id)
    _announce(ctx, moved)
    return moved


def _announce(ctx: Context, change: Row[Any]) -> None:
    """Tell every screen that an order's terms moved or did not; an unasked end is an alert."""
    row, card = order_row(ctx, change.order_id), proposal_row(ctx, change.proposal_id)
    dedupe = f"{change.proposal_id}:{change.state}:{change.scans}"
    announce_order(ctx, row, f"change:{dedupe}")
    put(
        ctx,
        "proposal.changed",
        change.proposal_id,
        {
            "proposal_id": change.proposal_id,
            "version": card.version,
            "status": "confirmed",
            "reason": change.reason,
            "order_id": row.id,
            "order_state": row.state,
            "filled_quantity": row.filled_quantity,
            "avg_price": row.avg_price,
            "symbol": row.symbol,
            "side": row.side,
            "quantity": row.quantity,
            "conversation_id": card.conversation_id,
            "run_id": card.run_id,
            "expires_at": change.valid_until,
        },
        dedupe=f"change:{dedupe}",
    )
    if ChangeState(change.state) in _TOLD:
        order = f"{row.side} {decimal_text(row.quantity)} {row.symbol}"
        said = f"The change of your order ({order}) was not made: {change.reason}"
        body = {"level": "warning", "message": said, "code": "ORDER_NOT_CHANGED"}
        put(ctx, "alert", row.id, body | {"subject": row.symbol}, dedupe=f"change-alert:{dedupe}")
