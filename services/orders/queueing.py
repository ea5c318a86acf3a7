"""Owns the queueing of a confirmed order: its rows, its audit event and the call to work."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Row

from services import audit
from services.kit.canonical import document
from services.kit.context import Context
from services.kit.outbox import wake
from services.ledger import portfolio
from services.orders.guard_context import GuardResult
from services.orders.order import Order, State
from services.orders.proposal import guards_json
from services.orders.store import announce_order, order_row
from services.orders.tables import order_intents, order_transitions


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
    ctx.db.insert(
        order_transitions,
        {
            "order_id": order_id,
            "number": 1,
            "from_state": "",
            "event": "confirm",
            "to_state": State.QUEUED.value,
            "reason": "",
            "epoch": 0,
            "at": ctx.now,
        },
    )
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


def _intent(ctx: Context, row: Row[Any], order: Order) -> dict[str, Any]:
    return {
        "proposal_id": row.id,
        "version": row.version,
        "portfolio_id": row.portfolio_id,
        "account_id": row.account_id,
        "client_order_id": row.client_order_id,
        "broker_order_id": None,
        "broker": portfolio.account_of(ctx, row.portfolio_id).broker,
        "listing": order.instrument_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "quantity": order.quantity,
        "worst_price": order.worst_price,
        "order_json": row.order_json,
        "order_hash": row.order_hash,
        "state": State.QUEUED.value,
        "state_reason": "",
        "cancel_wanted": "",
        "filled_quantity": order.quantity * 0,
        "avg_price": None,
        "epoch": 0,
        "claimed_at": None,
        "valid_until": row.expires_at,
        "scans": 0,
        "first_scan_at": None,
        "next_scan_at": None,
        "watch_until": None,
        "release_at": None,
        "conversation_id": row.conversation_id,
        "run_id": row.run_id,
        "confirmed_by": ctx.principal.user_id,
        "confirmed_at": ctx.now,
        "updated_at": ctx.now,
    }
