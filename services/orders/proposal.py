"""Owns proposals as they are kept: reading, declining, expiring, closing and announcing them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.canonical import canonical, document
from services.kit.context import Context
from services.kit.errors import InvariantBroken, Refusal, refuse
from services.kit.outbox import put
from services.orders import desk
from services.orders.guard_context import GuardResult
from services.orders.order import Order, Status, order_from_json
from services.orders.tables import confirm_tokens, order_intents, proposals

_PROPOSALS_MAX = 200
_PROPOSAL = select(proposals).where(proposals.c.id == bindparam("of_proposal"))
_DUE = select(proposals.c.id).where(
    proposals.c.status == Status.PENDING.value, proposals.c.expires_at <= bindparam("until")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One proposal as stored. `kind` is `order` or `cancel` (then `target_order_id` is set).

    `quote` holds bid, ask, mid, ts, source, provenance and as_of as text; `guards` the verdicts
    at the time of proposing. Only `pending` has ways out.
    """

    id: str
    kind: str
    version: int
    supersedes: str | None
    status: Status
    status_reason: str
    portfolio_id: str
    account_id: str
    user_id: str
    mode: str
    order: Order
    order_hash: str
    client_order_id: str
    target_order_id: str | None
    quote: Mapping[str, str]
    reference_mid: Decimal | None
    policy_hash: str
    dq_snapshot_id: str | None
    guards: Sequence[Mapping[str, Any]]
    risk: Mapping[str, str]
    taint: Sequence[str]
    run_id: str
    call_id: str
    conversation_id: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None


def get_proposal(ctx: Context, proposal_id: str) -> Proposal:
    """Return one proposal. Raises `PROPOSAL_UNKNOWN`."""
    return proposal_of(proposal_row(ctx, proposal_id))


def list_proposals(ctx: Context, status: str | None = None, *, limit: int = 100) -> list[Proposal]:
    """Return proposals, newest first; a pending one whose time is over counts as expired."""
    query = select(proposals).order_by(proposals.c.created_at.desc(), proposals.c.id.desc())
    if status is not None:
        query = query.where(proposals.c.status == status)
    if status == Status.PENDING:
        query = query.where(proposals.c.expires_at > desk.peek_now(ctx))
    return [proposal_of(row) for row in ctx.db.rows(query.limit(min(limit, _PROPOSALS_MAX)))]


def find_pending(ctx: Context, account_id: str, wanted: str) -> Proposal | None:
    """Return the pending proposal of an account whose intent hash is `wanted`, or None."""
    row = ctx.db.row(
        select(proposals).where(
            proposals.c.account_id == account_id,
            proposals.c.intent_hash == wanted,
            proposals.c.status == Status.PENDING.value,
        )
    )
    return None if row is None else proposal_of(row)


def decline(ctx: Context, proposal_id: str, reason: str = "") -> Proposal:
    """Close a pending proposal because the person does not want it; repeating is harmless.

    Raises `PROPOSAL_UNKNOWN` and `PROPOSAL_NOT_PENDING`.
    """
    row = proposal_row(ctx, proposal_id)
    if row.status == Status.DECLINED:
        return proposal_of(row)
    row = require_pending(ctx, proposal_id)
    close(ctx, row, Status.DECLINED, reason.strip()[:500])
    return get_proposal(ctx, proposal_id)


def expire_due(ctx: Context) -> int:
    """Close every pending proposal whose time is over; return how many."""
    rows = ctx.db.rows(
        select(proposals)
        .where(
            proposals.c.status == Status.PENDING.value, proposals.c.expires_at <= desk.seen_now(ctx)
        )
        .order_by(proposals.c.id)
    )
    for row in rows:
        close(ctx, row, Status.EXPIRED, "its time is over")
    return len(rows)


def has_due(ctx: Context) -> bool:
    """Return True when `expire_due` would close something; needs no write."""
    return ctx.db.row(_DUE, until=desk.peek_now(ctx)) is not None


def proposal_row(ctx: Context, proposal_id: str) -> Row[Any]:
    """Return the row of a proposal. Raises `PROPOSAL_UNKNOWN`."""
    row = ctx.db.row(_PROPOSAL, of_proposal=proposal_id)
    if row is None:
        raise refuse("PROPOSAL_UNKNOWN", id=proposal_id)
    return row


def require_pending(ctx: Context, proposal_id: str) -> Row[Any]:
    """Return the locked row of a proposal that is pending and whose time is not over.

    Raises `PROPOSAL_UNKNOWN`, `PROPOSAL_EXPIRED` and `PROPOSAL_NOT_PENDING`.
    """
    ctx.db.lock(f"proposal:{proposal_id}")
    row = proposal_row(ctx, proposal_id)
    if row.status == Status.EXPIRED or (
        row.status == Status.PENDING and row.expires_at <= desk.seen_now(ctx)
    ):
        raise refuse("PROPOSAL_EXPIRED", id=proposal_id, ts=str(document(row.expires_at)))
    if row.status != Status.PENDING:
        raise refuse(
            "PROPOSAL_NOT_PENDING",
            id=proposal_id,
            status=row.status,
            reason=row.status_reason or "it was decided",
        )
    return row


