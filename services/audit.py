"""Owns the audit chain: append-only, hash-chained events, and their verification."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Integer, Text, UniqueConstraint, bindparam, or_, select

from services import audit_anchor, receipt
from services.audit_anchor import FORGED, Head
from services.kit.canonical import bytes_hash, canonical
from services.kit.clock import instant_text, parse_instant
from services.kit.context import Context
from services.kit.db import Db, UtcDateTime, tenant_table

audit_events = tenant_table(
    "audit_events",
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("chain", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("kind", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False, index=True),
    Column("trace", Text, nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("receipt", Text),
    UniqueConstraint("chain", "hash"),
    append_only=True,
)
GENESIS = "sha256:" + "0" * 64
_ANCHOR_EVERY = 50
_LAST = (
    select(audit_events.c.seq, audit_events.c.hash)
    .order_by(audit_events.c.seq.desc())
    .limit(bindparam("newest"))
)
_HASH_AT = select(audit_events.c.hash).where(audit_events.c.seq == bindparam("wanted"))
_TAG = "audit/v1"
TAIL = 200
"""Links that a start looks at; the whole chain is for `audit verify` and `doctor`."""
_ends: WeakKeyDictionary[Db, tuple[str, int, str]] = WeakKeyDictionary()
"""Chain, number and hash of the last event of each open transaction that made one: the chain is
locked from its first event on, so nobody else adds to it before the commit."""
_heads: WeakKeyDictionary[Db, list[Head]] = WeakKeyDictionary()
"""The head each open transaction will leave behind, once it commits."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One link: who did what to which subject, and the hash that seals it."""

    seq: int
    at: datetime
    actor: str
    actor_kind: str
    kind: str
    subject: str
    trace: str
    facts: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found; `broken_at` is the first bad sequence number."""

    count: int
    last_hash: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Return True when every link held."""
        return self.broken_at is None


_START = Verdict(0, GENESIS)


def record(ctx: Context, kind: str, subject: str, **facts: object) -> str:
    """Append one event to the tenant's chain in the caller's transaction; return its hash.

    A decision is signed: its receipt proves to anyone with the public key that it was made here.

    `facts` become part of the hashed document: Decimals and instants as text, no floats.
    """
    chain, signed = ctx.principal.tenant_id, receipt.is_decision(kind)
    ctx.db.lock(f"audit:{chain}")
    seq, prev = _next_of(ctx, chain)
    body = canonical(
        {
            "seq": seq,
            "chain": chain,
            "at": instant_text(ctx.now),
            "actor": ctx.principal.user_id,
            "actor_kind": ctx.principal.actor,
            "surface": ctx.principal.surface,
            "kind": kind,
            "subject": subject,
            "trace": ctx.trace,
            "facts": facts,
            "prev_hash": prev,
            receipt.MARK: signed or None,
        }
    )
    digest = bytes_hash(_TAG, body)
    home = ctx.settings.cornerman_home
    ctx.db.insert(
        audit_events,
        {
            "seq": seq,
            "chain": chain,
            "at": ctx.now,
            "actor": ctx.principal.user_id,
            "actor_kind": str(ctx.principal.actor),
            "kind": kind,
            "subject": subject,
            "trace": ctx.trace,
            "payload": body.decode(),
            "prev_hash": prev,
            "hash": digest,
            "receipt": receipt.sign(home, receipt.EVENT, digest)
            if receipt.is_decision(kind)
            else None,
        },
    )
    _ends[ctx.db] = (chain, seq, digest)
    _keep_outside(ctx, home, Head(chain, seq, digest), prev)
    return digest


def _next_of(ctx: Context, chain: str) -> tuple[int, str]:
    """Return the number of the next event and the hash before it."""
    mine, seq, digest = _ends.get(ctx.db, ("", 0, GENESIS))
    if mine != chain:
        last = ctx.db.row(_LAST, newest=1)
        seq, digest = (last.seq, last.hash) if last else (0, GENESIS)
    return seq + 1, digest


def _keep_outside(ctx: Context, home: Path, made: Head, prev: str) -> None:
    """Leave the new head, and every fiftieth an anchor, outside the database after the commit."""
    if made.seq % _ANCHOR_EVERY == 0:
        audit_anchor.signing_key(home)
        ctx.db.after_commit(lambda: audit_anchor.write_anchor(home, made))
    waiting = _heads.get(ctx.db)
    if waiting is not None:
        waiting[0] = made
    elif _follows(ctx, made, prev):
        waiting = _heads[ctx.db] = [made]
        ctx.db.after_commit(lambda: audit_anchor.write_head(home, waiting[0]))


def _follows(ctx: Context, made: Head, prev: str) -> bool:
    """Return whether the kept head lies on this chain; a head of another one stays as evidence."""
    kept = audit_anchor.find_head(ctx.settings.cornerman_home, made.chain)
    if kept is None:
        return True
    if kept.seq >= made.seq or kept.digest == FORGED:
        return False
    if kept.seq == made.seq - 1:
        return kept.digest == prev
    return bool(ctx.db.scalar(_HASH_AT, wanted=kept.seq) == kept.digest)


