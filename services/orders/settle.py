"""Owns what a broker's answer changes in our books: one transaction per answer, each fill once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.kit.failpoint import reach
from services.ledger.book import release
from services.orders import desk as desks
from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerFill,
    BrokerStatus,
    BrokerView,
    Desk,
    NotSent,
    Outcome,
    Rejected,
)
from services.orders.executions import new_executions
from services.orders.exits import give_exits, tell_broken
from services.orders.freeze import freeze
from services.orders.news import announce_order
from services.orders.order import ENDED, Event, State
from services.orders.resurrect import take_back
from services.orders.sent import end_unsent, lose, sent_before
from services.orders.store import change_order, locked_row, order_row
from services.orders.tables import order_intents, submit_attempts
from services.orders.take_fill import LATE_WATCH, dispute, take_fill

_UNSEEN = (State.SUBMITTING, State.UNKNOWN, State.PRESUMED_NOT_ACCEPTED)
_NOT_SENT_MAX = 2
"""Attempts of one order when it is proved that nothing left: the first and one more."""
_ENDS = {
    BrokerStatus.CANCELLED: Event.CANCEL,
    BrokerStatus.EXPIRED: Event.EXPIRE,
    BrokerStatus.REJECTED: Event.REJECT,
}


def settle_outcome(ctx: Context, order_id: str, epoch: int, outcome: Outcome) -> None:
    """Record the answer to a submit and move the order accordingly; late answers only record.

    Accepted waits for the first look that shows the order; everything unclear becomes `UNKNOWN`.
    """
    row = locked_row(ctx, order_id)
    kind, said = type(outcome).__name__, _said(outcome)
    ctx.db.change(
        update(submit_attempts)
        .where(submit_attempts.c.order_id == order_id, submit_attempts.c.epoch == epoch)
        .values(outcome=kind, reply=said[:500], ended_at=ctx.now)
    )
    audit.record(
        ctx,
        "order.answer",
        order_id,
        outcome=kind,
        reply=said[:500],
        epoch=epoch,
        client_order_id=row.client_order_id,
    )
    state = State(row.state)
    if row.epoch != epoch or state not in (State.SUBMITTING, State.UNKNOWN):
        return
    match outcome:
        case Accepted(broker_order_id):
            ctx.db.change(
                update(order_intents)
                .where(order_intents.c.id == order_id)
                .values(broker_order_id=broker_order_id)
            )
        case Rejected(reason):
            _reject(ctx, row, epoch, reason)
        case NotSent(reason):
            _requeue_or_expire(ctx, row, reason)
        case Ambiguous(reason):
            if state is State.SUBMITTING:
                look = next_scan(ctx, row.scans)["next_scan_at"] if row.scans else ctx.now
                change_order(ctx, row, Event.LOSE, reason=reason[:300], next_scan_at=look)


def _said(outcome: Outcome) -> str:
    return outcome.broker_order_id if isinstance(outcome, Accepted) else outcome.reason


def _reject(ctx: Context, row: Row[Any], epoch: int, reason: str) -> None:
    """End a refused order, unless an earlier attempt may have been accepted meanwhile."""
    if sent_before(ctx, row.id, epoch):
        said = f"refused, but an earlier attempt may have arrived: {reason}"
        lose(ctx, row, said)
        return
    release(ctx, row.id)
    change_order(ctx, row, Event.REJECT, reason=reason[:300])


def _requeue_or_expire(ctx: Context, row: Row[Any], reason: str) -> None:
    attempts = select(func.count(submit_attempts.c.number)).where(
        submit_attempts.c.order_id == row.id
    )
    if ctx.db.scalar(attempts) < _NOT_SENT_MAX and desks.seen_now(ctx) < row.valid_until:
        change_order(ctx, row, Event.REQUEUE, reason=reason[:300])
        return
    end_unsent(ctx, row, Event.EXPIRE, reason=f"never sent: {reason[:200]}")


def settle(
    desk: Desk, order_id: str, view: BrokerView, *, first: Callable[[Context], None] | None = None
) -> None:
    """Apply what the broker says about one order, fills first, in one transaction.

    `first` runs at the start of that transaction, such as recording the answer to the submit.

    When the book refuses a fill, the fills are applied one by one and the refused one becomes a
    dispute: recorded, not posted, and everything is frozen for the owner to look.
    """

    def act(ctx: Context) -> None:
        if first is not None:
            first(ctx)
        apply_view(ctx, order_id, view)

    try:
        desk.runtime.write(desk.principal, act)
    except Refusal as refusal:
        if refusal.code.startswith("DATABASE") or refusal.kind is Kind.INTERNAL or not view.filled:
            raise
        if first is not None:
            desk.runtime.write(desk.principal, first)
        _settle_one_by_one(desk, order_id, view)


def _settle_one_by_one(desk: Desk, order_id: str, view: BrokerView) -> None:
    new = partial(_new, order_id, view)
    for made in view.fills or desk.runtime.read(desk.principal, new):
        single = replace(view, status=BrokerStatus.OPEN, fills=(made,))
        try:
            desk.runtime.write(desk.principal, partial(_apply, order_id, single))
        except Refusal as refusal:
            why = f"the book refused it: {refusal.code}"
            desk.runtime.write(desk.principal, partial(_dispute, order_id, made, why))
    desk.runtime.write(desk.principal, partial(_apply, order_id, view))


def _new(order_id: str, view: BrokerView, ctx: Context) -> tuple[BrokerFill, ...]:
    return new_executions(ctx, order_row(ctx, order_id), view)


def _apply(order_id: str, view: BrokerView, ctx: Context) -> None:
    apply_view(ctx, order_id, view)


def _dispute(order_id: str, made: BrokerFill, why: str, ctx: Context) -> None:
    dispute(ctx, locked_row(ctx, order_id), made, why)


def apply_view(ctx: Context, order_id: str, view: BrokerView) -> None:
    """Apply a broker's view in the caller's transaction; the same view twice changes nothing."""
    row = locked_row(ctx, order_id)
    if row.broker_order_id is None:
        ctx.db.change(
            update(order_intents)
            .where(order_intents.c.id == order_id)
            .values(broker_order_id=view.broker_order_id)
        )
    was = State(row.state)
    if was is State.PRESUMED_NOT_ACCEPTED:
        take_back(ctx, row)
    if was in _UNSEEN and (view.fills or view.status is not BrokerStatus.REJECTED):
        row = change_order(ctx, row, Event.ACKNOWLEDGE, reason="seen at the broker")
    for made in new_executions(ctx, row, view):
        row = take_fill(ctx, row, made)
    row = _take_status(ctx, row, view)
    if was in _UNSEEN and row.state == State.WORKING:
        announce_order(ctx, row, f"{row.id}:working:{row.epoch}")
    give_exits(ctx, row)
    reach("settle.before_commit")


def has_news(ctx: Context, row: Row[Any], view: BrokerView) -> bool:
    """Return True when a view holds something that our books do not; needs no write."""
    if State(row.state) in (*_UNSEEN, State.CANCEL_UNKNOWN):
        return True
    ended = State(row.state) in ENDED
    if (view.status is not BrokerStatus.OPEN) != ended:
        return True
    return _is_broken(row, view) or bool(new_executions(ctx, row, view))


def _is_broken(row: Row[Any], view: BrokerView) -> bool:
    """Return True when one of two exits is gone while the other works, and nobody was told yet."""
    open_exits = row.parent_id is not None and view.status is BrokerStatus.OPEN
    return open_exits and bool(view.reason) and row.state_reason != view.reason[:300]


def is_quiet(row: Row[Any], view: BrokerView) -> bool:
    """Return True when a working order's row alone shows that a view adds nothing; pure.

    It spares a poll of many orders the look at each; what is not quiet is asked about by
    `has_news`. A row that is a moment old may do: what changed since is seen at the next poll.
    """
    total = view.total
    return (
        row.state in (State.WORKING, State.PARTIALLY_FILLED)
        and not row.cancel_wanted
        and view.status is BrokerStatus.OPEN
        and not view.fills
        and (total is None or total.quantity <= row.filled_quantity)
        and not _is_broken(row, view)
    )


def _take_status(ctx: Context, row: Row[Any], view: BrokerView) -> Row[Any]:
    state = State(row.state)
    if view.status is BrokerStatus.OPEN:
        if state is State.CANCEL_UNKNOWN:
            row = change_order(ctx, row, Event.ASK_CANCEL, reason="still open; asking again")
        return tell_broken(ctx, row, view.reason[:300]) if _is_broken(row, view) else row
    if state in ENDED and state is not State.PRESUMED_NOT_ACCEPTED:
        return row
    if view.status is BrokerStatus.FILLED:
        row = change_order(ctx, row, Event.DISPUTE, reason="filled, but executions are missing")
        freeze(ctx, f"order {row.id}: executions are missing", subject=row.id)
        return row
    release(ctx, row.id)
    return change_order(
        ctx,
        row,
        _ENDS[view.status],
        reason=view.reason or view.status.value,
        watch_until=ctx.now + LATE_WATCH,
    )


def next_scan(ctx: Context, scans: int) -> dict[str, Any]:
    """Return the columns of the next look at an order in doubt: 2 s, doubling, at most 30 s."""
    wait = timedelta(seconds=min(30, 2 ** min(scans, 5)))
    return {"scans": scans, "next_scan_at": ctx.now + wait}
