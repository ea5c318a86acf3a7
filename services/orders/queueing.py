"""Owns the queueing of a confirmed order and of its exits: rows, audit event, the call to work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from services import audit
from services.kit.canonical import document
from services.kit.context import Context
from services.kit.outbox import wake
from services.ledger import portfolio
from services.orders.guard_context import GuardResult
from services.orders.news import announce_order
from services.orders.order import Order, State, order_json, stored_hash
from services.orders.proposal import guards_json
from services.orders.store import order_row
from services.orders.tables import order_intents, order_transitions

_OF_ENTRY = (
    "proposal_id",
    "version",
    "token_id",
    "broker",
    "conversation_id",
    "run_id",
    "confirmed_by",
    "confirmed_at",
)
"""What exits share with their entry."""


def queue_order(
    ctx: Context,
    row: Row[Any],
    found: Row[Any],
    *,
    order: Order,
    order_id: str,
    results: list[GuardResult],
) -> None:
    """Write the order of a proposal that the token `found` just confirmed, as `QUEUED`.

    The executor sends it only when the rows still prove the confirmation; see `confirmed_order`.
    """
    values = _intent(ctx, row, order)
    ctx.db.insert(
        order_intents,
        {"id": order_id, "token_id": found.id, "guards_json": guards_json(results), **values},
    )
    _born(ctx, order_id, "confirm")
    audit.record(
        ctx,
        "order.confirmed",
        order_id,
        proposal=row.id,
        order_hash=row.order_hash,
        client_order_id=row.client_order_id,
        token=found.id,
        version=row.version,
        order=document(order),
        guards=results,
        policy_hash=row.policy_hash,
    )
    announce_order(ctx, order_row(ctx, order_id), f"{order_id}:1")
    wake(ctx, "orders", ctx.principal.tenant_id)


def queue_exit(
    ctx: Context, entry: Row[Any], order: Order, *, order_id: str, valid_until: datetime
) -> Row[Any]:
    """Write the exits of an entry as `QUEUED`, under the entry's own confirmation; return the row.

    `order` is `bracket.build_exit` of the entry, which the executor proves anew before it sends.
    """
    text = order_json(order)
    ctx.db.insert(
        order_intents,
        {
            **_values(ctx, order),
            **{name: getattr(entry, name) for name in _OF_ENTRY},
            "id": order_id,
            "parent_id": entry.id,
            "order_json": text,
            "order_hash": stored_hash(text),
            "guards_json": "[]",
            "valid_until": valid_until,
        },
    )
    _born(ctx, order_id, "protect")
    audit.record(
        ctx,
        "order.protect",
        order_id,
        number=1,
        entry=entry.id,
        proposal=entry.proposal_id,
        order_hash=stored_hash(text),
        client_order_id=order.client_order_id,
        order=document(order),
    )
    row = order_row(ctx, order_id)
    announce_order(ctx, row, f"{order_id}:1")
    wake(ctx, "orders", ctx.principal.tenant_id)
    return row


def _born(ctx: Context, order_id: str, event: str) -> None:
    ctx.db.insert(
        order_transitions,
        {
            "order_id": order_id,
            "number": 1,
            "from_state": "",
            "event": event,
            "to_state": State.QUEUED.value,
            "reason": "",
            "epoch": 0,
            "at": ctx.now,
        },
    )


def _intent(ctx: Context, row: Row[Any], order: Order) -> dict[str, Any]:
    return _values(ctx, order) | {
        "proposal_id": row.id,
        "version": row.version,
        "broker": portfolio.account_of(ctx, row.portfolio_id).broker,
        "order_json": row.order_json,
        "order_hash": row.order_hash,
        "valid_until": row.expires_at,
        "conversation_id": row.conversation_id,
        "run_id": row.run_id,
        "confirmed_by": ctx.principal.user_id,
        "confirmed_at": ctx.now,
    }


def _values(ctx: Context, order: Order) -> dict[str, Any]:
    """Return the columns of any order that was just born."""
    return {
        "portfolio_id": order.portfolio_id,
        "account_id": order.account_id,
        "client_order_id": order.client_order_id,
        "broker_order_id": None,
        "listing": order.instrument_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": order.quantity,
        "worst_price": order.worst_price,
        "state": State.QUEUED.value,
        "state_reason": "",
        "cancel_wanted": "",
        "filled_quantity": order.quantity * 0,
        "avg_price": None,
        "epoch": 0,
        "claimed_at": None,
        "scans": 0,
        "first_scan_at": None,
        "next_scan_at": None,
        "watch_until": None,
        "release_at": None,
        "updated_at": ctx.now,
    }
