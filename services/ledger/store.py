"""Owns reading the book back: batches with their legs, checked again as they are read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.kit.canonical import tagged_hash
from services.kit.context import Context
from services.kit.errors import refuse
from services.ledger.fold import PostedBatch
from services.ledger.posting import Batch, Leg, require_balanced
from services.ledger.tables import ledger_batches, ledger_entries

GENESIS = "sha256:" + "0" * 64


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch with everything that its hash covers."""

    seq: int
    batch: Batch
    recorded_at: datetime
    prev_hash: str
    hash: str

    @property
    def posted(self) -> PostedBatch:
        """Return the part that a fold reads."""
        return PostedBatch(
            self.seq,
            self.batch.kind,
            self.batch.key,
            self.batch.effective_at,
            self.batch.legs,
            self.batch.reverses_seq,
        )


def seal(content_hash: str, seq: int, recorded_at: datetime, prev_hash: str) -> str:
    """Return the hash (`ledger/v1`) that chains a batch's content to the batch before it."""
    return tagged_hash(
        "ledger/v1",
        {"seq": seq, "content": content_hash, "recorded_at": recorded_at, "prev_hash": prev_hash},
    )


def read_batches(
    ctx: Context, portfolio_id: str, *, listing: str | None = None
) -> Iterator[StoredBatch]:
    """Yield the portfolio's batches in order, all or those that touch `listing`.

    Raises `BATCH_UNBALANCED` for a stored batch that does not balance.
    """
    legs = _read_legs(ctx, portfolio_id)
    for row in ctx.db.rows(
        select(ledger_batches)
        .where(ledger_batches.c.portfolio_id == portfolio_id)
        .order_by(ledger_batches.c.seq)
    ):
        lines = legs.get(row.seq, ())
        if listing is None or any(leg.asset == listing for leg in lines):
            yield _stored(row, lines)


def get_batch(ctx: Context, portfolio_id: str, seq: int) -> StoredBatch:
    """Return one batch. Raises `BATCH_UNKNOWN`."""
    row = ctx.db.row(
        select(ledger_batches).where(
            ledger_batches.c.portfolio_id == portfolio_id, ledger_batches.c.seq == seq
        )
    )
    if row is None:
        raise refuse("BATCH_UNKNOWN", seq=seq)
    return _stored(row, _read_legs(ctx, portfolio_id, seq)[seq])


def _read_legs(
    ctx: Context, portfolio_id: str, seq: int | None = None
) -> dict[int, tuple[Leg, ...]]:
    query = select(ledger_entries).where(ledger_entries.c.portfolio_id == portfolio_id)
    if seq is not None:
        query = query.where(ledger_entries.c.seq == seq)
    legs: dict[int, list[Leg]] = defaultdict(list)
    for row in ctx.db.rows(query.order_by(ledger_entries.c.seq, ledger_entries.c.line)):
        value = row.quantity if row.amount is None else row.amount
        legs[row.seq].append(Leg(row.account, row.asset, value, row.unit_price, row.fx))
    return {number: tuple(lines) for number, lines in legs.items()}


def _stored(row: Any, legs: tuple[Leg, ...]) -> StoredBatch:
    require_balanced(row.key, legs)
    batch = Batch(
        portfolio_id=row.portfolio_id,
        kind=row.kind,
        key=row.key,
        effective_at=row.effective_at,
        legs=legs,
        source=row.source,
        ref=row.ref,
        meta=json.loads(row.meta),
        reverses_seq=row.reverses_seq,
    )
    return StoredBatch(row.seq, batch, row.recorded_at, row.prev_hash, row.hash)
