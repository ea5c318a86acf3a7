"""Owns the invariants of orders: none twice (I1), none lost (I2), none without its token (I3)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Row

from services.audit import audit_events
from services.kit.context import Actor, Context
from services.ledger.tables import ledger_batches
from services.orders.bracket import build_exit
from services.orders.order import ENDED, State, Status, order_from_json, order_json
from services.orders.paper_tables import paper_fills, paper_orders
from services.orders.tables import confirm_tokens, disputed_fills, fills, order_intents, proposals
from services.proof.changes import changes_are_confirmed, read_changed
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
    yield from changes_are_confirmed(ctx, tokens, cards)
    changed = read_changed(ctx)
    orders = {row.id: row for row in all_rows(ctx, order_intents)}
    for order in orders.values():
        token, card = tokens.get(order.token_id), cards.get(order.proposal_id)
        entry = orders.get(order.parent_id) if order.parent_id is not None else order
        fault = _exit_fault(order, entry) or _token_fault(
            entry or order, token, card, first_hash=changed.first_hash(entry or order)
        )
        if fault:
            yield Violation("I3", fault, (order.id, order.token_id))
        if entry is None or (entry.id, order.confirmed_by) not in people:
            yield Violation("I3", "no person's confirmation is on record", (order.id,))
    for key in repeated(
        (row.proposal_id,) for row in tokens.values() if row.outcome == "confirmed"
    ):
        yield Violation("I3", "a proposal was confirmed by two tokens", key)


def _exit_fault(order: Row[Any], entry: Row[Any] | None) -> str:
    """Return what is wrong with an order as the exits of its entry; empty for an entry itself."""
    if entry is None:
        return "exits have no entry"
    if entry is order:
        return ""
    shared = ("proposal_id", "version", "token_id", "confirmed_by", "portfolio_id", "account_id")
    if any(getattr(order, name) != getattr(entry, name) for name in shared):
        return "exits are not their entry's"
    confirmed = order_from_json(entry.order_json)
    if not confirmed.has_exits or not 0 < order.quantity <= entry.filled_quantity:
        return "exits that nobody confirmed"
    if order_json(build_exit(confirmed, order.quantity)) != order.order_json:
        return "exits are not what was confirmed"
    return ""


def _token_fault(
    order: Row[Any], token: Row[Any] | None, card: Row[Any] | None, *, first_hash: str
) -> str:
    if token is None or token.used_at is None or token.outcome != "confirmed":
        return "an order has no burned token"
    bound = (token.proposal_id, token.version, token.order_hash, token.user_id)
    if bound != (order.proposal_id, order.version, first_hash, order.confirmed_by):
        return "an order's token speaks for something else"
    if card is None or card.status != Status.CONFIRMED or card.kind != "order":
        return "an order's proposal was not confirmed"
    return ""
