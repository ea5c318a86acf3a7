"""Owns the outbox: what a transaction wants to tell others, delivered after it, at least once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, Text, UniqueConstraint, bindparam, select, update

from services.kit.bus.port import Bus
from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table

outbox_rows = tenant_table(
    "outbox",
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("dedupe_key", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    UniqueConstraint("tenant_id", "dedupe_key"),
    Index("ix_outbox_waiting", "tenant_id", "delivered_at", "seq"),
)

_NEWEST = select(outbox_rows.c.seq).order_by(outbox_rows.c.seq.desc()).limit(1)
_KNOWN = select(outbox_rows.c.seq).where(outbox_rows.c.dedupe_key == bindparam("dedupe"))
_DUE = (
    select(outbox_rows)
    .where(outbox_rows.c.delivered_at.is_(None))
    .order_by(outbox_rows.c.seq)
    .limit(bindparam("most"))
)
_DELIVER = (
    update(outbox_rows)
    .where(outbox_rows.c.seq.in_(bindparam("seqs", expanding=True)))
    .values(delivered_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Message:
    """One waiting message; `payload` is a plain document."""

    seq: int
    kind: str
    key: str
    payload: Mapping[str, Any]
    at: datetime


def newest_seq(ctx: Context) -> int:
    """Return the number of the tenant's newest message, delivered or not; 0 before the first."""
    return int(ctx.db.scalar(_NEWEST) or 0)


def put(ctx: Context, kind: str, key: str, payload: Mapping[str, object], *, dedupe: str) -> None:
    """Store a message in the caller's transaction and wake the relay after its commit.

    The same `dedupe` within a tenant is stored once; a repeat is dropped.
    """
    if ctx.db.row(_KNOWN, dedupe=dedupe) is not None:
        return
    ctx.db.insert(
        outbox_rows,
        {
            "kind": kind,
            "key": key,
            "payload": canonical(payload).decode(),
            "dedupe_key": dedupe,
            "at": ctx.now,
            "delivered_at": None,
        },
    )
    wake(ctx, "outbox", ctx.principal.tenant_id)


def wake(ctx: Context, topic: str, key: str) -> None:
    """Publish `key` on `topic`, once, when the caller's transaction is durable; needs a bus."""
    bus = ctx.ports.get(Bus)
    if bus is not None:
        ctx.db.wake_after_commit(topic, key, lambda: ctx.port(Bus).publish(topic, key))


def due(ctx: Context, limit: int = 100) -> list[Message]:
    """Return at most `limit` undelivered messages of the tenant, oldest first."""
    rows = ctx.db.rows(_DUE, most=limit)
    return [Message(row.seq, row.kind, row.key, json.loads(row.payload), row.at) for row in rows]


def mark_delivered(ctx: Context, seqs: Sequence[int]) -> None:
    """Mark messages as delivered in the caller's transaction."""
    if seqs:
        ctx.db.change(_DELIVER, seqs=list(seqs), now=ctx.now)
