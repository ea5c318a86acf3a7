"""Owns what a refused attempt to confirm leaves behind: audit, counts, burned tokens, alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.errors import Refusal, check, refuse
from services.kit.outbox import put
from services.orders.guard_context import GuardResult
from services.orders.order import Status
from services.orders.proposal import close
from services.orders.tables import proposals
from services.orders.tokens import burn


def refused(ctx: Context, row: Row[Any], refusal: Refusal) -> Refusal:
    """Audit a refused attempt that changes nothing; return its refusal."""
    audit.record(
        ctx,
        "confirm_attempt",
        row.id,
        refused=refusal.code,
        version=row.version,
        facts=plain_facts(refusal.facts),
    )
    return refusal


def missed(ctx: Context, row: Row[Any]) -> Refusal:
    """Count an unknown token, and lock the proposal at the policy's number of them."""
    if row.status != Status.PENDING:
        return refused(
            ctx,
            row,
            refuse(
                "PROPOSAL_NOT_PENDING",
                id=row.id,
                status=row.status,
                reason=row.status_reason or "it was decided",
            ),
        )
    misses, lock_at = row.misses + 1, ctx.policy.orders.wrong_tokens_lock
    ctx.db.change(update(proposals).where(proposals.c.id == row.id).values(misses=misses))
    if misses >= lock_at:
        close(ctx, row, Status.INVALIDATED, f"{misses} wrong tokens")
        _alarm(ctx, row.id, f"a proposal was locked after {misses} wrong tokens")
    return refused(ctx, row, refuse("TOKEN_WRONG", left=max(0, lock_at - misses)))


def tampered(ctx: Context, row: Row[Any], found: Row[Any]) -> Refusal:
    """Raise the alarm over a stored order that does not match its hash, and close it."""
    _alarm(ctx, row.id, "a stored order does not match its hash")
    return invalidated(ctx, row, found, refuse("ORDER_HASH_MISMATCH"))


def invalidated(
    ctx: Context,
    row: Row[Any],
    found: Row[Any],
    refusal: Refusal,
    results: list[GuardResult] | None = None,
) -> Refusal:
    """Close the proposal for a market, risk or data reason and burn the token."""
    burn(ctx, found, f"invalidated: {refusal.code}")
    closed = close(ctx, row, Status.INVALIDATED, f"{refusal.code}: {refusal.message}")
    check(closed, "a locked pending proposal can be closed", proposal=row.id)
    audit.record(
        ctx,
        "confirm_attempt",
        row.id,
        refused=refusal.code,
        token=found.id,
        version=row.version,
        facts=plain_facts(refusal.facts),
        guards=results or [],
    )
    return refusal


def _alarm(ctx: Context, subject: str, message: str) -> None:
    digest = audit.record(ctx, "alarm", subject, message=message)
    put(ctx, "alert", subject, {"level": "critical", "message": message}, dedupe=digest)


def plain_facts(facts: Mapping[str, object]) -> dict[str, str]:
    """Return a refusal's facts as text, for the audit and for a stored answer."""
    return {name: str(value) for name, value in facts.items() if name != "field"}
