"""Owns the audit chain: append-only, hash-chained events, their anchors and their verification."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, Text, UniqueConstraint, bindparam, or_, select

from services.kit.canonical import bytes_hash, canonical
from services.kit.clock import instant_text, parse_instant
from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table
from services.kit.ids import new_key

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
_TAG = "audit/v1"


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


def record(ctx: Context, kind: str, subject: str, **facts: object) -> str:
    """Append one event to the tenant's chain in the caller's transaction; return its hash.

    `facts` become part of the hashed document: Decimals and instants as text, no floats.
    """
    chain = ctx.principal.tenant_id
    ctx.db.lock(f"audit:{chain}")
    last = ctx.db.row(_LAST, newest=1)
    seq, prev = (last.seq + 1, last.hash) if last else (1, GENESIS)
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
        }
    )
    digest = bytes_hash(_TAG, body)
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
        },
    )
    if seq % _ANCHOR_EVERY == 0:
        home, secret = ctx.settings.cornerman_home, signing_key(ctx.settings.cornerman_home)
        ctx.db.after_commit(lambda: write_anchor(home, secret, chain, seq, digest))
    return digest


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


def export_lines(ctx: Context) -> Iterator[str]:
    """Yield every event of the tenant as one JSON line with its hash, in order."""
    for row in ctx.db.rows(select(audit_events).order_by(audit_events.c.seq)):
        yield json.dumps({"hash": row.hash, "payload": row.payload})


def verify(ctx: Context) -> Verdict:
    """Recompute the tenant's chain from the stored bytes and compare it with the anchors.

    Finds altered, removed, inserted and reordered rows, typed columns that differ from the hashed
    bytes, and through the signed anchors a truncated tail or a rewritten chain.
    """
    rows = ctx.db.rows(select(audit_events).order_by(audit_events.c.seq))
    verdict = verify_rows(rows)
    if not verdict.ok:
        return verdict
    hashes = {row.seq: row.hash for row in rows}
    home = ctx.settings.cornerman_home
    for seq, digest in anchors(home, signing_key(home), ctx.principal.tenant_id):
        if hashes.get(seq) != digest:
            return Verdict(verdict.count, verdict.last_hash, seq, "an anchor says otherwise")
    return verdict


def verify_rows(rows: Sequence[Any]) -> Verdict:
    """Return the verdict over rows in sequence order; pure, so an export verifies offline."""
    prev, expected = GENESIS, 1
    for row in rows:
        reason = _fault(row, expected, prev)
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


def signing_key(home: Path) -> bytes:
    """Return the key of the anchors, made at first use, readable by its owner only."""
    path = home / "signing.key"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        path.write_text(new_key(), encoding="ascii")
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def write_anchor(home: Path, key: bytes, chain: str, seq: int, digest: str) -> None:
    """Append one signed anchor line to the anchor file, which lies outside the database."""
    line = f"{chain} {seq} {digest}"
    mac = hmac.new(key, line.encode(), hashlib.sha256).hexdigest()
    with (home / "anchors.txt").open("a", encoding="ascii") as file:
        file.write(f"{line} {mac}\n")


def anchors(home: Path, key: bytes, chain: str) -> list[tuple[int, str]]:
    """Return the anchors of `chain` whose signature holds; a forged line reads "forged"."""
    path = home / "anchors.txt"
    found: list[tuple[int, str]] = []
    if not path.exists():
        return found
    for raw in path.read_text(encoding="ascii").splitlines():
        line, _, mac = raw.rpartition(" ")
        name, seq, digest = line.split(" ")
        genuine = hmac.compare_digest(hmac.new(key, line.encode(), hashlib.sha256).hexdigest(), mac)
        if name == chain:
            found.append((int(seq), digest if genuine else "forged"))
    return found
