"""Owns execution: claiming confirmed orders, sending each at most once, carrying cancels, polling.

Claim and attempt are one transaction, so whatever was sent has an attempt on record first. A
process that dies after it leaves an order that is looked up, never sent again unless the broker
dedupes client ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.kit.failpoint import reach
from services.kit.work import Runtime
from services.orders import desk as desks
from services.orders.broker import (
    Accepted,
    Broker,
    BrokerStatus,
    BrokerUnreachable,
    BrokerView,
    Desk,
    NotSent,
    Outcome,
    Rejected,
    broker_of,
)
from services.orders.cancel import request_cancel
from services.orders.confirmed import Confirmed, confirmed_order
from services.orders.freeze import freeze
from services.orders.guard import evaluate, first_block
from services.orders.guard_context import Stage
from services.orders.guard_facts import guard_context, latch_day_loss, market_facts, require_clean
from services.orders.isolate import Isolate, isolated
from services.orders.news import tell_waiting
from services.orders.order import Event, Order, State, order_from_json
from services.orders.proposal import expire_due, guards_json, has_due
from services.orders.reconcile import WATCHED, make_ready, resolve
from services.orders.replace_carry import carry_changes
from services.orders.sent import end_unsent
from services.orders.settle import has_news, is_quiet, settle, settle_outcome
from services.orders.store import OrderView, change_order, locked_row, order_row
from services.orders.tables import order_intents, submit_attempts

_log = structlog.get_logger("orders")
R = TypeVar("R")
_POLLED = (State.WORKING, State.PARTIALLY_FILLED, State.CANCEL_PENDING)
_LATE = (State.CANCELLED, State.EXPIRED, State.REJECTED)
_APART = timedelta(seconds=10)
"""The time between the last two looks at an ended order."""
_ACTIVE = (
    select(
        order_intents.c.id,
        order_intents.c.account_id,
        order_intents.c.client_order_id,
        order_intents.c.parent_id,
        order_intents.c.state,
        order_intents.c.state_reason,
        order_intents.c.cancel_wanted,
        order_intents.c.filled_quantity,
        order_intents.c.watch_until,
    )
    .where(
        or_(
            order_intents.c.state.in_([one.value for one in (State.QUEUED, *_POLLED, *WATCHED)]),
            order_intents.c.state.in_([one.value for one in _LATE])
            & order_intents.c.watch_until.is_not(None),
        )
    )
    .order_by(order_intents.c.confirmed_at, order_intents.c.id)
)


def work_once(runtime: Runtime, isolate: Isolate = isolated) -> int:
    """Do what is due for every tenant: place, cancel, poll, look up; return the steps done.

    One bad order never stops the others: what is refused or unreachable is logged and left for
    the next round, and `isolate` says what becomes of a defect.
    """
    steps, broker = 0, broker_of(runtime)
    for tenant in desks.tenants(runtime):
        desk = Desk(runtime, tenant)
        steps += isolate(desk, "desk", partial(_work_desk, desk, broker, isolate)) or 0
    return steps


def cancel(ctx: Context, order_id: str, *, reason: str = "cancelled by the owner") -> OrderView:
    """Ask to cancel at once, as the person's own button does; idempotent, no card needed.

    Raises `ORDER_UNKNOWN` and `ORDER_FINAL`.
    """
    return request_cancel(ctx, order_id, reason=reason)


def _work_desk(desk: Desk, broker: Broker, isolate: Isolate) -> int:
    unready, due = desk.runtime.read(
        desk.principal, lambda ctx: (desks.unready_reason(ctx), has_due(ctx))
    )
    steps = 0
    if due:
        expire = partial(desk.runtime.write, desk.principal, expire_due)
        steps += isolate(desk, "expiry", expire) or 0
    if unready:
        ready = partial(make_ready, desk, broker, isolate)
        steps += isolate(desk, "make_ready", ready) or 0
    rows = desk.runtime.read(desk.principal, _active)
    for row in rows:
        act = _due_act(row, ready=not unready)
        if act is not None:
            steps += isolate(desk, row.id, partial(act, desk, broker, row.id)) or 0
    steps += carry_changes(desk, broker, isolate, ready=not unready)
    return steps + _poll(desk, broker, rows, isolate)


def _due_act(row: Row[Any], *, ready: bool) -> Callable[[Desk, Broker, str], int] | None:
    """Return what an order needs now; a desk that is not ready sends nothing, but cancels."""
    state = State(row.state)
    if state is State.CANCEL_PENDING or (row.cancel_wanted and state in _POLLED):
        return _carry_cancel
    if state is State.QUEUED and ready:
        return place
    return resolve if state in WATCHED and ready else None


def _active(ctx: Context) -> list[Row[Any]]:
    return ctx.db.rows(_ACTIVE)


@dataclass(frozen=True, slots=True)
class _Claim:
    confirmed: Confirmed[Order]
    epoch: int


def place(desk: Desk, broker: Broker, order_id: str) -> int:
    """Claim a queued order and send it once; return 1 when something changed."""
    clock = desk.runtime.clock
    started = clock.monotonic()
    changed, claim = desk.runtime.write(desk.principal, lambda ctx: _claim(ctx, order_id))
    if claim is None:
        return int(changed)
    reach("execute.after_attempt")
    late = clock.monotonic() - started > desk.runtime.policy.orders.claim_lease_s
    outcome: Outcome = (
        NotSent("the claim's deadline passed before sending")
        if late
        else _send(desk, broker, claim.confirmed)
    )
    reach("execute.after_submit")
    views = (
        _first_look(desk, broker, claim.confirmed.value) if isinstance(outcome, Accepted) else []
    )

    def record(ctx: Context) -> None:
        settle_outcome(ctx, order_id, claim.epoch, outcome)

    if views:
        settle(desk, order_id, views[0], first=record)
    else:
        desk.runtime.write(desk.principal, record)
    reach("execute.after_outcome")
    return 1


def _send(desk: Desk, broker: Broker, confirmed: Confirmed[Order]) -> Outcome:
    """Hand a confirmed order to the broker; a bare order does not type-check here."""
    return _timed(desk, "submit", lambda: broker.submit(desk, confirmed.value))


def _timed(desk: Desk, operation: str, call: Callable[[], R]) -> R:
    """Run one call to the broker and log how long it took, also when it fails."""
    started = desk.runtime.clock.monotonic()
    try:
        return call()
    finally:
        passed = desk.runtime.clock.monotonic() - started
        _log.info(
            "broker.called",
            tenant=desk.tenant_id,
            operation=operation,
            latency_ms=round(passed * 1000),
        )


def _first_look(desk: Desk, broker: Broker, order: Order) -> list[BrokerView]:
    try:
        return broker.look(desk, order.account_id, [order.client_order_id])
    except BrokerUnreachable:
        return []


def _claim(ctx: Context, order_id: str) -> tuple[bool, _Claim | None]:
    row = locked_row(ctx, order_id)
    if row.state != State.QUEUED:
        return False, None
    now = desks.seen_now(ctx)
    if now >= row.valid_until:
        end_unsent(ctx, row, Event.EXPIRE, reason="its confirmation ran out before sending")
        return True, None
    try:
        confirmed = confirmed_order(ctx, row)
    except Refusal as refusal:
        freeze(ctx, f"order {order_id} is not what was confirmed", subject=order_id)
        return _deny(ctx, row, refusal), None
    verdicts, blocked = _claim_guards(ctx, row)
    if blocked is not None and (blocked.kind is Kind.DATA or row.parent_id is not None):
        return tell_waiting(ctx, row, blocked), None
    if blocked is not None:
        return _deny(ctx, row, blocked), None
    row = change_order(ctx, row, Event.CLAIM, epoch=row.epoch + 1, claimed_at=now)
    attempts = select(func.count(submit_attempts.c.number)).where(
        submit_attempts.c.order_id == order_id
    )
    number = ctx.db.scalar(attempts) + 1
    ctx.db.insert(
        submit_attempts,
        {
            "order_id": order_id,
            "number": number,
            "epoch": row.epoch,
            "body_hash": row.order_hash,
            "guards_json": verdicts,
            "started_at": ctx.now,
            "outcome": "",
            "reply": "",
            "ended_at": None,
        },
    )
    row = change_order(ctx, row, Event.SEND)
    reach("execute.before_attempt_commit")
    return True, _Claim(confirmed, row.epoch)


def _deny(ctx: Context, row: Row[Any], refusal: Refusal) -> bool:
    end_unsent(ctx, row, Event.DENY, reason=f"{refusal.code}: {refusal.message}"[:200])
    return True


def _claim_guards(ctx: Context, row: Row[Any]) -> tuple[str, Refusal | None]:
    order = order_from_json(row.order_json)
    try:
        market = require_clean(market_facts(ctx, order.symbol, order.portfolio_id))
        seen = guard_context(ctx, order, Stage.CLAIM, market=market, expires_at=row.valid_until)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return "[]", refusal
    results = evaluate(seen)
    blocked = first_block(results)
    latch_day_loss(ctx, seen, market.session_key)
    return guards_json(results), None if blocked is None else blocked.refusal()


def _carry_cancel(desk: Desk, broker: Broker, order_id: str) -> int:
    def begin(ctx: Context) -> Row[Any]:
        row = order_row(ctx, order_id)
        if row.cancel_wanted and row.state != State.CANCEL_PENDING:
            request_cancel(ctx, order_id, reason=row.cancel_wanted)
        return order_row(ctx, order_id)

    row = desk.runtime.write(desk.principal, begin)
    outcome = _timed(
        desk, "cancel", lambda: broker.cancel(desk, row.account_id, row.client_order_id)
    )
    reach("execute.after_cancel")
    if isinstance(outcome, NotSent):
        return 0
    if isinstance(outcome, (Accepted, Rejected)):
        views = broker.look(desk, row.account_id, [row.client_order_id])
        for view in views:
            settle(desk, order_id, view)
            if isinstance(outcome, Rejected) and view.status is BrokerStatus.OPEN:
                desk.runtime.write(desk.principal, lambda ctx: _keep(ctx, order_id, outcome.reason))
        if views:
            return 1
    desk.runtime.write(desk.principal, lambda ctx: _lose_cancel(ctx, order_id))
    return 1


def _keep(ctx: Context, order_id: str, reason: str) -> None:
    row = locked_row(ctx, order_id)
    if row.state == State.CANCEL_PENDING:
        change_order(
            ctx, row, Event.KEEP, reason=f"not cancelled: {reason}"[:300], cancel_wanted=""
        )


def _lose_cancel(ctx: Context, order_id: str) -> None:
    row = locked_row(ctx, order_id)
    if row.state == State.CANCEL_PENDING:
        change_order(
            ctx,
            row,
            Event.LOSE_CANCEL,
            reason="the answer to the cancel is unclear",
            next_scan_at=ctx.now,
        )


def _poll(desk: Desk, broker: Broker, rows: Iterable[Row[Any]], isolate: Isolate) -> int:
    asked: dict[str, dict[str, Row[Any]]] = {}
    for row in rows:
        if State(row.state) in (*_POLLED, *_LATE):
            asked.setdefault(row.account_id, {})[row.client_order_id] = row
    steps = 0
    for account_id, orders in asked.items():
        act = partial(_poll_account, desk, broker, orders, isolate)
        steps += isolate(desk, f"poll {account_id}", act) or 0
    return steps


def _poll_account(
    desk: Desk, broker: Broker, orders: Mapping[str, Row[Any]], isolate: Isolate
) -> int:
    account_id = next(iter(orders.values())).account_id
    steps, asked_at = 0, desk.runtime.clock.now()
    for view in broker.look(desk, account_id, list(orders)):
        row = orders[view.client_order_id]
        if not is_quiet(row, view):
            steps += isolate(desk, row.id, _news(desk, row.id, view)) or 0
    for row in orders.values():
        if State(row.state) in _LATE and row.watch_until <= asked_at:
            desk.runtime.write(desk.principal, partial(_end_watch, row.id, asked_at))
    return steps


def _end_watch(order_id: str, asked_at: datetime, ctx: Context) -> None:
    """Ask no more about an ended order after two looks, ten seconds apart, past its watch.

    One look is not enough: a listing may still tell how things stood before.
    """
    row = order_row(ctx, order_id)
    if row.watch_until is None or row.watch_until > asked_at:
        return
    first = row.first_scan_at
    if first is None or first < row.watch_until:
        values: dict[str, Any] = {"first_scan_at": asked_at}
    elif asked_at - first >= _APART:
        values = {"watch_until": None}
    else:
        return
    ctx.db.change(update(order_intents).where(order_intents.c.id == order_id).values(**values))


def _news(desk: Desk, order_id: str, view: BrokerView) -> Callable[[], int]:
    def act() -> int:
        fresh = desk.runtime.read(
            desk.principal, lambda ctx: has_news(ctx, order_row(ctx, order_id), view)
        )
        if fresh:
            settle(desk, order_id, view)
        return int(fresh)

    return act
