"""Owns the tool `audit_trail`: what is recorded about an order, a card, a plan or a run."""

from __future__ import annotations

from pydantic import Field

from services import audit
from services.kit.context import Context
from services.kit.errors import refuse
from services.orders.store import find_order_of
from tools.registry import Args, Effect, Result, tool
from tools.wording.figures import Moment, Row

_ACTORS = {"agent": "the coach", "person": "you", "system": "the system"}


class AuditTrailArgs(Args):
    """What to look up."""

    ref: str = Field(
        min_length=3,
        max_length=80,
        pattern=r"^[A-Za-z0-9_:.-]{3,80}$",
        description="Id of an order, proposal, advice or run.",
    )


class AuditRow(Row):
    """One sealed event."""

    seq: int
    at: Moment
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
    rows = tuple(_row(one) for one in found)
    lines = [_line(one, row.reason) for one, row in zip(found, rows, strict=True)]
    said = "\n".join([f"What is recorded about `{args.ref}`:", "", *lines])
    return AuditTrailResult(events=rows, summary=said)


def _row(one: audit.AuditEvent) -> AuditRow:
    kept = {name: getattr(one, name) for name in ("seq", "at", "kind", "subject", "hash")}
    reason = str(one.facts["reason"]) if one.facts.get("reason") else None
    return AuditRow(**kept, actor=f"{one.actor_kind} {one.actor}", reason=reason)


def _line(one: audit.AuditEvent, reason: str | None) -> str:
    """Return an event as a quotation of the record."""
    what = one.kind.replace(".", " ").replace("_", " ")
    who = _ACTORS.get(one.actor_kind, one.actor)
    why = f" ({reason})" if reason else ""
    return f'- {one.at:%Y-%m-%d %H:%M:%S} UTC, {who}: "{what}{why}"'.replace("\n", " ")