def close(ctx: Context, row: Row[Any], status: Status, reason: str) -> bool:
    """Take a pending proposal to a final status by a guarded update, and kill its tokens.

    Returns False when somebody else was faster.
    """
    hit = ctx.db.change(
        update(proposals)
        .where(
            proposals.c.id == row.id,
            proposals.c.version == row.version,
            proposals.c.status == Status.PENDING.value,
            proposals.c.order_hash == row.order_hash,
        )
        .values(
            status=status.value,
            status_reason=reason,
            decided_at=ctx.now,
            decided_by=ctx.principal.user_id,
        )
    )
    if hit != 1:
        return False
    ctx.db.change(
        update(confirm_tokens)
        .where(
            confirm_tokens.c.proposal_id == row.id,
            confirm_tokens.c.used_at.is_(None),
            confirm_tokens.c.revoked_at.is_(None),
        )
        .values(revoked_at=ctx.now)
    )
    audit.record(
        ctx, status.value, row.id, version=row.version, order_hash=row.order_hash, reason=reason
    )
    if status is not Status.CONFIRMED:
        _announce_end(ctx, row, status, reason)
    return True


def _announce_end(ctx: Context, row: Row[Any], status: Status, reason: str) -> None:
    """Tell that a proposal has ended; one whose order can not be read any more by its id alone."""
    try:
        ended = get_proposal(ctx, row.id)
    except (ValueError, TypeError, KeyError, InvariantBroken, Refusal):
        facts = {"proposal_id": row.id, "version": row.version, "status": status.value}
        facts |= {"reason": reason, "conversation_id": row.conversation_id, "run_id": row.run_id}
        key = f"proposal:{row.id}:{row.version}:{status.value}"
        put(ctx, "proposal.changed", row.id, facts, dedupe=key)
        return
    announce(ctx, ended)


def close_cancel_cards(ctx: Context, order_id: str, state: str, *, asked_by: str = "") -> None:
    """Invalidate the pending cards that would cancel an order which has ended in `state`.

    `asked_by` names the card whose own confirmation ended it; that one stays for its confirmer.
    """
    rows = ctx.db.rows(
        select(proposals)
        .where(
            proposals.c.target_order_id == order_id,
            proposals.c.status == Status.PENDING.value,
            proposals.c.id != asked_by,
        )
        .order_by(proposals.c.id)
    )
    for row in rows:
        close(ctx, row, Status.INVALIDATED, f"its order has ended: {state}")


def announce(ctx: Context, proposal: Proposal) -> None:
    """Tell every screen where a proposal stands; `proposal.pending` carries no token."""
    pending = proposal.status is Status.PENDING
    order_id = ctx.db.scalar(
        select(order_intents.c.id).where(
            order_intents.c.proposal_id == proposal.id, order_intents.c.parent_id.is_(None)
        )
    )
    put(
        ctx,
        "proposal.pending" if pending else "proposal.changed",
        proposal.id,
        {
            "proposal_id": proposal.id,
            "version": proposal.version,
            "status": proposal.status.value,
            "reason": proposal.status_reason,
            "order_id": order_id,
            "symbol": proposal.order.symbol,
            "side": proposal.order.side.value,
            "quantity": proposal.order.quantity,
            "kind": proposal.kind,
            "summary": summary(proposal),
            "conversation_id": proposal.conversation_id,
            "run_id": proposal.run_id,
            "expires_at": proposal.expires_at,
        },
        dedupe=f"proposal:{proposal.id}:{proposal.version}:{proposal.status.value}",
    )


def summary(proposal: Proposal) -> str:
    """Return one plain line such as `buy 10 AAPL at market, day`."""
    order = document(proposal.order)
    price = {
        "market": "at market",
        "limit": f"limit {order.get('limit_price')}",
        "stop": f"stop {order.get('stop_price')}",
    }[order["type"]]
    line = f"{order['side']} {order['quantity']} {order['symbol']} {price}, {order['tif']}"
    line += _exits(order)
    return {"cancel": f"cancel {line}", "replace": f"change to {line}"}.get(proposal.kind, line)


def _exits(order: Mapping[str, Any]) -> str:
    """Return the words of an order's exits; empty without any."""
    if order.get("order_class") == "oco":
        return f", or at market at {order['stop_loss']}"
    named = (("stop", order.get("stop_loss")), ("target", order.get("take_profit")))
    said = " and ".join(f"{name} {price}" for name, price in named if price is not None)
    return f", with {said}" if said else ""


def guards_json(results: Sequence[GuardResult]) -> str:
    """Return the canonical text of guard verdicts, as stored and audited."""
    return canonical(list(results)).decode()


def proposal_of(row: Row[Any]) -> Proposal:
    """Return the proposal of a row."""
    return Proposal(
        id=row.id,
        kind=row.kind,
        version=row.version,
        supersedes=row.supersedes,
        status=Status(row.status),
        status_reason=row.status_reason,
        portfolio_id=row.portfolio_id,
        account_id=row.account_id,
        user_id=row.user_id,
        mode=row.mode,
        order=order_from_json(row.order_json),
        order_hash=row.order_hash,
        client_order_id=row.client_order_id,
        target_order_id=row.target_order_id,
        quote=json.loads(row.quote_json),
        reference_mid=row.reference_price,
        policy_hash=row.policy_hash,
        dq_snapshot_id=row.dq_snapshot_id,
        guards=json.loads(row.guards_json),
        risk=json.loads(row.risk_json),
        taint=tuple(json.loads(row.taint)),
        run_id=row.run_id,
        call_id=row.call_id,
        conversation_id=row.conversation_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
    )
