"""Owns freezes: orders stop because a book can not be trusted, until a person says it can."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from services import audit
from services.kit.context import Actor, Context
from services.kit.errors import refuse
from services.kit.outbox import put
from services.orders.switch import TENANT, SwitchState, set_state
from services.orders.tables import freezes


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """One freeze: what it stops, why, about what, and who cleared it (None: it still stands)."""

    id: str
    scope: str
    reason: str
    subject: str
    opened_at: datetime
    cleared_at: datetime | None
    cleared_by: str | None
    clear_reason: str | None


def freeze(ctx: Context, reason: str, *, subject: str, scope: str = TENANT) -> None:
    """Stop orders of `scope` because its book can no longer be trusted, and raise the alarm.

    `scope` is as in `switch.halt`; its switch is set to halted as well, so every screen shows it.
    The same freeze again changes nothing but the switch. Cancels stay allowed.
    """
    reason = reason[:500]
    set_state(ctx, scope, SwitchState.HALTED, reason)
    same = ctx.db.row(
        select(freezes.c.id).where(
            freezes.c.scope == scope,
            freezes.c.subject == subject,
            freezes.c.reason == reason,
            freezes.c.cleared_at.is_(None),
        )
    )
    if same is not None:
        return
    freeze_id = ctx.ids.new("frz")
    ctx.db.insert(
        freezes,
        {
            "id": freeze_id,
            "scope": scope,
            "reason": reason,
            "subject": subject,
            "opened_at": ctx.now,
        },
    )
    audit.record(ctx, "orders.frozen", subject, reason=reason, scope=scope, freeze=freeze_id)
    put(
        ctx,
        "alert",
        subject,
        {"level": "critical", "message": reason},
        dedupe=f"freeze:{freeze_id}",
    )


def list_freezes(ctx: Context, *, open_only: bool = False, limit: int = 100) -> list[Freeze]:
    """Return the newest `limit` freezes, newest first."""
    query = select(freezes).order_by(freezes.c.opened_at.desc(), freezes.c.id.desc()).limit(limit)
    if open_only:
        query = query.where(freezes.c.cleared_at.is_(None))
    return [_freeze(row) for row in ctx.db.rows(query)]


def frozen_reason(ctx: Context, scopes: tuple[str, ...]) -> str:
    """Return why orders under one of `scopes` are frozen, oldest first; empty when they are not."""
    row = ctx.db.row(
        select(freezes.c.id, freezes.c.reason)
        .where(freezes.c.scope.in_(scopes), freezes.c.cleared_at.is_(None))
        .order_by(freezes.c.opened_at, freezes.c.id)
        .limit(1)
    )
    return f"{row.reason} (freeze {row.id})" if row else ""


def unfreeze(ctx: Context, freeze_id: str, reason: str) -> Freeze:
    """Clear one freeze for good; the switch it set still needs its own resume.

    Only a person with the scope `admin`: raises `SCOPE_MISSING` otherwise. Raises `RESUME_REASON`
    without a reason, `FREEZE_UNKNOWN`, and `FREEZE_CLEARED` when it was cleared before.
    """
    who = ctx.principal
    if who.actor is not Actor.PERSON or "admin" not in who.scopes:
        raise refuse("SCOPE_MISSING", scope="admin")
    if not reason.strip():
        raise refuse("RESUME_REASON", field="reason")
    cleared = {
        "cleared_at": ctx.now,
        "cleared_by": who.user_id,
        "clear_reason": reason.strip()[:500],
    }
    row = ctx.db.changed(
        update(freezes)
        .where(freezes.c.id == freeze_id, freezes.c.cleared_at.is_(None))
        .values(**cleared)
        .returning(*freezes.c)
    )
    if row is None:
        known = ctx.db.row(select(freezes.c.id).where(freezes.c.id == freeze_id))
        raise refuse("FREEZE_CLEARED" if known else "FREEZE_UNKNOWN", id=freeze_id)
    audit.record(
        ctx, "orders.unfrozen", row.subject, freeze=freeze_id, reason=cleared["clear_reason"]
    )
    return _freeze(row)


def _freeze(row: Any) -> Freeze:
    return Freeze(
        id=row.id,
        scope=row.scope,
        reason=row.reason,
        subject=row.subject,
        opened_at=row.opened_at,
        cleared_at=row.cleared_at,
        cleared_by=row.cleared_by,
        clear_reason=row.clear_reason,
    )
