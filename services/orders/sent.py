"""Owns whether an order may have reached its broker, which decides how it may end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.ledger.book import release
from services.orders.order import Event
from services.orders.store import change_order
from services.orders.tables import submit_attempts

_PROVED = "NotSent"


def sent_before(ctx: Context, order_id: str, epoch: int | None = None) -> bool:
    """Return True unless every attempt on record, `epoch` aside, proved that nothing was sent."""
    rows = ctx.db.rows(
        select(submit_attempts.c.epoch, submit_attempts.c.outcome)
        .where(submit_attempts.c.order_id == order_id)
        .order_by(submit_attempts.c.number)
    )
    return any(row.outcome != _PROVED and row.epoch != epoch for row in rows)


def lose(ctx: Context, row: Row[Any], reason: str) -> Row[Any]:
    """Put an order in doubt for good: it is looked up, and never sent again. Returns the row."""
    over = min(row.valid_until, ctx.now)
    return change_order(
        ctx, row, Event.LOSE, reason=reason[:300], next_scan_at=ctx.now, valid_until=over
    )


def end_unsent(
    ctx: Context, row: Row[Any], event: Event, *, reason: str, asked_by: str = ""
) -> Row[Any]:
    """Take an order that waits to be sent to its end, and free what it held.

    One that may be at the broker from an earlier attempt is in doubt instead: it is looked up, its
    confirmation is over, and what it holds stays held. Returns the row.
    """
    if sent_before(ctx, row.id):
        return lose(ctx, row, f"{reason}; an earlier attempt may have arrived")
    release(ctx, row.id)
    return change_order(ctx, row, event, reason=reason[:300], asked_by=asked_by)
