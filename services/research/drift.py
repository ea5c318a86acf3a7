"""Owns the drift watch: a calibrator whose live statements fail loses its voice."""

from __future__ import annotations

from sqlalchemy import select

from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.outbox import put
from services.research.reliability import prove
from services.research.settle import ENTERED
from services.research.suggestion_tables import suggestions
from services.strategy.documents import (
    CALIBRATOR,
    get_document,
    revoke_document,
    shipped_documents,
    store_document,
)

WINDOW = 100
"""Live outcomes that are looked at: the newest of one calibrator."""


def watch_drift(ctx: Context) -> dict[str, int]:
    """Revoke each calibrator whose last 100 outcomes were stated worse than the base rate.

    The confidence falls back to the record at once; a person is told. Returns counts.
    """
    used = (
        select(suggestions.c.calibrator_hash, suggestions.c.record_key)
        .where(suggestions.c.calibrator_hash != "", suggestions.c.state.in_(ENTERED))
        .distinct()
    )
    rows = sorted(ctx.db.rows(used), key=lambda row: row.calibrator_hash)
    revoked = sum(_has_drifted(ctx, row.calibrator_hash, row.record_key) for row in rows)
    return {"drifted": revoked} if revoked else {}


def _has_drifted(ctx: Context, digest: str, key: str) -> bool:
    """Judge one calibrator; True when it was revoked just now."""
    last = (
        select(suggestions.c.stated, suggestions.c.state)
        .where(
            suggestions.c.calibrator_hash == digest,
            suggestions.c.state.in_(ENTERED),
            suggestions.c.stated.is_not(None),
        )
        .order_by(suggestions.c.ended_at.desc(), suggestions.c.ref)
        .limit(WINDOW)
    )
    rows = ctx.db.rows(last)
    if len(rows) < WINDOW:
        return False
    proof = prove([row.stated for row in rows], [int(row.state == "target") for row in rows])
    if proof.brier <= proof.reference:
        return False
    return _revoke(ctx, digest, key, f"Brier {proof.brier} over {WINDOW} live outcomes is worse "
                   f"than the base rate's {proof.reference}")  # fmt: skip


def _revoke(ctx: Context, digest: str, key: str, reason: str) -> bool:
    shipped = shipped_documents().get((CALIBRATOR, key))
    if shipped is not None:
        store_document(ctx, CALIBRATOR, key, shipped)
    try:
        if get_document(ctx, digest).revoked_at is not None:
            return False
    except Refusal:
        return False
    revoke_document(ctx, digest, reason)
    put(
        ctx,
        "alert",
        f"calibration:{key}",
        {
            "level": "warning",
            "message": f"The calibration of {key} is off: {reason}. Its record speaks instead.",
            "code": "CALIBRATION_REJECTED",
            "subject": key,
            "topic": "data",
        },
        dedupe=f"calibration:{digest}",
    )
    return True
