"""Owns reading orders and fills, and the one function that changes an order's state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.errors import check, refuse
from services.orders.bust import corrections
from services.orders.news import announce_order, tell_exit
from services.orders.order import ENDED, OPEN, Event, Order, State, next_state, order_from_json
from services.orders.proposal import close_cancel_cards
from services.orders.tables import fills, order_intents, order_transitions

_ORDERS_MAX = 500
_ORDER = select(order_intents).where(order_intents.c.id == bindparam("of_order"))
_LAST_ARROW = select(func.max(order_transitions.c.number)).where(
    order_transitions.c.order_id == bindparam("of_order")
)
_UNTOLD = (Event.CLAIM, Event.SEND, Event.ACKNOWLEDGE)
"""Arrows on the way to the broker that a screen is not woken for, unless the order stays there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One order as screens show it. `avg_price` is per unit, None before the first fill.

    `parent_id` is the entry whose exits the order is.
    """

    id: str
    proposal_id: str
    portfolio_id: str
    account_id: str
    client_order_id: str
    broker: str
    broker_order_id: str | None
    state: State
    reason: str
    filled_quantity: Decimal
    avg_price: Decimal | None
    order: Order
    confirmed_by: str
    confirmed_at: datetime
    updated_at: datetime
    conversation_id: str
    run_id: str
    parent_id: str | None = None

    @property
    def symbol(self) -> str:
        """Return the instrument's symbol."""
        return self.order.symbol

    @property
    def side(self) -> str:
        """Return `buy` or `sell`."""
        return self.order.side.value

    @property
    def quantity(self) -> Decimal:
        """Return the ordered quantity."""
        return self.order.quantity

    @property
    def remaining(self) -> Decimal:
        """Return what has not been filled."""
        return self.order.quantity - self.filled_quantity

    @property
    def is_open(self) -> bool:
        """Return True while the order may still trade."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class FillView:
    """One posted execution; `commission` is in `currency`.

    `corrected` says in words what the broker made of it later; empty while it stands.
    """

    id: str
    order_id: str
    portfolio_id: str
    exec_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    currency: str
    provenance: str
    at: datetime
    broker: str
    corrected: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow an order took."""

    number: int
    from_state: str
    event: str
    to_state: str
    reason: str
    at: datetime


def get_order(ctx: Context, order_id: str) -> OrderView:
    """Return one order. Raises `ORDER_UNKNOWN`."""
    return order_view(order_row(ctx, order_id))


def find_order_of(ctx: Context, proposal_id: str) -> OrderView | None:
    """Return the order that the confirmation of a proposal made, or None."""
    mine = order_intents.c
    query = select(order_intents).where(mine.proposal_id == proposal_id, mine.parent_id.is_(None))
    row = ctx.db.row(query)
    return None if row is None else order_view(row)


def find_exit_of(ctx: Context, order_id: str) -> OrderView | None:
    """Return the order of an entry's exits, or None before the entry has ended with a fill."""
    row = ctx.db.row(select(order_intents).where(order_intents.c.parent_id == order_id))
    return None if row is None else order_view(row)


def list_orders(
    ctx: Context, *, open_only: bool = False, limit: int = 100, portfolio_id: str | None = None
) -> list[OrderView]:
    """Return orders, newest first; `open_only` keeps those that may still trade."""
    query = select(order_intents).order_by(
        order_intents.c.confirmed_at.desc(), order_intents.c.id.desc()
    )
    if open_only:
        query = query.where(order_intents.c.state.in_([state.value for state in OPEN]))
    if portfolio_id is not None:
        query = query.where(order_intents.c.portfolio_id == portfolio_id)
    return [order_view(row) for row in ctx.db.rows(query.limit(min(limit, _ORDERS_MAX)))]


def list_fills(ctx: Context, *, order_id: str | None = None, limit: int = 100) -> list[FillView]:
    """Return posted fills, newest first; of one order when `order_id` is given."""
    query = select(fills).order_by(fills.c.received_at.desc(), fills.c.id.desc())
    if order_id is not None:
        query = query.where(fills.c.order_id == order_id)
    rows = ctx.db.rows(query.limit(min(limit, _ORDERS_MAX)))
    told = corrections(ctx, rows)
    return [_fill_view(row, told.get(row.id, "")) for row in rows]


