"""Owns confirming a change of a working order: the wish is stored, and what it may cost is held."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import Kind, Refusal, check, refuse
from services.kit.money import tick_round
from services.kit.outbox import wake
from services.ledger.book import release, reserve
from services.orders.attempt import invalidated, refused, tampered
from services.orders.card import typed_phrase
from services.orders.change import get_change, move_change
from services.orders.change_tables import ChangeState
from services.orders.confirmed import SEAL, Confirmed
from services.orders.guard import first_block, needs_typing
from services.orders.guard_context import GuardContext, GuardResult, Stage
from services.orders.guard_facts import clean_market, commission_of, latch_day_loss
from services.orders.order import Order, Side, Status, order_from_json, stored_hash
from services.orders.proposal import close, guards_json, proposal_row
from services.orders.replace import held_cash, judge_change, require_changeable
from services.orders.store import locked_row
from services.orders.tables import confirm_tokens, order_intents
from services.orders.tokens import burn

_CENT = Decimal("0.01")


def confirm_replace(
    ctx: Context, row: Row[Any], found: Row[Any], typed: str | None
) -> Refusal | None:
    """Confirm a change with a valid token: close the card, hold the cash, store the wish.

    The guards run on fresh data over the changed order; cash that it needs beyond what the order
    holds is held before anything is asked of the broker. Returns the refusal whose traces are
    written, such as `ORDER_FINAL`, `ORDER_CHANGED` or `INSUFFICIENT_CASH`, or None when confirmed.
    """
    target, change = locked_row(ctx, row.target_order_id), get_change(ctx, row.id)
    order = order_from_json(row.order_json)
    if (order.client_order_id, change.order_hash, change.order_id) != (
        target.client_order_id,
        row.order_hash,
        target.id,
    ):
        return tampered(ctx, row, found)
    try:
        require_changeable(ctx, target)
        if target.order_hash != change.before_hash:
            raise refuse("ORDER_CHANGED", id=target.id)
        seen, results = _judge(ctx, row, target, order)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return invalidated(ctx, row, found, refusal)
    blocked = first_block(results)
    if blocked is not None:
        return invalidated(ctx, row, found, blocked.refusal(), results)
    expected = typed_phrase(order)
    if (order.mode == "live" or needs_typing(results)) and _plain(typed) != _plain(expected):
        said = (typed or "nothing")[:40]
        mismatch = refuse("CONFIRM_TYPED_MISMATCH", field="typed", typed=said, expected=expected)
        return refused(ctx, row, mismatch)
    try:
        _hold(ctx, target, order, seen)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return invalidated(ctx, row, found, refusal, results)
    check(close(ctx, row, Status.CONFIRMED, "confirmed"), "a pending card closes", card=row.id)
    burn(ctx, found, "confirmed")
    _want(ctx, change, found, results)
    return None


def confirmed_change(ctx: Context, change: Row[Any]) -> Confirmed[Order]:
    """Return the proof of a change that a person confirmed, read anew from the rows it left.

    The card's bytes, its hash, the wish's hash and one burned token must all agree, and the card
    must name this order. Raises `ORDER_HASH_MISMATCH` otherwise; then nothing may be sent.
    """
    card = proposal_row(ctx, change.proposal_id)
    token = ctx.db.row(select(confirm_tokens).where(confirm_tokens.c.id == change.token_id))
    hashes = {change.order_hash, card.order_hash, stored_hash(card.order_json)}
    burned = (
        token is not None
        and token.proposal_id == change.proposal_id
        and token.used_at is not None
        and token.outcome == "confirmed"
        and token.order_hash == change.order_hash
    )
    mine = card.kind == "replace" and card.target_order_id == change.order_id
    if len(hashes) != 1 or not burned or not mine or card.status != Status.CONFIRMED:
        raise refuse("ORDER_HASH_MISMATCH", order=change.order_id)
    return Confirmed(
        value=order_from_json(card.order_json),
        proposal_id=card.id,
        order_id=change.order_id,
        confirmed_by=change.confirmed_by,
        confirmed_at=change.confirmed_at,
        seal=SEAL,
    )


def settle_hold(ctx: Context, row: Row[Any], order: Order) -> None:
    """Store what bounds an order on the terms of `order`, and give back what it holds beyond."""
    worst = order.worst_price
    ctx.db.change(
        update(order_intents).where(order_intents.c.id == row.id).values(worst_price=worst)
    )
    if order.side is not Side.BUY:
        return
    rest, held = order.quantity - row.filled_quantity, held_cash(ctx, row.id)
    if rest > 0 and held > 0:
        need = tick_round(rest * worst, _CENT, "ceil") + commission_of(ctx, rest)
        release(ctx, row.id, keep_cash=min(held, need))


def _judge(
    ctx: Context, row: Row[Any], target: Row[Any], order: Order
) -> tuple[GuardContext, list[GuardResult]]:
    market = clean_market(ctx, order.symbol, order.portfolio_id)
    seen, results = judge_change(
        ctx,
        target,
        order,
        market=market,
        expires_at=row.expires_at,
        stage=Stage.CONFIRM,
        reference_mid=row.reference_price,
    )
    if first_block(results) is not None:
        latch_day_loss(ctx, seen, market.session_key)
    return seen, results


def _hold(ctx: Context, target: Row[Any], order: Order, seen: GuardContext) -> None:
    """Hold the cash that a buy may need on either terms. Raises `INSUFFICIENT_CASH`."""
    if order.side is not Side.BUY:
        return
    held = held_cash(ctx, target.id)
    if seen.cost > held:
        release(ctx, target.id)
        try:
            reserve(ctx, target.portfolio_id, target.id, cash=seen.cost)
        except Refusal:
            reserve(ctx, target.portfolio_id, target.id, cash=held)
            raise
    worst = max(target.worst_price, order.worst_price)
    ctx.db.change(
        update(order_intents).where(order_intents.c.id == target.id).values(worst_price=worst)
    )


def _want(ctx: Context, change: Row[Any], found: Row[Any], results: list[GuardResult]) -> None:
    move_change(
        ctx,
        change,
        ChangeState.WANTED,
        token_id=found.id,
        guards_json=guards_json(results),
        confirmed_by=ctx.principal.user_id,
        confirmed_at=ctx.now,
    )
    wake(ctx, "orders", ctx.principal.tenant_id)


def _plain(typed: str | None) -> list[str]:
    return (typed or "").casefold().split()
