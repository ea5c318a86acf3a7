"""Owns orders in doubt: they are looked up at the broker by client id, and never sent blindly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.clock import EPOCH
from services.kit.context import Context
from services.kit.work import Runtime
from services.ledger.book import release
from services.market.feed import Feed
from services.market.session import market_state, next_session
from services.orders import desk as desks
from services.orders.broker import Broker, Desk, broker_of
from services.orders.broker_routes import broker_for
from services.orders.isolate import Isolate, isolated
from services.orders.order import Event, State
from services.orders.sent import sent_before
from services.orders.settle import next_scan, settle
from services.orders.store import change_order, locked_row, order_row
from services.orders.tables import order_intents, submit_attempts

SUBMIT_MAX = timedelta(seconds=15)
"""The longest a submit may take (connect 2 s, read 10 s) and a margin; then it is in doubt."""
IN_FLIGHT = (State.CLAIMED, State.SUBMITTING, State.UNKNOWN, State.CANCEL_UNKNOWN)
WATCHED = (*IN_FLIGHT, State.PRESUMED_NOT_ACCEPTED)


@dataclass(frozen=True, slots=True)
class BootReport:
    """What a start found: orders looked up, and the desks that are still not ready, with why."""

    looked_up: int
    unready: dict[str, str]


def resolve_in_doubt(runtime: Runtime, isolate: Isolate = isolated, *, boot: bool = False) -> int:
    """Look up every order in doubt of every tenant; return how many were looked at.

    `boot` does not wait for leases and back-off: no other process works at that time. An order
    that can not be looked up is left for the next round and stops no other.
    """
    broker, looked = broker_of(runtime), 0
    for tenant in desks.tenants(runtime):
        desk = Desk(runtime, tenant)
        for order_id in in_flight_ids(desk):
            act = partial(resolve, desk, broker, order_id, boot=boot)
            looked += isolate(desk, order_id, act) or 0
    return looked


def at_boot(runtime: Runtime, isolate: Isolate = isolated) -> BootReport:
    """Reconcile every desk before it may execute; one that can not be stays unready.

    Until a desk is ready, the guard `execution_ready` refuses its orders; reading, cancelling and
    the other desks go on, and the executor tries again.
    """
    broker, looked, unready = broker_of(runtime), 0, {}
    for tenant in desks.tenants(runtime):
        desk = Desk(runtime, tenant)
        done = isolate(desk, "make_ready", partial(make_ready, desk, broker, isolate))
        if done is None:
            _mark(desk, "the start could not reconcile this desk; the log says why")
        looked += done or 0
        reason = desk.runtime.read(desk.principal, desks.unready_reason)
        if reason:
            unready[tenant] = reason
    return BootReport(looked, unready)


def make_ready(desk: Desk, broker: Broker, isolate: Isolate = isolated) -> int:
    """Look up everything in flight of one desk, then let it execute; return how many.

    While one of them can not be looked up, the desk stays unready and says which. So it does
    while the tail of its audit chain does not verify.
    """
    broken = desk.runtime.read(desk.principal, broken_record)
    if broken:
        _mark(desk, broken)
        return 0
    ids = in_flight_ids(desk)
    reason = desk.runtime.read(desk.principal, desks.unready_reason)
    if ids and not reason:
        _mark(desk, "orders in flight are being looked up after a start")
    looked = {
        order_id: isolate(desk, order_id, partial(resolve, desk, broker, order_id, boot=True))
        for order_id in ids
    }
    failed = [order_id for order_id, done in looked.items() if done is None]
    if failed:
        _mark(desk, f"order {failed[0]} could not be looked up at the broker")
    elif ids or reason:
        _mark(desk, "")
    return sum(done or 0 for done in looked.values())


def broken_record(ctx: Context) -> str:
    """Return why the tail of the tenant's audit chain can not be trusted; empty when it can."""
    verdict = audit.verify_tail(ctx)
    if verdict.ok:
        return ""
    return f"the audit chain breaks at {verdict.broken_at}: {verdict.reason}"


def mark_unready(ctx: Context, reason: str) -> None:
    """Store why the tenant may not execute and record the change; empty makes it ready."""
    if desks.unready_reason(ctx) != reason:
        desks.set_unready(ctx, reason)
        audit.record(
            ctx,
            "execution.unready" if reason else "execution.ready",
            ctx.principal.tenant_id,
            reason=reason,
        )


def _mark(desk: Desk, reason: str) -> None:
    desk.runtime.write(desk.principal, lambda ctx: mark_unready(ctx, reason))


def in_flight_ids(desk: Desk) -> list[str]:
    """Return the ids of orders whose standing at the broker must be found out."""
    return desk.runtime.read(
        desk.principal,
        lambda ctx: [
            row.id
            for row in ctx.db.rows(
                select(order_intents.c.id)
                .where(order_intents.c.state.in_([state.value for state in WATCHED]))
                .order_by(order_intents.c.id)
            )
        ],
    )