def trail(ctx: Context, ref: str | None = None, limit: int = 100) -> list[AuditEvent]:
    """Return the newest `limit` events about `ref` (a subject, trace or actor), oldest first."""
    query = select(audit_events).order_by(audit_events.c.seq.desc()).limit(limit)
    if ref is not None:
        query = query.where(
            or_(
                audit_events.c.subject == ref,
                audit_events.c.trace == ref,
                audit_events.c.actor == ref,
            )
        )
    return [_event(row) for row in reversed(ctx.db.rows(query))]


def verify(ctx: Context) -> Verdict:
    """Recompute the tenant's chain from the stored bytes; compare it with its anchors and head.

    Finds altered, removed, inserted and reordered rows, typed columns that differ from the hashed
    bytes, a cut-off tail down to the last event, and a rewritten chain.
    """
    home, chain = ctx.settings.cornerman_home, ctx.principal.tenant_id
    head = audit_anchor.find_head(home, chain)
    rows = ctx.db.rows(select(audit_events).order_by(audit_events.c.seq))
    return judge(rows, audit_anchor.anchors(home, chain), head, key=receipt.public_key(home))


def judge(
    rows: Sequence[Any], anchors: Sequence[tuple[int, str]], head: Head | None, *, key: str
) -> Verdict:
    """Return the verdict over a whole chain and what is kept of it outside; pure.

    A head behind the last row is sound: the process ended between commit and head.
    """
    verdict = verify_rows(rows, key=key)
    if not verdict.ok:
        return verdict
    hashes = {row.seq: row.hash for row in rows}
    for seq, digest in anchors:
        if hashes.get(seq) != digest:
            return Verdict(verdict.count, verdict.last_hash, seq, "an anchor says otherwise")
    return _against_head(verdict, head, hashes.get(head.seq) if head else None)


def verify_tail(ctx: Context, links: int = TAIL) -> Verdict:
    """Recompute the last `links` events only and compare them with the head; quick, for a start.

    `count` is the number of the last event.
    """
    home = ctx.settings.cornerman_home
    head = audit_anchor.find_head(home, ctx.principal.tenant_id)
    newest = select(audit_events).order_by(audit_events.c.seq.desc()).limit(links)
    rows = ctx.db.rows(newest)[::-1]
    verdict = _START
    if rows and rows[0].seq > 1:
        verdict = Verdict(rows[0].seq - 1, rows[0].prev_hash)
    verdict = verify_rows(rows, verdict, key=receipt.public_key(home))
    if not verdict.ok:
        return verdict
    there = ctx.db.scalar(_HASH_AT, wanted=head.seq) if head else None
    return _against_head(verdict, head, there)


def _against_head(verdict: Verdict, head: Head | None, there: str | None) -> Verdict:
    """Return the verdict with the head looked at; `there` is the chain's hash at the head."""
    if head is None or there == head.digest:
        return verdict
    if head.digest == FORGED:
        at, reason = head.seq, "the head file is damaged or forged"
    elif there is None:
        at, reason = verdict.count + 1, f"the tail is missing: there were {head.seq} events"
    else:
        at, reason = head.seq, "the head says otherwise"
    return Verdict(verdict.count, verdict.last_hash, at, reason)


def verify_rows(rows: Sequence[Any], after: Verdict = _START, *, key: str) -> Verdict:
    """Return the verdict over rows in sequence order; pure, so an export verifies offline.

    `after` is what came before the first of them; without it the chain begins here. `key` is the
    public key of their receipts.
    """
    prev, expected = after.last_hash, after.count + 1
    for row in rows:
        reason = _fault(row, expected, prev) or receipt.fault(key, row)
        if reason:
            return Verdict(expected - 1, prev, expected, reason)
        prev, expected = row.hash, expected + 1
    return Verdict(expected - 1, prev)


def _fault(row: Any, expected: int, prev: str) -> str:
    if row.seq != expected:
        return "a row is missing or out of order"
    if bytes_hash(_TAG, row.payload.encode()) != row.hash:
        return "the bytes do not give the hash"
    body = json.loads(row.payload)
    if body["prev_hash"] != prev or row.prev_hash != prev:
        return "the link to the row before is broken"
    columns = {
        "seq": row.seq,
        "chain": row.chain,
        "actor": row.actor,
        "kind": row.kind,
        "actor_kind": row.actor_kind,
        "subject": row.subject,
        "trace": row.trace,
        "at": instant_text(row.at),
    }
    if any(body[name] != value for name, value in columns.items()):
        return "a column differs from the hashed bytes"
    return ""


def _event(row: Any) -> AuditEvent:
    body = json.loads(row.payload)
    return AuditEvent(
        row.seq,
        parse_instant(body["at"]),
        row.actor,
        row.actor_kind,
        row.kind,
        row.subject,
        row.trace,
        body.get("facts", {}),
        row.hash,
    )
