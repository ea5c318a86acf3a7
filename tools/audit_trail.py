"""Owns the tool `audit_trail`: what is recorded about an order, a card, a plan or a run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from services import audit
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.errors import refuse
from services.orders.store import find_order_of
from tools.registry import Args, Effect, Result, tool


class AuditTrailArgs(Args):
    """What to look up."""

    ref: str = Field(min_length=3, max_length=80, pattern=r"^[A-Za-z0-9_:.-]{3,80}$",
                     description="Id of an order, proposal, advice or run.")


class AuditRow(BaseModel):
    """One sealed event."""

    model_config = ConfigDict(frozen=True)

    seq: int
    at: str
    actor: str
    kind: str
    subject: str
    hash: str
    reason: str | None = None


class AuditTrailResult(Result):
    """The events in order."""

    events: tuple[AuditRow, ...]


@tool(effect=Effect.READ)
def audit_trail(ctx: Context, args: AuditTrailArgs) -> AuditTrailResult:
    """Return the audit events about an order, proposal, advice or run, oldest first."""
    found = audit.trail(ctx, args.ref, limit=50)
    order = find_order_of(ctx, args.ref)
    if order is not None:
        found = sorted([*found, *audit.trail(ctx, order.id, limit=50)], key=lambda one: one.seq)
    if not found:
        raise refuse("AUDIT_REF_UNKNOWN", ref=args.ref)
    rows = tuple(AuditRow(
        seq=one.seq, at=instant_text(one.at), actor=f"{one.actor_kind} {one.actor}",
        kind=one.kind, subject=one.subject, hash=one.hash,
        reason=str(one.facts["reason"]) if one.facts.get("reason") else None) for one in found)
    lines = [f"- {row.at[:19].replace('T', ' ')} UTC: {row.kind.replace('.', ' ').replace('_', ' ')}"
             f" by {row.actor}{f' ({row.reason})' if row.reason else ''}" for row in rows]
    return AuditTrailResult(events=rows, summary="\n".join(
        [f"What is recorded about `{args.ref}`:", "", *lines]))
