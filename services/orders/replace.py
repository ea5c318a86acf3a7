"""Owns proposing a change of a working order: the same order on other terms, as a card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit
from services.kit.canonical import canonical, tagged_hash
from services.kit.context import Context
from services.kit.errors import refuse
from services.ledger.tables import reservations
from services.orders import desk
from services.orders.broker import broker_of
from services.orders.broker_routes import broker_for
from services.orders.change import change_of, find_standing
from services.orders.change_tables import ChangeState, order_changes
from services.orders.draft import OrderDraft, Terms, build_order, build_risk, reference_price
from services.orders.guard import evaluate, first_block
from services.orders.guard_context import GuardContext, GuardResult, Stage
from services.orders.guard_facts import MarketFacts, clean_market, commission_of, guard_context
from services.orders.order import (
    OPEN,
    Order,
    OrderType,
    State,
    intent_hash,
    order_from_json,
    order_hash,
)
from services.orders.proposal import Proposal, expire_due, find_pending, guards_json
from services.orders.propose import Origin, insert_proposal, quote_json, ttl_s
from services.orders.store import order_row
from services.trade.user_plan import cost_per_unit

_ZERO = Decimal(0)
_CHANGEABLE = (State.WORKING, State.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTerms:
    """What of a working order is to be different; None stays. Prices per unit.

    A price stays only while the type does. Symbol, side and quantity never change.
    """

    type: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: str | None = None


def propose_replace(ctx: Context, order_id: str, terms: NewTerms, **origin: Any) -> Proposal:
    """Store a pending proposal to change a working order in place; it has no other effect.

    The proposal holds the order as it would stand, with the client id of the order it changes, so
    its hash binds both. `origin` is as `propose` takes it. Raises `ORDER_UNKNOWN`, `ORDER_FINAL`,
    `ORDER_BUSY`, `REPLACE_UNAVAILABLE`, `EDIT_EMPTY`, `PARAM_INVALID`, and what the guards refuse.
    """
    row = order_row(ctx, order_id)
    require_changeable(ctx, row)
    before = order_from_json(row.order_json)
    market, order = _changed(ctx, before, terms)
    if change_of(order) == change_of(before):
        raise refuse("EDIT_EMPTY")
    _require_same_kind(ctx, row, before, order)
    ctx.db.lock(f"propose:{row.account_id}")
    expire_due(ctx)
    wanted = tagged_hash("replace/v1", {"order": order_id, "wanted": intent_hash(order)})
    known = find_pending(ctx, row.account_id, wanted)
    expires_at = desk.seen_now(ctx) + timedelta(seconds=ttl_s(ctx, order))
    if known is not None:
        expires_at = known.expires_at
    seen, results = judge_change(ctx, row, order, market=market, expires_at=expires_at)
    blocked = first_block(results)
    if blocked is not None:
        raise blocked.refusal()
    if known is not None:
        return known
    values = _values(ctx, seen, market, results, intent=wanted)
    made = insert_proposal(
        ctx,
        order,
        Origin(**{**origin, "taint": tuple(origin.get("taint", ()))}),
        values | {"target_order_id": order_id, "expires_at": expires_at},
    )
    _keep(ctx, row, made)
    return made


def require_changeable(ctx: Context, row: Row[Any]) -> None:
    """Return when an order can be changed in place now.

    Raises `ORDER_FINAL` for one that has ended, `REPLACE_UNAVAILABLE` where the broker can not
    change it or exits hang on it, and `ORDER_BUSY` while it is not plainly working.
    """
    state, order = State(row.state), order_from_json(row.order_json)
    if state not in OPEN:
        raise refuse("ORDER_FINAL", id=row.id, state=state.value)
    traits = broker_for(broker_of(ctx), row.account_id).traits
    if not traits.replaces:
        why = f"{traits.name} takes no changes of a working order here"
        raise refuse("REPLACE_UNAVAILABLE", id=row.id, reason=why)
    if traits.changes_anew and row.filled_quantity > 0:
        why = f"a part of it has filled, and {traits.name} would order the whole again"
        raise refuse("REPLACE_UNAVAILABLE", id=row.id, reason=why)
    if order.order_class is not None or row.parent_id is not None:
        why = "it belongs together with other orders"
        raise refuse("REPLACE_UNAVAILABLE", id=row.id, reason=why)
    standing = find_standing(ctx, row.id)
    if standing is not None:
        unseen = standing.state == ChangeState.UNSEEN
        why = "an earlier change was never seen" if unseen else "a change of it is on its way"
        raise refuse("ORDER_BUSY", id=row.id, reason=why)
    if state not in _CHANGEABLE or row.cancel_wanted:
        why = "its cancel was asked for" if row.cancel_wanted else f"it is {state.value}"
        raise refuse("ORDER_BUSY", id=row.id, reason=why)


def _require_same_kind(ctx: Context, row: Row[Any], before: Order, order: Order) -> None:
    """Refuse to make a stop of another order, or the reverse, where the broker can not."""
    traits = broker_for(broker_of(ctx), row.account_id).traits
    stops = [one.type is OrderType.STOP for one in (before, order)]
    if traits.changes_anew and any(stops) and not all(stops):
        why = f"{traits.name} keeps the type of an order"
        raise refuse("REPLACE_UNAVAILABLE", id=row.id, reason=why)


def judge_change(
    ctx: Context,
    row: Row[Any],
    order: Order,
    *,
    market: MarketFacts,
    expires_at: datetime,
    stage: Stage = Stage.PROPOSE,
    reference_mid: Decimal | None = None,
) -> tuple[GuardContext, list[GuardResult]]:
    """Return every guard's verdict on what is left of the changed order.

    What the order holds back already counts as free, because the change takes its place.
    """
    rest = replace(order, quantity=order.quantity - row.filled_quantity)
    seen = guard_context(
        ctx, rest, stage, market=market, expires_at=expires_at, reference_mid=reference_mid
    )
    seen = replace(seen, cash_available=seen.cash_available + held_cash(ctx, row.id))
    return seen, evaluate(seen)


def held_cash(ctx: Context, order_id: str) -> Decimal:
    """Return the cash that an order holds back; 0 without a reservation."""
    found = ctx.db.scalar(select(reservations.c.cash).where(reservations.c.order_id == order_id))
    return _ZERO if found is None else Decimal(found)


def _changed(ctx: Context, before: Order, terms: NewTerms) -> tuple[MarketFacts, Order]:
    kind = terms.type or before.type.value
    if kind == OrderType.MARKET:
        rule = "a working order changes into one with a price: limit or stop"
        raise refuse("PARAM_INVALID", field="type", name="type", value=kind, rule=rule)
    kept = before.type.value == kind
    limit = before.limit_price if kept and terms.limit_price is None else terms.limit_price
    stop = before.stop_price if kept and terms.stop_price is None else terms.stop_price
    draft = OrderDraft(
        symbol=before.symbol,
        side=before.side.value,
        quantity=before.quantity,
        type=kind,
        limit_price=limit,
        stop_price=stop,
        tif=terms.tif or before.tif.value,
        protective_stop=before.protective_stop,
        basis_ref=before.basis_ref,
        portfolio_id=before.portfolio_id,
    )
    market = clean_market(ctx, before.symbol, before.portfolio_id)
    fixed = Terms(
        instrument=market.instrument,
        quote=market.quote,
        tick=market.tick,
        account_id=before.account_id,
        portfolio_id=before.portfolio_id,
        mode=before.mode,
        client_order_id=before.client_order_id,
    )
    return market, build_order(draft, fixed, ctx.policy.orders)


def _values(
    ctx: Context,
    seen: GuardContext,
    market: MarketFacts,
    results: list[GuardResult],
    *,
    intent: str,
) -> dict[str, Any]:
    reference = reference_price(seen.order, market.quote)
    risk = build_risk(
        seen.order,
        reference,
        commission=commission_of(ctx, seen.order.quantity),
        unit_cost=cost_per_unit(ctx, reference),
        equity=seen.open_equity,
        risk_pct=ctx.policy.sizing.risk_pct,
    )
    return {
        "kind": "replace",
        "version": 1,
        "supersedes": None,
        "client_order_id": ctx.ids.new("cr").replace("_", "-"),
        "quote_json": quote_json(market),
        "reference_price": market.quote.mid,
        "dq_snapshot_id": market.dq_snapshot_id,
        "guards_json": guards_json(results),
        "intent_hash": intent,
        "risk_json": canonical(risk).decode(),
        "risk_hash": tagged_hash("risk/v1", risk),
    }


def _keep(ctx: Context, row: Row[Any], made: Proposal) -> None:
    ctx.db.insert(
        order_changes,
        {
            "proposal_id": made.id,
            "order_id": row.id,
            "before_json": row.order_json,
            "before_hash": row.order_hash,
            "order_hash": made.order_hash,
            "state": ChangeState.PROPOSED.value,
            "reason": "",
            "token_id": "",
            "guards_json": "[]",
            "outcome": "",
            "reply": "",
            "scans": 0,
            "confirmed_by": "",
            "valid_until": made.expires_at,
            "confirmed_at": None,
            "sent_at": None,
            "next_scan_at": None,
            "ended_at": None,
        },
    )
    audit.record(
        ctx,
        "order.change_proposed",
        row.id,
        proposal=made.id,
        before_hash=row.order_hash,
        order_hash=order_hash(made.order),
    )
