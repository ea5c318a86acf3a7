"""Owns the birth of exits: when an entry has ended with a fill, its exits are ordered at once.

They are part of what the person confirmed, so no new card is drawn; `confirm.confirmed_order`
proves that they are exactly that part before anything is sent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.kit.failpoint import reach
from services.ledger.book import reserve
from services.orders.bracket import build_exit
from services.orders.broker import broker_of
from services.orders.broker_routes import broker_for
from services.orders.news import tell_owner, warn_unprotected
from services.orders.order import ENDED, Event, State, order_from_json
from services.orders.queueing import queue_exit
from services.orders.store import change_order, order_row
from services.orders.tables import order_intents

_SENDS_FOR = timedelta(days=7)
"""How long exits that our books send may wait for an open market or the end of a freeze."""


def give_exits(ctx: Context, row: Row[Any]) -> Row[Any] | None:
    """Order the exits of an entry that has ended with a fill; return their row if they are new.

    Call it in the transaction that settled the entry. Where the broker took them with the entry
    they are only looked for; else the executor sends them. Units that can not be held for them
    any more are told as unprotected.
    """
    entry = order_from_json(row.order_json)
    if not entry.has_exits or State(row.state) not in ENDED or row.filled_quantity <= 0:
        return None
    if row.state == State.DISPUTED or _known(ctx, row.id):
        return None
    order, order_id = build_exit(entry, row.filled_quantity), ctx.ids.new("ord")
    carried = broker_for(broker_of(ctx), row.account_id).traits.carries(entry)
    try:
        listing, units = order.instrument_id, order.quantity
        reserve(ctx, order.portfolio_id, order_id, listing=listing, quantity=units)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        audit.record(ctx, "order.exits_missing", row.id, code=refusal.code)
        warn_unprotected(ctx, row, f"{refusal.code}: {refusal.message}", units)
        return None
    until = ctx.now if carried else ctx.now + _SENDS_FOR
    made = queue_exit(ctx, row, order, order_id=order_id, valid_until=until)
    reach("exits.before_commit")
    if not carried:
        return made
    said = "carried by the order of its entry"
    return change_order(ctx, made, Event.LOSE, reason=said, next_scan_at=ctx.now)


def tell_broken(ctx: Context, row: Row[Any], reason: str) -> Row[Any]:
    """Tell that one of two exits is gone while the other works; return the row with its reason."""
    ctx.db.change(
        update(order_intents).where(order_intents.c.id == row.id).values(state_reason=reason)
    )
    audit.record(ctx, "order.exits_broken", row.id, reason=reason)
    said = f"{row.symbol}: only one of the exits works ({reason}). Look at the position."
    tell_owner(ctx, row, "critical", said, why="broken")
    return order_row(ctx, row.id)


def _known(ctx: Context, entry_id: str) -> bool:
    found = select(order_intents.c.id).where(order_intents.c.parent_id == entry_id)
    return ctx.db.row(found) is not None
