"""Owns writing a planned posting: batch, legs, snapshots, trade, audit event and outbox row."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from services import audit
from services.kit import outbox
from services.kit.canonical import canonical
from services.kit.context import Context
from services.ledger.fold import Change, PostedBatch
from services.ledger.position import FLAT
from services.ledger.posting import Batch, is_currency
from services.ledger.snapshot import (
    CashSnapshot,
    HoldingSnapshot,
    store_cash,
    store_holding,
    symbol_of,
)
from services.ledger.store import seal
from services.ledger.tables import ledger_batches, ledger_entries, trades


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a posting will write, decided before the first write."""

    posted: PostedBatch
    content_hash: str
    prev_hash: str
    cash: CashSnapshot | None
    cash_after: Decimal
    held: HoldingSnapshot | None
    change: Change | None


def write_batch(ctx: Context, batch: Batch, plan: Plan) -> None:
    """Insert the batch, sealed to the one before it, and its legs."""
    seq = plan.posted.seq
    ctx.db.insert(
        ledger_batches,
        {
            "portfolio_id": batch.portfolio_id,
            "seq": seq,
            "kind": batch.kind,
            "key": batch.key,
            "effective_at": batch.effective_at,
            "recorded_at": ctx.now,
            "reverses_seq": batch.reverses_seq,
            "source": batch.source,
            "ref": batch.ref,
            "meta": canonical(batch.meta).decode(),
            "content_hash": plan.content_hash,
            "prev_hash": plan.prev_hash,
            "hash": seal(plan.content_hash, seq, ctx.now, plan.prev_hash),
        },
    )
    ctx.db.insert(
        ledger_entries,
        *(
            {
                "portfolio_id": batch.portfolio_id,
                "seq": seq,
                "line": line,
                "account": leg.account,
                "asset": leg.asset,
                "amount": leg.amount if is_currency(leg.asset) else None,
                "quantity": None if is_currency(leg.asset) else leg.amount,
                "unit_price": leg.unit_price,
                "fx": leg.fx,
            }
            for line, leg in enumerate(batch.legs, start=1)
        ),
    )


def write_snapshots(ctx: Context, portfolio_id: str, plan: Plan) -> None:
    """Bring cash, holding and lots to the state after the batch."""
    if plan.cash is not None:
        store_cash(ctx, portfolio_id, plan.cash, posted=plan.cash_after, seq=plan.posted.seq)
    if plan.held is not None and plan.change is not None:
        store_holding(ctx, portfolio_id, plan.held, plan.change, seq=plan.posted.seq)


def write_trade(ctx: Context, batch: Batch, plan: Plan) -> Decimal | None:
    """Insert the trade row of a batch that closed units; return its realised profit or loss."""
    change = plan.change
    if change is None:
        return None
    if batch.kind == "REVERSAL":
        return _undo_trade(ctx, batch, plan.posted.seq)
    if change.sold == 0 or (batch.kind == "SPLIT" and change.relieved == 0):
        return None
    price = next((leg.unit_price for leg in batch.legs if leg.unit_price is not None), None)
    ctx.db.insert(
        trades,
        {
            "portfolio_id": batch.portfolio_id,
            "seq": plan.posted.seq,
            "listing": change.listing,
            "symbol": symbol_of(change.listing),
            "quantity": change.sold,
            "proceeds": change.proceeds,
            "cost": change.relieved,
            "pnl": change.pnl,
            "price": price,
            "order_id": batch.ref,
            "exec_id": batch.meta.get("exec_id", ""),
            "opened_seq": change.before.opened_seq,
            "opened_at": change.before.opened_at,
            "closed_at": batch.effective_at,
            "flat": int(change.after == FLAT),
            "provenance": batch.meta.get("provenance", ""),
        },
    )
    return change.pnl


def _undo_trade(ctx: Context, batch: Batch, seq: int) -> Decimal | None:
    """Post the opposite of the reversed batch's trade row, so that trades add up too."""
    row = ctx.db.row(
        select(trades).where(
            trades.c.portfolio_id == batch.portfolio_id, trades.c.seq == batch.reverses_seq
        )
    )
    if row is None:
        return None
    values: dict[str, Any] = {column.name: getattr(row, column.name) for column in trades.c}
    for name in ("quantity", "proceeds", "cost", "pnl"):
        values[name] = -values[name]
    ctx.db.insert(trades, {**values, "seq": seq, "closed_at": batch.effective_at})
    return -Decimal(row.pnl)


def announce(ctx: Context, batch: Batch, plan: Plan) -> None:
    """Record the posting in the audit chain and tell every screen."""
    seq, change = plan.posted.seq, plan.change
    audit.record(
        ctx,
        "ledger.posted",
        batch.ref or batch.portfolio_id,
        portfolio_id=batch.portfolio_id,
        seq=seq,
        batch_kind=batch.kind,
        key=batch.key,
        hash=plan.content_hash,
        cash=plan.cash_after if plan.cash else None,
        listing=change.listing if change else None,
        quantity=change.after.quantity if change else None,
    )
    outbox.put(
        ctx,
        "position.changed",
        batch.portfolio_id,
        {
            "portfolio_id": batch.portfolio_id,
            "seq": seq,
            "kind": batch.kind,
            "symbol": symbol_of(change.listing) if change else None,
            "quantity": change.after.quantity if change else None,
            "cash": plan.cash_after if plan.cash else None,
        },
        dedupe=f"ledger:{batch.portfolio_id}:{seq}",
    )
