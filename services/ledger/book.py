"""Owns the book: the one function that posts a batch, the cash it leaves, and reservations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, delete, select, update

from services.kit.context import Context
from services.kit.errors import check, refuse
from services.kit.failpoint import reach
from services.kit.money import Money
from services.ledger.entry import Plan, announce, write_batch, write_snapshots, write_trade
from services.ledger.fold import Change, PostedBatch, apply, fold, require_following
from services.ledger.position import ZERO, Terms
from services.ledger.posting import (
    Batch,
    cash_effect,
    position_effect,
    require_balanced,
    reversal_legs,
)
from services.ledger.snapshot import (
    CashSnapshot,
    HoldingSnapshot,
    get_cash,
    get_holding,
    portfolio_lock,
    terms_of,
)
from services.ledger.store import GENESIS, get_batch, read_batches
from services.ledger.tables import (
    cash_snapshots,
    holding_snapshots,
    ledger_batches,
    reservations,
    trades,
)

_SAME = select(ledger_batches.c.seq, ledger_batches.c.content_hash).where(
    ledger_batches.c.key == bindparam("with_key")
)
_LAST = (
    select(ledger_batches.c.seq, ledger_batches.c.hash)
    .where(ledger_batches.c.portfolio_id == bindparam("of_portfolio"))
    .order_by(ledger_batches.c.seq.desc())
    .limit(bindparam("newest"))
)


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a batch stands. `replayed` means that it stood there already.

    `pnl` is the realised profit or loss of a batch that closed units, else None.
    """

    seq: int
    replayed: bool
    pnl: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cash:
    """The cash of a portfolio: what is posted, what open orders hold back, what is free."""

    posted: Money
    reserved: Money
    available: Money


def append(ctx: Context, batch: Batch, *, terms: Terms | None = None) -> Posted:
    """Post one batch: legs, snapshots, trade, audit event and outbox row in the one transaction.

    The same key with the same content is answered with where it stands already. Effective times
    may lie before those of earlier batches; order is by sequence number alone. `terms` saves a
    look-up where the caller has them.
    Raises `BATCH_KEY_REUSED`, `BATCH_UNBALANCED`, `CURRENCY_MISMATCH`, `INSUFFICIENT_CASH`,
    `INSUFFICIENT_POSITION`, `PORTFOLIO_UNKNOWN`, `REVERSAL_BLOCKED`, `LEDGER_DIFFERS`.
    """
    ctx.db.lock(portfolio_lock(batch.portfolio_id))
    content_hash = batch.content_hash
    before = _find_same(ctx, batch, content_hash)
    if before is not None:
        return before
    require_balanced(batch.key, batch.legs)
    plan = _plan(ctx, batch, terms or terms_of(ctx, batch.portfolio_id), content_hash)
    reach("ledger.before_batch")
    write_batch(ctx, batch, plan)
    reach("ledger.after_entries")
    write_snapshots(ctx, batch.portfolio_id, plan)
    pnl = write_trade(ctx, batch, plan)
    reach("ledger.after_snapshots")
    announce(ctx, batch, plan)
    return Posted(plan.posted.seq, replayed=False, pnl=pnl)


def reverse(
    ctx: Context, portfolio_id: str, seq: int, *, key: str, effective_at: datetime
) -> Posted:
    """Post the reversal of batch `seq`; both stay in the book for ever.

    Raises `BATCH_UNKNOWN` and `REVERSAL_BLOCKED`: a reversal is final, happens once, and a batch
    that moved a listing can be reversed only while it is the latest one of that listing.
    """
    ctx.db.lock(portfolio_lock(portfolio_id))
    stored = get_batch(ctx, portfolio_id, seq)
    batch = Batch(
        portfolio_id=portfolio_id,
        kind="REVERSAL",
        key=key,
        effective_at=effective_at,
        legs=reversal_legs(stored.batch.legs),
        source="manual",
        ref=stored.batch.ref,
        reverses_seq=seq,
    )
    before = _find_same(ctx, batch, batch.content_hash)
    if before is not None:
        return before
    if stored.batch.kind == "REVERSAL":
        raise refuse("REVERSAL_BLOCKED", seq=seq, reason="it is a reversal itself")
    if (
        ctx.db.row(
            select(ledger_batches.c.seq).where(
                ledger_batches.c.portfolio_id == portfolio_id, ledger_batches.c.reverses_seq == seq
            )
        )
        is not None
    ):
        raise refuse("REVERSAL_BLOCKED", seq=seq, reason="it is reversed already")
    return append(ctx, batch)


