"""Owns carrying confirmed changes to the broker: each sent at most once, then only looked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

import structlog
from sqlalchemy import update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.kit.failpoint import reach
from services.orders import desk as desks
from services.orders.broker import (
    Accepted,
    Broker,
    BrokerView,
    Desk,
    NotSent,
    Outcome,
    Rejected,
    Replaces,
)
from services.orders.broker_routes import broker_for
from services.orders.change import change_of, get_change, list_due, move_change, terms_words
from services.orders.change_tables import ChangeState, order_changes
from services.orders.confirmed import Confirmed
from services.orders.freeze import freeze
from services.orders.guard import first_block
from services.orders.guard_context import Stage
from services.orders.guard_facts import market_facts, require_clean
from services.orders.isolate import Isolate
from services.orders.order import ENDED, Order, State, order_from_json, order_json
from services.orders.proposal import guards_json, proposal_row
from services.orders.replace import judge_change
from services.orders.replace_confirm import confirmed_change, settle_hold
from services.orders.settle import next_scan, settle
from services.orders.store import locked_row, order_row
from services.orders.tables import order_intents

_log = structlog.get_logger("orders")
_READY = (State.WORKING, State.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class _Claim:
    confirmed: Confirmed[Order]


def carry_changes(desk: Desk, broker: Broker, isolate: Isolate, *, ready: bool) -> int:
    """Send what is wanted, look for what was sent; return the steps done.

    A desk that is not ready sends nothing, but looks. One bad change never stops the others.
    """
    steps = 0
    for change in desk.runtime.read(desk.principal, list_due):
        wanted = change.state == ChangeState.WANTED
        if wanted and not ready:
            continue
        act = partial(send_change if wanted else look_for, desk, broker, change.proposal_id)
        steps += isolate(desk, change.order_id, act) or 0
    return steps


def send_change(desk: Desk, broker: Broker, proposal_id: str) -> int:
    """Claim a wanted change and ask for it once; return 1 when something changed.

    Claim and send are as those of an order: the claim is committed before the request leaves, so
    whoever comes after a crash only looks.
    """
    clock = desk.runtime.clock
    started = clock.monotonic()
    changed, claim = desk.runtime.write(desk.principal, lambda ctx: _claim(ctx, proposal_id))
    if claim is None:
        return int(changed)
    reach("replace.after_claim")
    late = clock.monotonic() - started > desk.runtime.policy.orders.claim_lease_s
    outcome: Outcome = (
        NotSent("the claim's deadline passed before sending") if late else _ask(desk, broker, claim)
    )
    reach("replace.after_request")
    desk.runtime.write(desk.principal, lambda ctx: _record(ctx, proposal_id, outcome))
    if isinstance(outcome, Accepted):
        look_for(desk, broker, proposal_id)
    return 1


def look_for(desk: Desk, broker: Broker, proposal_id: str) -> int:
    """Look once at the order of a change; fills first, then what its terms say. Returns 1 if due.

    Raises `BrokerUnreachable`; an unanswered question counts as no look.
    """
    row = desk.runtime.read(desk.principal, lambda ctx: _due(ctx, proposal_id))
    if row is None:
        return 0
    views = broker.look(desk, row.account_id, [row.client_order_id])
    for view in views:
        settle(desk, row.id, view)
    seen = views[0] if views else None
    desk.runtime.write(desk.principal, lambda ctx: _judge(ctx, proposal_id, seen))
    return 1


def _ask(desk: Desk, broker: Broker, claim: _Claim) -> Outcome:
    """Hand a confirmed change to the broker; a bare order does not type-check here."""
    order = claim.confirmed.value
    adapter = broker_for(broker, order.account_id)
    if not adapter.traits.replaces:
        return NotSent(f"{adapter.traits.name} takes no changes now")
    started = desk.runtime.clock.monotonic()
    try:
        return cast("Replaces", adapter).replace(
            desk, order.account_id, order.client_order_id, change_of(order)
        )
    finally:
        passed = desk.runtime.clock.monotonic() - started
        _log.info(
            "broker.called",
            tenant=desk.tenant_id,
            operation="replace",
            latency_ms=round(passed * 1000),
        )


def _claim(ctx: Context, proposal_id: str) -> tuple[bool, _Claim | None]:
    row = locked_row(ctx, get_change(ctx, proposal_id).order_id)
    change = get_change(ctx, proposal_id)
    if change.state != ChangeState.WANTED:
        return False, None
    over = _find_end(ctx, row, change)
    if over is not None:
        return _end(ctx, row, change, *over), None
    if State(row.state) not in _READY:
        return False, None
    try:
        confirmed = confirmed_change(ctx, change)
    except Refusal as refusal:
        freeze(ctx, f"the change of order {row.id} is not what was confirmed", subject=row.id)
        return _drop(ctx, row, change, f"{refusal.code}: {refusal.message}"), None
    verdicts, blocked = _guards(ctx, row, change, confirmed.value)
    if blocked is not None:
        waits = blocked.kind is Kind.DATA
        said = f"{blocked.code}: {blocked.message}"
        return not waits and _drop(ctx, row, change, said), None
    move_change(
        ctx,
        change,
        ChangeState.SENT,
        guards_json=verdicts,
        sent_at=ctx.now,
        scans=0,
        next_scan_at=ctx.now + timedelta(seconds=ctx.policy.orders.claim_lease_s),
    )
    reach("replace.before_claim_commit")
    return True, _Claim(confirmed)


def _find_end(ctx: Context, row: Row[Any], change: Row[Any]) -> tuple[ChangeState, str] | None:
    """Return why a wanted change is not sent any more, or None while it may be."""
    state = State(row.state)
    if state in ENDED:
        return ChangeState.OVERTAKEN, _final(row)
    if row.cancel_wanted or state in (State.CANCEL_PENDING, State.CANCEL_UNKNOWN):
        return ChangeState.DROPPED, "the cancel of the order was asked for"
    if desks.seen_now(ctx) >= change.valid_until:
        return ChangeState.DROPPED, "its confirmation ran out before sending"
    return None


def _guards(
    ctx: Context, row: Row[Any], change: Row[Any], order: Order
) -> tuple[str, Refusal | None]:
    try:
        market = require_clean(market_facts(ctx, order.symbol, order.portfolio_id))
        _, results = judge_change(
            ctx, row, order, market=market, expires_at=change.valid_until, stage=Stage.CLAIM
        )
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return "[]", refusal
    blocked = first_block(results)
    return guards_json(results), None if blocked is None else blocked.refusal()


def _record(ctx: Context, proposal_id: str, outcome: Outcome) -> None:
    """Record the answer to the request; what is unclear or only acknowledged is looked for."""
    row = locked_row(ctx, get_change(ctx, proposal_id).order_id)
    change = get_change(ctx, proposal_id)
    kind = type(outcome).__name__
    said = outcome.broker_order_id if isinstance(outcome, Accepted) else outcome.reason
    values = {"outcome": kind, "reply": said[:500], "next_scan_at": ctx.now}
    _set(ctx, proposal_id, values)
    audit.record(
        ctx,
        "order.change_answer",
        row.id,
        proposal=proposal_id,
        outcome=kind,
        reply=said[:500],
        order_hash=change.order_hash,
    )
    if change.state != ChangeState.SENT:
        return
    if isinstance(outcome, Rejected):
        _end(ctx, row, change, ChangeState.REFUSED, f"the broker refused it: {said}")
    if isinstance(outcome, NotSent):
        move_change(ctx, change, ChangeState.WANTED, reason=f"not sent: {said}", sent_at=None)


def _due(ctx: Context, proposal_id: str) -> Row[Any] | None:
    change = get_change(ctx, proposal_id)
    row = order_row(ctx, change.order_id)
    early = change.next_scan_at is not None and change.next_scan_at > desks.peek_now(ctx)
    looked = change.state in (ChangeState.SENT, ChangeState.UNSEEN)
    return row if looked and not early else None


def _judge(ctx: Context, proposal_id: str, view: BrokerView | None) -> None:
    """Move a change on by one look: it shows, the order has ended, or it is waited for."""
    row = locked_row(ctx, get_change(ctx, proposal_id).order_id)
    change = get_change(ctx, proposal_id)
    state = ChangeState(change.state)
    if state not in (ChangeState.SENT, ChangeState.UNSEEN):
        return
    order = order_from_json(proposal_row(ctx, proposal_id).order_json)
    if view is not None and view.terms == change_of(order):
        _carried(ctx, row, change, order)
        return
    if state is ChangeState.SENT and State(row.state) in ENDED:
        _end(ctx, row, change, ChangeState.OVERTAKEN, _final(row))
        return
    scans = change.scans + (view is not None)
    _set(ctx, proposal_id, next_scan(ctx, scans))
    policy = ctx.policy.orders
    waited = ctx.now - change.sent_at >= timedelta(seconds=policy.presume_window_s)
    if state is ChangeState.SENT and waited and scans >= policy.presume_scans:
        why = "the broker still shows the old terms; it is watched for, and nothing is sent again"
        move_change(ctx, get_change(ctx, proposal_id), ChangeState.UNSEEN, reason=why)


def _carried(ctx: Context, row: Row[Any], change: Row[Any], order: Order) -> None:
    """Let the order stand on its new terms: the bytes that the person confirmed become its own."""
    before = order_from_json(change.before_json)
    ctx.db.change(
        update(order_intents)
        .where(order_intents.c.id == row.id)
        .values(order_json=order_json(order), order_hash=change.order_hash, updated_at=ctx.now)
    )
    settle_hold(ctx, row, order)
    said = f"{terms_words(before)} became {terms_words(order)}"
    move_change(ctx, change, ChangeState.DONE, reason=said, ended_at=ctx.now)
    reach("replace.before_done_commit")


def _drop(ctx: Context, row: Row[Any], change: Row[Any], reason: str) -> bool:
    return _end(ctx, row, change, ChangeState.DROPPED, reason)


def _end(ctx: Context, row: Row[Any], change: Row[Any], state: ChangeState, reason: str) -> bool:
    """End a change that is not made, and give back what was held for it alone. Returns True."""
    settle_hold(ctx, row, order_from_json(row.order_json))
    move_change(ctx, change, state, reason=reason, ended_at=ctx.now)
    return True


def _final(row: Row[Any]) -> str:
    return f"ORDER_FINAL: the order is {row.state} already"


def _set(ctx: Context, proposal_id: str, values: dict[str, Any]) -> None:
    """Write columns of a change that are no arrow of it."""
    ctx.db.change(
        update(order_changes).where(order_changes.c.proposal_id == proposal_id).values(**values)
    )
