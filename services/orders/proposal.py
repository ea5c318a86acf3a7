"""Owns proposals: making, finding, editing, declining and expiring them. None of it executes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.canonical import canonical, document, tagged_hash
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.outbox import put
from services.ledger import portfolio
from services.orders import desk
from services.orders.draft import OrderDraft, Risk, Terms, build_order, build_risk
from services.orders.guard import GuardResult, Stage, evaluate, first_block
from services.orders.guard_facts import (
    MarketFacts,
    commission_of,
    guard_context,
    market_facts,
    require_clean,
)
from services.orders.order import (
    OPEN,
    Order,
    OrderType,
    State,
    Status,
    intent_hash,
    order_from_json,
    order_hash,
    order_json,
)
from services.orders.store import order_row
from services.orders.tables import confirm_tokens, order_intents, proposals

_PROPOSALS_MAX = 200


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a proposal came from: the run, call and conversation, and what tainted its values."""

    run_id: str = ""
    call_id: str = ""
    conversation_id: str = ""
    taint: tuple[str, ...] = ()


def propose(
    ctx: Context,
    draft: OrderDraft,
    *,
    run_id: str = "",
    call_id: str = "",
    conversation_id: str = "",
    taint: Sequence[str] = (),
) -> Proposal:
    """Store a pending proposal of exactly one order; it has no other effect.

    An identical order that is already pending is returned instead of a second one. Raises
    `SYMBOL_UNKNOWN`, `PARAM_INVALID`, `STOP_WRONG_SIDE` and the refusal of the first guard that
    blocks, such as `KILL_SWITCH`, `DQ_BLOCK`, `MARKET_CLOSED`, `QTY_INVALID`,
    `INSUFFICIENT_CASH` and `INSUFFICIENT_POSITION`; its facts name the `guard`.
    """
    origin = Origin(
        run_id=run_id, call_id=call_id, conversation_id=conversation_id, taint=tuple(taint)
    )
    market, order = _draft_order(ctx, draft)
    ctx.db.lock(f"propose:{order.account_id}")
    expire_due(ctx)
    known = _find_pending(ctx, order.account_id, intent_hash(order))
    return known or _store_order(ctx, order, market, origin=origin)


def _find_pending(ctx: Context, account_id: str, wanted: str) -> Proposal | None:
    row = ctx.db.row(
        select(proposals).where(
            proposals.c.account_id == account_id,
            proposals.c.intent_hash == wanted,
            proposals.c.status == Status.PENDING.value,
        )
    )
    return None if row is None else proposal_of(row)


def _draft_order(ctx: Context, draft: OrderDraft) -> tuple[MarketFacts, Order]:
    book = portfolio.get_portfolio(ctx, draft.portfolio_id)
    account = portfolio.account_of(ctx, book.id)
    market = require_clean(market_facts(ctx, draft.symbol))
    if market.instrument.currency != account.currency:
        raise refuse(
            "CURRENCY_MISMATCH", given=market.instrument.currency, expected=account.currency
        )
    terms = Terms(
        instrument=market.instrument,
        quote=market.quote,
        tick=market.tick,
        account_id=account.id,
        portfolio_id=book.id,
        mode=account.mode,
        client_order_id=ctx.ids.new("cm").replace("_", "-"),
    )
    return market, build_order(draft, terms, ctx.policy.orders)


def _store_order(
    ctx: Context,
    order: Order,
    market: MarketFacts,
    *,
    origin: Origin,
    version: int = 1,
    supersedes: str | None = None,
) -> Proposal:
    expires_at = desk.seen_now(ctx) + timedelta(seconds=_ttl_s(ctx, order))
    seen = guard_context(ctx, order, Stage.PROPOSE, market=market, expires_at=expires_at)
    results = evaluate(seen)
    blocked = first_block(results)
    if blocked is not None:
        raise blocked.refusal()
    risk = build_risk(
        order,
        market.quote,
        commission=commission_of(ctx, order.quantity),
        equity=seen.equity,
        risk_pct=ctx.policy.sizing.risk_pct,
    )
    return _insert(
        ctx,
        order,
        origin,
        {
            "kind": "order",
            "version": version,
            "supersedes": supersedes,
            "target_order_id": None,
            "quote_json": _quote_json(market),
            "reference_price": market.quote.mid,
            "dq_snapshot_id": market.dq_snapshot_id,
            "expires_at": expires_at,
            "guards_json": guards_json(results),
            "intent_hash": intent_hash(order),
            "risk_json": canonical(risk).decode(),
            "risk_hash": tagged_hash("risk/v1", risk),
        },
    )