def _find_same(ctx: Context, batch: Batch, content_hash: str) -> Posted | None:
    row = ctx.db.row(_SAME, with_key=batch.key)
    if row is None:
        return None
    if row.content_hash != content_hash:
        raise refuse("BATCH_KEY_REUSED", key=batch.key)
    pnl = ctx.db.scalar(
        select(trades.c.pnl).where(
            trades.c.portfolio_id == batch.portfolio_id, trades.c.seq == row.seq
        )
    )
    return Posted(row.seq, replayed=True, pnl=pnl)


def _plan(ctx: Context, batch: Batch, terms: Terms, content_hash: str) -> Plan:
    head = ctx.db.row(_LAST, of_portfolio=batch.portfolio_id, newest=1)
    seq, prev_hash = (head.seq + 1, head.hash) if head else (1, GENESIS)
    posted = PostedBatch(
        seq, batch.kind, batch.key, batch.effective_at, batch.legs, batch.reverses_seq
    )
    cash, cash_after = _plan_cash(ctx, batch, terms)
    held, change = _plan_holding(ctx, batch, posted, terms)
    return Plan(posted, content_hash, prev_hash, cash, cash_after, held, change)


def _plan_cash(ctx: Context, batch: Batch, terms: Terms) -> tuple[CashSnapshot | None, Decimal]:
    effect = cash_effect(batch.legs)
    for currency in effect:
        if currency != terms.base:
            raise refuse("CURRENCY_MISMATCH", given=currency, expected=terms.base)
    if not effect:
        return None, ZERO
    cash, move = get_cash(ctx, batch.portfolio_id, terms.base), effect[terms.base]
    free = cash.posted if batch.source == "fill" else cash.posted - cash.reserved
    if move < 0 and free + move < 0:
        raise refuse("INSUFFICIENT_CASH", need=str(-move), have=str(free))
    return cash, cash.posted + move


def _plan_holding(
    ctx: Context, batch: Batch, posted: PostedBatch, terms: Terms
) -> tuple[HoldingSnapshot | None, Change | None]:
    listing = next(iter(position_effect(batch.legs)), None)
    if listing is None:
        return None, None
    held = get_holding(ctx, batch.portfolio_id, listing, terms)
    if batch.kind == "REVERSAL":
        change = _reversal_change(ctx, batch, posted, terms)
        check(
            change is None or change.before == held.position,
            "the snapshot is the fold",
            listing=listing,
        )
    else:
        change = apply(held.position, posted, terms)
    if change is None:
        return None, None
    require_following(posted, change)
    left_free = change.after.quantity - held.reserved
    if batch.source != "fill" and batch.kind != "SPLIT" and change.sold > 0 and left_free < 0:
        raise refuse(
            "INSUFFICIENT_POSITION",
            need=str(change.sold),
            have=str(held.position.quantity - held.reserved),
        )
    return held, change


def _reversal_change(
    ctx: Context, batch: Batch, posted: PostedBatch, terms: Terms
) -> Change | None:
    listing = next(iter(position_effect(batch.legs)))
    history = fold(
        (stored.posted for stored in read_batches(ctx, batch.portfolio_id, listing=listing)), terms
    )
    return history.take(posted)


def cash(ctx: Context, portfolio_id: str) -> Cash:
    """Return the portfolio's cash in its base currency. Raises `PORTFOLIO_UNKNOWN`."""
    base = terms_of(ctx, portfolio_id).base
    snapshot = get_cash(ctx, portfolio_id, base)
    return Cash(
        Money(snapshot.posted, base),
        Money(snapshot.reserved, base),
        Money(snapshot.posted - snapshot.reserved, base),
    )


