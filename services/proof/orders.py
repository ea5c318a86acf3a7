"""Owns the invariants of orders: none twice (I1), none lost (I2), none without its token (I3)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Row

from services.audit import audit_events
from services.kit.context import Actor, Context
from services.ledger.tables import ledger_batches
from services.orders.order import ENDED, State, Status
from services.orders.paper_tables import paper_fills, paper_orders
from services.orders.tables import confirm_tokens, disputed_fills, fills, order_intents, proposals
from services.proof.violation import Violation, Violations, all_rows, repeated

_SETTLED = frozenset(ENDED) - {State.DISPUTED, State.PRESUMED_NOT_ACCEPTED}
"""States in which nothing may be missing any more; the others are still looked up."""


def no_order_twice(ctx: Context) -> Violations:
    """Yield I1: a client id or an intent that stands for more than one order at the broker."""
    placed, intents = all_rows(ctx, paper_orders), all_rows(ctx, order_intents)
    for key in repeated((row.account_id, row.client_order_id) for row in placed):
        yield Violation("I1", "the broker has two orders of one client id", key)
    for key in repeated((row.account_id, row.client_order_id) for row in intents):
        yield Violation("I1", "two intents share a client id", key)
    for key in repeated(
        (row.broker, row.broker_order_id) for row in intents if row.broker_order_id is not None
    ):
        yield Violation("I1", "two intents share an order at the broker", key)
    known = {row.client_order_id: row.id for row in placed}
    for row in intents:
        at_broker = known.get(row.client_order_id, row.broker_order_id)
        if row.broker == "paper" and row.broker_order_id not in (None, at_broker):
            yield Violation(
                "I1",
                "an intent names another order than its client id",
                (row.id, row.broker_order_id),
            )


def no_order_lost(ctx: Context) -> Violations:
    """Yield I2: orders at the broker without an intent, and executions that our books lack."""
    intents = {row.client_order_id: row for row in all_rows(ctx, order_intents)}
    placed = {row.id: row for row in all_rows(ctx, paper_orders)}
    posted = {row.exec_id for table in (fills, disputed_fills) for row in all_rows(ctx, table)}
    for order in placed.values():
        if order.client_order_id not in intents:
            yield Violation(
                "I2", "an order at the broker has no intent", (order.id, order.client_order_id)
            )
    for made in all_rows(ctx, paper_fills):
        if made.paper_order_id not in placed:
            yield Violation("I2", "an execution without an order", (made.exec_id,))
            continue
        intent = intents.get(placed[made.paper_order_id].client_order_id)
        if made.exec_id not in posted and intent is not None and intent.state in _SETTLED:
            yield Violation(
                "I2", "an execution of an ended order was never posted", (intent.id, made.exec_id)
            )
    yield from _fills_add_up(ctx)


def _fills_add_up(ctx: Context) -> Violations:
    keys = {row.key for row in all_rows(ctx, ledger_batches) if row.source == "fill"}
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for made in all_rows(ctx, fills):
        filled[made.order_id] += made.quantity
        key = f"fill:{made.order_id}:{made.exec_id}"
        if key not in keys:
            yield Violation("I2", "a fill has no ledger batch", (made.order_id, made.exec_id))
        keys.discard(key)
    for key in sorted(keys):
        yield Violation("I2", "a ledger batch has no fill", (key,))
    for order in all_rows(ctx, order_intents):
        if order.filled_quantity != filled[order.id]:
            yield Violation(
                "I2", "an order's filled quantity is not the sum of its fills", (order.id,)
            )
        if order.state == State.FILLED and order.filled_quantity != order.quantity:
            yield Violation("I2", "a filled order is not full", (order.id,))


def no_order_without_its_token(ctx: Context) -> Violations:
    """Yield I3: orders that no person confirmed with a burned token of exactly that order."""
    tokens = {row.id: row for row in all_rows(ctx, confirm_tokens)}
    cards = {row.id: row for row in all_rows(ctx, proposals)}
    people = {
        (row.subject, row.actor)
        for row in all_rows(ctx, audit_events)
        if row.kind == "order.confirmed" and row.actor_kind == Actor.PERSON
    }
    for order in all_rows(ctx, order_intents):
        fault = _token_fault(order, tokens.get(order.token_id), cards.get(order.proposal_id))
        if fault:
            yield Violation("I3", fault, (order.id, order.token_id))
        if (order.id, order.confirmed_by) not in people:
            yield Violation("I3", "no person's confirmation is on record", (order.id,))
    for key in repeated(
        (row.proposal_id,) for row in tokens.values() if row.outcome == "confirmed"
    ):
        yield Violation("I3", "a proposal was confirmed by two tokens", key)


def _token_fault(order: Row[Any], token: Row[Any] | None, card: Row[Any] | None) -> str:
    if token is None or token.used_at is None or token.outcome != "confirmed":
        return "an order has no burned token"
    bound = (token.proposal_id, token.version, token.order_hash, token.user_id)
    if bound != (order.proposal_id, order.version, order.order_hash, order.confirmed_by):
        return "an order's token speaks for something else"
    if card is None or card.status != Status.CONFIRMED or card.kind != "order":
        return "an order's proposal was not confirmed"
    return ""
