"""Owns the correction of a fill that the broker took back or gave another price: by new batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Actor, Context
from services.kit.errors import refuse
from services.kit.money import decimal_text
from services.kit.outbox import put
from services.kit.text import require_text
from services.ledger.book import append, reverse
from services.ledger.posting import Batch, Exchange, buy_legs, sell_legs
from services.ledger.snapshot import terms_of
from services.ledger.tables import ledger_batches
from services.orders.order import Side
from services.orders.tables import fills
from services.trade.wording import price_words

_REASON_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a correction posted: the reversal, and the batch at the right price, if there is one."""

    fill_id: str
    order_id: str
    price: Decimal | None
    reversal_seq: int
    batch_seq: int | None


def correct_fill(
    ctx: Context, fill_id: str, *, reason: str, price: Decimal | None = None
) -> Correction:
    """Reverse the posting of a fill, and post it anew at `price`; without one it is a bust.

    Fill, order and first posting stay for ever: a correction is a reversal and a new batch. Only a
    person with the scope `admin` does it, on the broker's word. Raises `SCOPE_MISSING`,
    `FILL_UNKNOWN`, `FILL_CORRECTED`, `PRICE_NON_POSITIVE`, `REVERSAL_BLOCKED` when the listing was
    traded since, `INSUFFICIENT_CASH` and `INSUFFICIENT_POSITION`.
    Worked: 10 bought at 190.14, fee 1, corrected to 190.00: cash moves by 1.40 back.
    """
    who = ctx.principal
    if who.actor is not Actor.PERSON or "admin" not in who.scopes:
        raise refuse("SCOPE_MISSING", scope="admin")
    said = require_text(reason, "reason", longest=_REASON_MAX)
    if price is not None and price <= 0:
        raise refuse("PRICE_NON_POSITIVE", field="price", px=decimal_text(price))
    row = ctx.db.row(select(fills).where(fills.c.id == fill_id))
    if row is None:
        raise refuse("FILL_UNKNOWN", id=fill_id)
    ctx.db.lock(f"order:{row.order_id}")
    if _seq_of(ctx, f"bust:{row.order_id}:{row.exec_id}") is not None:
        raise refuse("FILL_CORRECTED", id=fill_id)
    done = _post(ctx, row, price)
    _tell(ctx, row, done, said)
    return done


def corrections(ctx: Context, made: Sequence[Row[Any]]) -> dict[str, str]:
    """Return in words what became of those of these fills that were corrected, by their id."""
    names = {f"{row.order_id}:{row.exec_id}": row.id for row in made}
    keys = [f"{kind}:{name}" for kind in ("bust", "fix") for name in names]
    if not keys:
        return {}
    mine = ledger_batches.c
    rows = ctx.db.rows(select(mine.key, mine.meta).where(mine.key.in_(keys)).order_by(mine.key))
    said: dict[str, str] = {}
    for row in rows:
        kind, _, name = row.key.partition(":")
        price = json.loads(row.meta).get("price", "") if kind == "fix" else ""
        said[names[name]] = f"corrected to {price}" if price else "taken back"
    return said


def _seq_of(ctx: Context, key: str) -> int | None:
    found = ctx.db.scalar(select(ledger_batches.c.seq).where(ledger_batches.c.key == key))
    return None if found is None else int(found)


def _post(ctx: Context, row: Row[Any], price: Decimal | None) -> Correction:
    posted = _seq_of(ctx, f"fill:{row.order_id}:{row.exec_id}")
    if posted is None:
        raise refuse("FILL_UNKNOWN", id=row.id)
    key = f"bust:{row.order_id}:{row.exec_id}"
    undone = reverse(ctx, row.portfolio_id, posted, key=key, effective_at=row.at)
    again = None if price is None else _anew(ctx, row, price)
    return Correction(
        fill_id=row.id, order_id=row.order_id, price=price, reversal_seq=undone.seq, batch_seq=again
    )


def _anew(ctx: Context, row: Row[Any], price: Decimal) -> int:
    terms = terms_of(ctx, row.portfolio_id)
    deal = Exchange(
        listing=row.listing,
        quantity=row.quantity,
        price=price,
        commission=row.commission,
        currency=row.currency,
        base=terms.base,
    )
    buys = row.side == Side.BUY
    batch = Batch(
        portfolio_id=row.portfolio_id,
        kind="BUY" if buys else "SELL",
        key=f"fix:{row.order_id}:{row.exec_id}",
        effective_at=row.at,
        legs=buy_legs(deal) if buys else sell_legs(deal),
        source="manual",
        ref=row.order_id,
        meta={
            "exec_id": row.exec_id,
            "symbol": row.symbol,
            "provenance": row.provenance,
            "price": decimal_text(price),
        },
    )
    return append(ctx, batch, terms=terms).seq


def _tell(ctx: Context, row: Row[Any], done: Correction, reason: str) -> None:
    audit.record(
        ctx,
        "fill.corrected" if done.price is not None else "fill.busted",
        row.order_id,
        fill=row.id,
        exec_id=row.exec_id,
        quantity=row.quantity,
        price=row.price,
        price_after=done.price,
        reversal=done.reversal_seq,
        batch=done.batch_seq,
        reason=reason,
    )
    what = f"{row.side} {decimal_text(row.quantity)} {row.symbol} at {price_words(row.price)}"
    became = "was taken back" if done.price is None else f"became {price_words(done.price)}"
    message = f"The fill {what} {became}: {reason}"
    body = {"level": "warning", "message": message, "code": "FILL_CORRECTED", "subject": row.symbol}
    put(ctx, "alert", row.order_id, body, dedupe=f"bust:{row.id}")
    moved = {"portfolio_id": row.portfolio_id, "symbol": row.symbol, "order_id": row.order_id}
    moved |= {"exec_id": row.exec_id, "batch_seq": done.batch_seq or done.reversal_seq}
    put(ctx, "position.changed", row.portfolio_id, moved, dedupe=f"bust-position:{row.id}")