def reserve(
    ctx: Context,
    portfolio_id: str,
    order_id: str,
    *,
    cash: Decimal = ZERO,
    listing: str | None = None,
    quantity: Decimal = ZERO,
) -> None:
    """Hold back cash (a buy) or units of `listing` (a sale) for an order; repeating is harmless.

    Raises `INSUFFICIENT_CASH` and `INSUFFICIENT_POSITION` when less is free.
    """
    check(cash >= 0 and quantity >= 0, "a reservation is not negative", order_id=order_id)
    check(quantity == 0 or listing, "reserved units have a listing", order_id=order_id)
    ctx.db.lock(portfolio_lock(portfolio_id))
    known = ctx.db.row(select(reservations).where(reservations.c.order_id == order_id))
    if known is not None:
        check(
            (known.portfolio_id, known.cash, known.quantity) == (portfolio_id, cash, quantity),
            "an order reserves once",
            order_id=order_id,
        )
        return
    terms = terms_of(ctx, portfolio_id)
    if cash:
        held = get_cash(ctx, portfolio_id, terms.base)
        if held.posted - held.reserved < cash:
            raise refuse("INSUFFICIENT_CASH", need=str(cash), have=str(held.posted - held.reserved))
    if quantity and listing:
        holding = get_holding(ctx, portfolio_id, listing, terms)
        if holding.position.quantity - holding.reserved < quantity:
            raise refuse(
                "INSUFFICIENT_POSITION",
                need=str(quantity),
                have=str(holding.position.quantity - holding.reserved),
            )
    ctx.db.insert(
        reservations,
        {
            "portfolio_id": portfolio_id,
            "order_id": order_id,
            "currency": terms.base,
            "cash": cash,
            "listing": listing or "",
            "quantity": quantity,
            "at": ctx.now,
        },
    )
    _move_reserved(ctx, portfolio_id, (terms.base, cash), (listing or "", quantity))


def release(
    ctx: Context, order_id: str, *, keep_cash: Decimal = ZERO, keep_quantity: Decimal = ZERO
) -> None:
    """Shrink an order's reservation to what it still needs; nothing kept removes it.

    An order without a reservation is left alone.
    """
    query = select(reservations).where(reservations.c.order_id == order_id)
    first = ctx.db.row(query)
    if first is None:
        return
    ctx.db.lock(portfolio_lock(first.portfolio_id))
    row = ctx.db.row(query)
    if row is None:
        return
    check(
        ZERO <= keep_cash <= row.cash and ZERO <= keep_quantity <= row.quantity,
        "a release only shrinks",
        order_id=order_id,
    )
    if keep_cash or keep_quantity:
        ctx.db.change(
            update(reservations)
            .where(reservations.c.order_id == order_id)
            .values(cash=keep_cash, quantity=keep_quantity)
        )
    else:
        ctx.db.change(delete(reservations).where(reservations.c.order_id == order_id))
    _move_reserved(
        ctx,
        row.portfolio_id,
        (row.currency, keep_cash - row.cash),
        (row.listing, keep_quantity - row.quantity),
    )


def _move_reserved(
    ctx: Context, portfolio_id: str, cash: tuple[str, Decimal], units: tuple[str, Decimal]
) -> None:
    currency, amount = cash
    listing, quantity = units
    if amount:
        ctx.db.change(
            update(cash_snapshots)
            .where(
                cash_snapshots.c.portfolio_id == portfolio_id, cash_snapshots.c.currency == currency
            )
            .values(reserved=cash_snapshots.c.reserved + amount)
        )
    if quantity:
        ctx.db.change(
            update(holding_snapshots)
            .where(
                holding_snapshots.c.portfolio_id == portfolio_id,
                holding_snapshots.c.listing == listing,
            )
            .values(reserved=holding_snapshots.c.reserved + quantity)
        )
