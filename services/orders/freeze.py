"""Owns freezes of the book: orders stop because it can not be trusted, until a person says so."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from services import audit
from services.kit.context import Context
from services.kit.outbox import put
from services.market.freeze import Freeze, clear_freeze, list_freezes
from services.market.quality_tables import BOOK, freezes
from services.orders.switch import TENANT, SwitchState, set_state

__all__ = [
    "Freeze",
    "end_freeze",
    "find_standing",
    "freeze",
    "frozen_reason",
    "list_freezes",
    "open_freeze",
    "unfreeze",
]


_STANDING = (
    select(freezes.c.id, freezes.c.reason)
    .where(freezes.c.scope.in_(bindparam("scopes", expanding=True)), freezes.c.cleared_at.is_(None))
    .order_by(freezes.c.opened_at, freezes.c.id)
    .limit(1)
)


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
    freeze_id = open_freeze(ctx, reason, subject=subject, scope=scope)
    put(
        ctx,
        "alert",
        subject,
        {"level": "critical", "message": reason, "code": "FROZEN", "subject": subject},
        dedupe=f"freeze:{freeze_id}",
    )


def open_freeze(
    ctx: Context, reason: str, *, subject: str, scope: str, ends_itself: bool = False
) -> str:
    """Put one freeze of `scope` on record and return its id; no switch moves, nobody is told.

    One that `ends_itself` is ended by the product (`end_freeze`) when its reason is gone.
    """
    freeze_id = ctx.ids.new("frz")
    ctx.db.insert(
        freezes,
        {
            "id": freeze_id,
            "scope": scope,
            "reason": reason,
            "subject": subject,
            "opened_at": ctx.now,
            "opened_by": ctx.principal.user_id,
            "auto_clear": int(ends_itself),
        },
    )
    audit.record(ctx, "orders.frozen", subject, reason=reason, scope=scope, freeze=freeze_id)
    return freeze_id


def find_standing(ctx: Context, scope: str, subject: str) -> str | None:
    """Return the id of the standing freeze of a book that ends itself, or None."""
    found = ctx.db.scalar(
        select(freezes.c.id)
        .where(
            freezes.c.scope == scope,
            freezes.c.subject == subject,
            freezes.c.code == BOOK,
            freezes.c.auto_clear == 1,
            freezes.c.cleared_at.is_(None),
        )
        .order_by(freezes.c.opened_at, freezes.c.id)
        .limit(1)
    )
    return None if found is None else str(found)


def end_freeze(ctx: Context, freeze_id: str, reason: str) -> None:
    """End a freeze that ends itself, because its reason is gone; audited like a person's end."""
    row = ctx.db.changed(
        update(freezes)
        .where(freezes.c.id == freeze_id, freezes.c.auto_clear == 1, freezes.c.cleared_at.is_(None))
        .values(cleared_at=ctx.now, cleared_by=ctx.principal.user_id, clear_reason=reason[:500])
        .returning(freezes.c.subject)
    )
    if row is not None:
        audit.record(ctx, "orders.unfrozen", row.subject, freeze=freeze_id, reason=reason[:500])


def frozen_reason(ctx: Context, scopes: tuple[str, ...]) -> str:
    """Return why orders under one of `scopes` are frozen, oldest first; empty when they are not."""
    row = ctx.db.row(_STANDING, scopes=scopes)
    return f"{row.reason} (freeze {row.id})" if row else ""


def unfreeze(ctx: Context, freeze_id: str, reason: str) -> Freeze:
    """Clear one freeze for good, of book or data; a switch it set still needs its own resume.

    Refuses as `services.market.freeze.clear_freeze` does.
    """
    return clear_freeze(ctx, freeze_id, reason)
