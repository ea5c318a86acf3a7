"""Owns the making of proposals: one order, a cancel or an edited version. None executes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services import audit
from services.kit.canonical import canonical, document, tagged_hash
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.failpoint import reach
from services.ledger import portfolio
from services.orders import desk
from services.orders.draft import OrderDraft, Risk, Terms, build_order, build_risk, reference_price
from services.orders.guard import evaluate, first_block
from services.orders.guard_context import GuardContext, GuardResult, Stage
from services.orders.guard_facts import MarketFacts, clean_market, commission_of, guard_context
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
from services.orders.proposal import (
    Proposal,
    announce,
    close,
    expire_due,
    find_pending,
    get_proposal,
    guards_json,
    require_pending,
)
from services.orders.store import order_row
from services.orders.tables import proposals
from services.trade.user_plan import cost_per_unit

_EDITABLE = (
    "quantity",
    "type",
    "limit_price",
    "stop_price",
    "protective_stop",
    "tif",
    "take_profit",
    "stop_loss",
)


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

    An identical order that is already pending is returned instead of a second one, once the
    guards let it pass again: a card from before a halt is no way around it. Raises
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
    known = find_pending(ctx, order.account_id, intent_hash(order))
    if known is not None:
        _require_allowed(ctx, order, market, known.expires_at)
        return known
    return _store_order(ctx, order, market, origin=origin)


def _draft_order(ctx: Context, draft: OrderDraft) -> tuple[MarketFacts, Order]:
    book = portfolio.get_portfolio(ctx, draft.portfolio_id)
    account = portfolio.account_of(ctx, book.id)
    market = clean_market(ctx, draft.symbol, book.id)
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
    expires_at = desk.seen_now(ctx) + timedelta(seconds=ttl_s(ctx, order))
    seen, results = _require_allowed(ctx, order, market, expires_at)
    reference = reference_price(order, market.quote)
    risk = build_risk(
        order,
        reference,
        commission=commission_of(ctx, order.quantity),
        unit_cost=cost_per_unit(ctx, reference),
        equity=seen.open_equity,
        risk_pct=ctx.policy.sizing.risk_pct,
    )
    return insert_proposal(
        ctx,
        order,
        origin,
        {
            "kind": "order",
            "version": version,
            "supersedes": supersedes,
            "target_order_id": None,
            "quote_json": quote_json(market),
            "reference_price": market.quote.mid,
            "dq_snapshot_id": market.dq_snapshot_id,
            "expires_at": expires_at,
            "guards_json": guards_json(results),
            "intent_hash": intent_hash(order),
            "risk_json": canonical(risk).decode(),
            "risk_hash": tagged_hash("risk/v1", risk),
        },
    )


def _require_allowed(
    ctx: Context, order: Order, market: MarketFacts, expires_at: datetime
) -> tuple[GuardContext, list[GuardResult]]:
    seen = guard_context(ctx, order, Stage.PROPOSE, market=market, expires_at=expires_at)
    results = evaluate(seen)
    blocked = first_block(results)
    if blocked is not None:
        raise blocked.refusal()
    return seen, results


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
    known = find_pending(ctx, row.account_id, wanted)
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
    return insert_proposal(
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


def insert_proposal(ctx: Context, order: Order, origin: Origin, values: dict[str, Any]) -> Proposal:
    """Store a pending proposal of `order` with `values`, audited and told; return it."""
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
    reach("propose.before_commit")
    return proposal


def edit(ctx: Context, proposal_id: str, changes: Mapping[str, Any]) -> Proposal:
    """Replace a pending proposal by a new version with `changes`; its old tokens die.

    When the edited order is pending already, that proposal is returned instead of a second one.

    `changes` may name quantity, type, limit_price, stop_price, protective_stop, take_profit,
    stop_loss (Decimals) and tif. Raises `PROPOSAL_UNKNOWN`, `PROPOSAL_NOT_PENDING`, `EDIT_EMPTY`
    and what `propose` raises.
    """
    row = require_pending(ctx, proposal_id)
    if row.kind != "order":
        raise refuse("EDIT_EMPTY")
    before = order_from_json(row.order_json)
    draft = _edited(before, changes)
    market, order = _draft_order(ctx, draft)
    if intent_hash(order) == intent_hash(before):
        raise refuse("EDIT_EMPTY")
    ctx.db.lock(f"propose:{order.account_id}")
    expire_due(ctx)
    known = find_pending(ctx, order.account_id, intent_hash(order))
    if known is not None:
        _require_allowed(ctx, order, market, known.expires_at)
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
        "take_profit": order.take_profit,
        "stop_loss": order.stop_loss,
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


def ttl_s(ctx: Context, order: Order) -> int:
    """Return how many seconds a person may take to confirm an order."""
    policy = ctx.policy.orders
    if order.mode == "paper":
        return policy.ttl_paper_s
    return policy.ttl_live_market_s if order.type is OrderType.MARKET else policy.ttl_live_limit_s


def quote_json(market: MarketFacts) -> str:
    """Return the quote that a card shows, as canonical text."""
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