def list_transitions(ctx: Context, order_id: str) -> list[Transition]:
    """Return every arrow an order took, in order."""
    rows = ctx.db.rows(
        select(order_transitions)
        .where(order_transitions.c.order_id == order_id)
        .order_by(order_transitions.c.number)
    )
    return [
        Transition(row.number, row.from_state, row.event, row.to_state, row.reason, row.at)
        for row in rows
    ]


def order_row(ctx: Context, order_id: str) -> Row[Any]:
    """Return the row of an order. Raises `ORDER_UNKNOWN`."""
    row = ctx.db.row(_ORDER, of_order=order_id)
    if row is None:
        raise refuse("ORDER_UNKNOWN", id=order_id)
    return row


def locked_row(ctx: Context, order_id: str) -> Row[Any]:
    """Return the row after taking the order's lock until commit. Raises `ORDER_UNKNOWN`."""
    ctx.db.lock(f"order:{order_id}")
    return order_row(ctx, order_id)


def change_order(
    ctx: Context,
    row: Row[Any],
    event: Event,
    *,
    reason: str = "",
    asked_by: str = "",
    **values: Any,
) -> Row[Any]:
    """Take one arrow: state, transition row, audit event and outbox message together.

    An arrow to an end closes the cards that would cancel the order, except `asked_by`. The update
    is guarded by the state and epoch that were read, so of two writers one fails. Raises
    `ILLEGAL_TRANSITION`. Returns the new row.
    """
    state = State(row.state)
    target = next_state(state, event)
    epoch = values.get("epoch", row.epoch)
    hit = ctx.db.change(
        update(order_intents)
        .where(
            order_intents.c.id == row.id,
            order_intents.c.state == row.state,
            order_intents.c.epoch == row.epoch,
        )
        .values(state=target.value, state_reason=reason, updated_at=ctx.now, **values)
    )
    check(hit == 1, "an order changed under its lock", order=row.id, state=row.state)
    number = (ctx.db.scalar(_LAST_ARROW, of_order=row.id) or 0) + 1
    ctx.db.insert(
        order_transitions,
        {
            "order_id": row.id,
            "number": number,
            "from_state": state.value,
            "event": event.value,
            "to_state": target.value,
            "reason": reason,
            "epoch": epoch,
            "at": ctx.now,
        },
    )
    audit.record(
        ctx,
        f"order.{event.value}",
        row.id,
        proposal=row.proposal_id,
        client_order_id=row.client_order_id,
        order_hash=row.order_hash,
        from_state=state.value,
        to_state=target.value,
        reason=reason,
        number=number,
    )
    changed = order_row(ctx, row.id)
    if event not in _UNTOLD:
        announce_order(ctx, changed, f"{row.id}:{number}")
    if changed.parent_id is not None:
        tell_exit(ctx, changed)
    if target in ENDED:
        close_cancel_cards(ctx, row.id, target.value, asked_by=asked_by)
    return changed


def order_view(row: Row[Any]) -> OrderView:
    """Return the view of a row."""
    return OrderView(
        id=row.id,
        proposal_id=row.proposal_id,
        portfolio_id=row.portfolio_id,
        account_id=row.account_id,
        client_order_id=row.client_order_id,
        broker=row.broker,
        broker_order_id=row.broker_order_id,
        state=State(row.state),
        reason=row.state_reason,
        filled_quantity=row.filled_quantity,
        avg_price=row.avg_price,
        order=order_from_json(row.order_json),
        confirmed_by=row.confirmed_by,
        confirmed_at=row.confirmed_at,
        updated_at=row.updated_at,
        conversation_id=row.conversation_id,
        run_id=row.run_id,
        parent_id=row.parent_id,
    )


def _fill_view(row: Row[Any], corrected: str) -> FillView:
    return FillView(
        id=row.id,
        order_id=row.order_id,
        portfolio_id=row.portfolio_id,
        exec_id=row.exec_id,
        symbol=row.symbol,
        side=row.side,
        quantity=row.quantity,
        price=row.price,
        commission=row.commission,
        currency=row.currency,
        provenance=row.provenance,
        at=row.at,
        broker=row.broker,
        corrected=corrected,
    )
