"""Owns fitted documents: stored by their hash, approved by a person, and which of them speaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.canonical import bytes_hash, canonical
from services.kit.context import Actor, Context
from services.kit.errors import check, refuse
from services.market.as_of import market_now
from services.strategy.curve import IsotonicFit, PlattFit
from services.strategy.document_tables import documents
from services.strategy.record import Calibrator, RecordKey, SetupRecord
from services.strategy.view import Side

CALIBRATOR, RECORD = "calib/v1", "setup_record/v1"
DEFAULTS = Path(__file__).resolve().parent / "defaults.json"
"""The documents that ship with the product, made from the bundled history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document as stored. It leads when approved and not revoked; the newest approval wins."""

    hash: str
    kind: str
    key: str
    body: Mapping[str, Any]
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    revoked_at: datetime | None
    revoke_reason: str | None


def hash_of(kind: str, body: object) -> str:
    """Return the tagged hash that a document is stored under."""
    return bytes_hash(kind, canonical(body))


def store_document(ctx: Context, kind: str, key: str, body: object) -> Document:
    """Store a document under its tagged hash (`kind` is the tag); the same one is stored once."""
    text = canonical(body)
    digest = bytes_hash(kind, text)
    if _find_row(ctx, digest) is None:
        ctx.db.insert(
            documents,
            {
                "hash": digest,
                "kind": kind,
                "key": key,
                "body": text.decode(),
                "created_by": ctx.principal.user_id,
                "created_at": ctx.now,
            },
        )
        audit.record(ctx, "document.stored", digest, document_kind=kind, key=key)
    return get_document(ctx, digest)


def approve_document(ctx: Context, digest: str) -> Document:
    """Let a stored document lead from now on: an act of a person with the scope `admin`.

    Repeating is harmless. Raises `SCOPE_MISSING`, `DOCUMENT_UNKNOWN`, `DOCUMENT_REVOKED`.
    """
    who = ctx.principal
    if who.actor is not Actor.PERSON or "admin" not in who.scopes:
        raise refuse("SCOPE_MISSING", scope="admin")
    found = get_document(ctx, digest)
    if found.revoked_at is not None:
        raise refuse("DOCUMENT_REVOKED", hash=digest, reason=found.revoke_reason or "")
    if found.approved_at is None:
        ctx.db.change(
            update(documents)
            .where(documents.c.hash == digest)
            .values(approved_by=who.user_id, approved_at=ctx.now)
        )
        audit.record(ctx, "document.approved", digest, document_kind=found.kind, key=found.key)
    return get_document(ctx, digest)


def revoke_document(ctx: Context, digest: str, reason: str) -> Document:
    """Take a document's voice away for good, because a person or the drift watch says so.

    Raises `DOCUMENT_UNKNOWN`; one that was revoked before stays as it is.
    """
    found = get_document(ctx, digest)
    if found.revoked_at is None:
        ctx.db.change(
            update(documents)
            .where(documents.c.hash == digest)
            .values(
                revoked_by=ctx.principal.user_id, revoked_at=ctx.now, revoke_reason=reason[:500]
            )
        )
        audit.record(ctx, "document.revoked", digest, key=found.key, reason=reason[:500])
    return get_document(ctx, digest)


def get_document(ctx: Context, digest: str) -> Document:
    """Return one document, its body proven by its hash. Raises `DOCUMENT_UNKNOWN`."""
    row = _find_row(ctx, digest)
    if row is None:
        raise refuse("DOCUMENT_UNKNOWN", hash=digest[:80])
    return _document(row)


def list_documents(
    ctx: Context, kind: str | None = None, *, key: str | None = None, limit: int = 200
) -> list[Document]:
    """Return stored documents by kind and key, the newest first among equals."""
    query = select(documents).order_by(
        documents.c.kind, documents.c.key, documents.c.created_at.desc(), documents.c.hash
    )
    if kind is not None:
        query = query.where(documents.c.kind == kind)
    if key is not None:
        query = query.where(documents.c.key == key)
    return [_document(row) for row in ctx.db.rows(query.limit(limit))]


def find_leading(ctx: Context, kind: str, key: str) -> Document | None:
    """Return the approved document that speaks for `key`, or None."""
    row = ctx.db.row(
        select(documents)
        .where(
            documents.c.kind == kind,
            documents.c.key == key,
            documents.c.approved_at.is_not(None),
            documents.c.revoked_at.is_(None),
        )
        .order_by(documents.c.approved_at.desc(), documents.c.hash)
        .limit(1)
    )
    return None if row is None else _document(row)


def find_record(ctx: Context, setup_id: str, side: Side, horizon: str) -> SetupRecord | None:
    """Return the record in force of a setup at the policy's version: approved, else shipped.

    A shipped one was made of nothing later than the market's now, which a replay sets back.
    """
    key = RecordKey(setup_id, ctx.policy.setups.version, side, horizon)
    body = _body_in_force(ctx, RECORD, key)
    return None if body is None else record_from(body)


def find_calibrator(ctx: Context, setup_id: str, side: Side, horizon: str) -> Calibrator | None:
    """Return the calibrator in force, accepted or not; None when there is none."""
    key = RecordKey(setup_id, ctx.policy.setups.version, side, horizon)
    body = _body_in_force(ctx, CALIBRATOR, key)
    return None if body is None else calibrator_from(body)


def _body_in_force(ctx: Context, kind: str, key: RecordKey) -> Mapping[str, Any] | None:
    found = find_leading(ctx, kind, key.text)
    if found is not None:
        return found.body
    shipped = shipped_at(kind, key.text, market_now(ctx))
    if shipped is None:
        return None
    row = _find_row(ctx, hash_of(kind, shipped))
    return shipped if row is None or row.revoked_at is None else None


@dataclass(frozen=True, slots=True)
class Shipped:
    """A body that ships, made of outcomes up to the end of the day `until` and of none later."""

    until: date
    body: Mapping[str, Any]

    @property
    def since(self) -> datetime:
        """Return the moment from which it may speak: before, it would tell the future."""
        return datetime.combine(self.until + timedelta(days=1), time(), UTC)


@cache
def shipped_versions() -> Mapping[tuple[str, str], tuple[Shipped, ...]]:
    """Return every version that ships by kind and key, the oldest history first."""
    rows = json.loads(DEFAULTS.read_text("ascii"))["documents"]
    found: dict[tuple[str, str], list[Shipped]] = {}
    for row in rows:
        made = Shipped(date.fromisoformat(row["until"]), row["body"])
        found.setdefault((row["kind"], row["key"]), []).append(made)
    return {key: tuple(sorted(of, key=lambda one: one.until)) for key, of in found.items()}


def shipped_documents() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """Return the bodies that ship with the product, each of the whole history, by kind and key."""
    return {key: of[-1].body for key, of in shipped_versions().items()}


def shipped_at(kind: str, key: str, moment: datetime) -> Mapping[str, Any] | None:
    """Return the shipped body that may speak at a moment of the market; None before the first.

    Worked: on a replay of 2012-01-03 it is the one made of outcomes up to 2011-12-31.
    """
    spoken = [one.body for one in shipped_versions().get((kind, key), ()) if one.since <= moment]
    return spoken[-1] if spoken else None


def record_from(body: Mapping[str, Any]) -> SetupRecord:
    """Return the record of a document `setup_record/v1`."""
    gave = body.get("give_back")
    return SetupRecord(
        key=_key(body),
        n=body["n"],
        wins=body["wins"],
        mfe_free_r=tuple(Decimal(one) for one in body["mfe_free_r"]),
        give_back=None if gave is None else Decimal(gave),
        labels_hash=body["labels_hash"],
        pool=(body["pool"]["wins"], body["pool"]["n"]),
    )


def calibrator_from(body: Mapping[str, Any]) -> Calibrator:
    """Return the calibrator of a document `calib/v1`."""
    curve: IsotonicFit | PlattFit
    if "knots" in body:
        scores, chances = zip(*body["knots"], strict=True)
        curve = IsotonicFit(tuple(map(Decimal, scores)), tuple(map(Decimal, chances)))
    else:
        curve = PlattFit(float(body["slope"]), float(body["intercept"]))
    return Calibrator(
        key=_key(body),
        tier=body["tier"],
        n=body["n"],
        wins=body["wins"],
        curve=curve,
        bins=tuple((place, n, hits) for place, n, hits in body["bins"]),
        metrics={name: Decimal(value) for name, value in body["metrics"].items()},
        accepted=body["accepted"],
        target_r=Decimal(body["target_r"]),
        labels_hash=body["labels_hash"],
    )


def _key(body: Mapping[str, Any]) -> RecordKey:
    return RecordKey(body["setup_id"], body["version"], body["side"], body["horizon"])


def _find_row(ctx: Context, digest: str) -> Row[Any] | None:
    return ctx.db.row(select(documents).where(documents.c.hash == digest))


def _document(row: Row[Any]) -> Document:
    sealed = bytes_hash(row.kind, row.body.encode()) == row.hash
    check(sealed, "a stored document is what its hash says", hash=row.hash)
    return Document(
        hash=row.hash,
        kind=row.kind,
        key=row.key,
        body=json.loads(row.body),
        created_by=row.created_by,
        created_at=row.created_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        revoked_at=row.revoked_at,
        revoke_reason=row.revoke_reason,
    )