def propose_cancel(
    ctx: Context,
    order_id: str,
    *,
    run_id: str = "",
    call_id: str = "",
    conversation_id: str = "",
    taint: Sequence[str] = (),
) -> Proposal:
    """Store a pending proposal to cancel an order; the person confirms it like any other card.

    Raises `ORDER_UNKNOWN`, and `ORDER_FINAL` when the order has ended.
    """
    row = order_row(ctx, order_id)
    if State(row.state) not in OPEN:
        raise refuse("ORDER_FINAL", id=order_id, state=row.state)
    ctx.db.lock(f"propose:{row.account_id}")
    expire_due(ctx)
    wanted = tagged_hash("cancel/v1", {"order": order_id})
    known = _find_pending(ctx, row.account_id, wanted)
    if known is not None:
        return known
    order = order_from_json(row.order_json)
    risk = Risk(
        reference_price=order.worst_price,
        notional=Decimal(0),
        commission=Decimal(0),
        cost=Decimal(0),
    )
    origin = Origin(
        run_id=run_id, call_id=call_id, conversation_id=conversation_id, taint=tuple(taint)
    )
    order = replace(order, client_order_id=ctx.ids.new("cx").replace("_", "-"))
    ttl = timedelta(seconds=ctx.policy.orders.ttl_paper_s)
    return _insert(
        ctx,
        order,
        origin,
        {
            "kind": "cancel",
            "version": 1,
            "supersedes": None,
            "target_order_id": order_id,
            "quote_json": "{}",
            "reference_price": None,
            "dq_snapshot_id": None,
            "expires_at": desk.seen_now(ctx) + ttl,
            "guards_json": "[]",
            "intent_hash": wanted,
            "risk_json": canonical(risk).decode(),
            "risk_hash": tagged_hash("risk/v1", risk),
        },
    )


def _insert(ctx: Context, order: Order, origin: Origin, values: dict[str, Any]) -> Proposal:
    proposal_id = ctx.ids.new("prop")
    ctx.db.insert(
        proposals,
        {
            "id": proposal_id,
            "status": Status.PENDING.value,
            "status_reason": "",
            "portfolio_id": order.portfolio_id,
            "account_id": order.account_id,
            "user_id": ctx.principal.user_id,
            "mode": order.mode,
            "order_json": order_json(order),
            "order_hash": order_hash(order),
            "client_order_id": order.client_order_id,
            "policy_hash": ctx.policy.hash,
            "taint": json.dumps(list(origin.taint)),
            "run_id": origin.run_id,
            "call_id": origin.call_id,
            "conversation_id": origin.conversation_id,
            "misses": 0,
            "created_at": ctx.now,
            "decided_at": None,
            "decided_by": None,
            **values,
        },
    )
    proposal = get_proposal(ctx, proposal_id)
    audit.record(
        ctx,
        "proposed",
        proposal_id,
        kind_of=proposal.kind,
        version=proposal.version,
        order=document(order),
        order_hash=proposal.order_hash,
        quote=dict(proposal.quote),
        risk=dict(proposal.risk),
        policy_hash=proposal.policy_hash,
        dq_snapshot_id=proposal.dq_snapshot_id,
        taint=list(origin.taint),
        run=origin.run_id,
        call=origin.call_id,
        supersedes=proposal.supersedes,
    )
    announce(ctx, proposal)
    return proposal


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