def resolve(desk: Desk, broker: Broker, order_id: str, *, boot: bool = False) -> int:
    """Move one order in doubt as far as a single look allows; return 1 when it was looked at.

    Raises `BrokerUnreachable`; an unanswered question counts as no look.
    """
    row = desk.runtime.write(desk.principal, lambda ctx: _lose_if_left(ctx, order_id, boot=boot))
    if row is None:
        return 0
    views = broker.look(desk, row.account_id, [row.client_order_id])
    if views:
        settle(desk, order_id, views[0])
    else:
        dedupes = broker_for(broker, row.account_id).traits.dedupes_client_id
        desk.runtime.write(desk.principal, lambda ctx: _absent(ctx, order_id, dedupes=dedupes))
    return 1


def _lose_if_left(ctx: Context, order_id: str, *, boot: bool) -> Row[Any] | None:
    """Return the row to look up, or None when it is not due or was resolved without a look."""
    row = locked_row(ctx, order_id)
    state, now = State(row.state), desks.seen_now(ctx)
    lease = timedelta(seconds=ctx.policy.orders.claim_lease_s)
    claimed_at: datetime = row.claimed_at or EPOCH
    if state is State.CLAIMED and (boot or now >= claimed_at + lease):
        _unsent(ctx, row, now)
        return None
    if state is State.SUBMITTING:
        if not boot and now < claimed_at + lease + SUBMIT_MAX:
            return None
        return change_order(ctx, row, Event.LOSE, reason="no answer was recorded", next_scan_at=now)
    if state is State.PRESUMED_NOT_ACCEPTED:
        return _watch(ctx, row)
    if state not in (State.UNKNOWN, State.CANCEL_UNKNOWN):
        return None
    due = boot or row.next_scan_at is None or row.next_scan_at <= now
    return row if due else None


def _unsent(ctx: Context, row: Row[Any], now: datetime) -> None:
    sent = ctx.db.row(
        select(submit_attempts.c.number).where(
            submit_attempts.c.order_id == row.id, submit_attempts.c.epoch == row.epoch
        )
    )
    if sent is not None:
        row = change_order(ctx, row, Event.SEND, reason="an attempt is on record")
        change_order(ctx, row, Event.LOSE, reason="no answer was recorded", next_scan_at=now)
    elif now < row.valid_until or sent_before(ctx, row.id):
        change_order(ctx, row, Event.REQUEUE, reason="claimed and provably not sent")
    else:
        release(ctx, row.id)
        change_order(ctx, row, Event.EXPIRE, reason="its confirmation ran out before sending")


def _watch(ctx: Context, row: Row[Any]) -> Row[Any] | None:
    as_of = ctx.port(Feed).as_of(ctx)
    if row.release_at is not None and as_of >= row.release_at:
        release(ctx, row.id)
        ctx.db.change(
            update(order_intents).where(order_intents.c.id == row.id).values(release_at=None)
        )
    if row.watch_until is None or as_of >= row.watch_until or row.next_scan_at > ctx.now:
        return None
    ctx.db.change(
        update(order_intents)
        .where(order_intents.c.id == row.id)
        .values(**next_scan(ctx, row.scans))
    )
    return row


def _absent(ctx: Context, order_id: str, *, dedupes: bool) -> None:
    row = locked_row(ctx, order_id)
    state, now = State(row.state), desks.seen_now(ctx)
    if state is State.CANCEL_UNKNOWN or state is State.UNKNOWN:
        ctx.db.change(
            update(order_intents)
            .where(order_intents.c.id == order_id)
            .values(first_scan_at=row.first_scan_at or now, **next_scan(ctx, row.scans + 1))
        )
    if state is not State.UNKNOWN:
        return
    if dedupes and now < row.valid_until:
        change_order(ctx, row, Event.REQUEUE, reason="absent at a broker that dedupes client ids")
        return
    policy = ctx.policy.orders
    waited = now - (row.first_scan_at or now) >= timedelta(seconds=policy.presume_window_s)
    if row.scans + 1 >= policy.presume_scans and waited:
        _presume(ctx, order_row(ctx, order_id))


def _presume(ctx: Context, row: Row[Any]) -> None:
    feed = ctx.port(Feed)
    as_of, calendar = feed.as_of(ctx), feed.instrument(ctx, row.symbol).calendar
    session = market_state(calendar, as_of).session
    ends = session.close if session else as_of
    change_order(
        ctx,
        row,
        Event.PRESUME,
        reason="not found in complete scans",
        release_at=ends,
        watch_until=next_session(calendar, ends).close,
        next_scan_at=ctx.now,
    )