def edit(ctx: Context, proposal_id: str, changes: Mapping[str, Any]) -> Proposal:
    """Replace a pending proposal by a new version with `changes`; its old tokens die.

    When the edited order is pending already, that proposal is returned instead of a second one.

    `changes` may name quantity, type, limit_price, stop_price, protective_stop (Decimals) and
    tif. Raises `PROPOSAL_UNKNOWN`, `PROPOSAL_NOT_PENDING`, `EDIT_EMPTY` and what `propose` raises.
    """
    row = require_pending(ctx, proposal_id)
    if row.kind == "cancel":
        raise refuse("EDIT_EMPTY")
    before = order_from_json(row.order_json)
    draft = _edited(before, changes)
    market, order = _draft_order(ctx, draft)
    if intent_hash(order) == intent_hash(before):
        raise refuse("EDIT_EMPTY")
    ctx.db.lock(f"propose:{order.account_id}")
    expire_due(ctx)
    known = _find_pending(ctx, order.account_id, intent_hash(order))
    close(ctx, row, Status.SUPERSEDED, f"edited into {known.id}" if known else "edited")
    if known is not None:
        return known
    origin = Origin(
        run_id=row.run_id,
        call_id=row.call_id,
        conversation_id=row.conversation_id,
        taint=tuple(json.loads(row.taint)),
    )
    return _store_order(
        ctx, order, market, origin=origin, version=row.version + 1, supersedes=proposal_id
    )


_EDITABLE = ("quantity", "type", "limit_price", "stop_price", "protective_stop", "tif")


def _edited(order: Order, changes: Mapping[str, Any]) -> OrderDraft:
    given = {name: value for name, value in changes.items() if value is not None}
    unknown = sorted(set(given) - set(_EDITABLE))
    if unknown:
        raise refuse(
            "PARAM_INVALID",
            field=unknown[0],
            name=unknown[0],
            value="given",
            rule="this can not be edited",
        )
    kind = str(given.get("type", order.type.value))
    prices = {
        "limit_price": order.limit_price if kind == OrderType.LIMIT else None,
        "stop_price": order.stop_price if kind == OrderType.STOP else None,
    }
    values: dict[str, Any] = {
        "quantity": order.quantity,
        "tif": order.tif.value,
        **prices,
        "protective_stop": order.protective_stop,
        **given,
        "type": kind,
    }
    return OrderDraft(
        symbol=order.symbol,
        side=order.side.value,
        basis_ref=order.basis_ref,
        portfolio_id=order.portfolio_id,
        **values,
    )


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
    return (
        ctx.db.row(
            select(proposals.c.id).where(
                proposals.c.status == Status.PENDING.value,
                proposals.c.expires_at <= desk.peek_now(ctx),
            )
        )
        is not None
    )


def proposal_row(ctx: Context, proposal_id: str) -> Row[Any]:
    """Return the row of a proposal. Raises `PROPOSAL_UNKNOWN`."""
    row = ctx.db.row(select(proposals).where(proposals.c.id == proposal_id))
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
        announce(ctx, get_proposal(ctx, row.id))
    return True


def announce(ctx: Context, proposal: Proposal) -> None:
    """Tell every screen where a proposal stands; `proposal.pending` carries no token."""
    pending = proposal.status is Status.PENDING
    order_id = ctx.db.scalar(
        select(order_intents.c.id).where(order_intents.c.proposal_id == proposal.id)
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
    return f"cancel {line}" if proposal.kind == "cancel" else line


def guards_json(results: Sequence[GuardResult]) -> str:
    """Return the canonical text of guard verdicts, as stored and audited."""
    return canonical(list(results)).decode()


def _ttl_s(ctx: Context, order: Order) -> int:
    policy = ctx.policy.orders
    if order.mode == "paper":
        return policy.ttl_paper_s
    return policy.ttl_live_market_s if order.type is OrderType.MARKET else policy.ttl_live_limit_s


def _quote_json(market: MarketFacts) -> str:
    quote = market.quote
    return canonical(
        {
            "bid": quote.bid,
            "ask": quote.ask,
            "mid": quote.mid,
            "last": quote.last,
            "ts": quote.ts,
            "source": quote.source,
            "provenance": str(quote.provenance),
            "as_of": market.as_of,
            "market_state": market.state,
            "session_date": market.session_date,
        }
    ).decode()


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
