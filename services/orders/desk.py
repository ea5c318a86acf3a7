"""Owns the desk row of a tenant: the latest time seen, and whether execution is ready."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select, update

from services.kit.context import Context
from services.kit.work import Runtime
from services.orders.tables import order_desks

_SEEN = select(order_desks.c.seen_at).where(order_desks.c.id == bindparam("of_desk"))
_UNREADY = select(order_desks.c.unready_reason).where(order_desks.c.id == bindparam("of_desk"))


def seen_now(ctx: Context) -> datetime:
    """Return the later of now and the latest time this desk has seen, and remember it.

    A wall clock that jumps back can therefore never bring an expired token back to life.
    """
    row = ctx.db.row(_SEEN, of_desk=ctx.principal.tenant_id)
    if row is None:
        ctx.db.insert(
            order_desks, {"id": ctx.principal.tenant_id, "seen_at": ctx.now, "unready_reason": ""}
        )
        return ctx.now
    seen: datetime = row.seen_at
    if seen >= ctx.now:
        return seen
    ctx.db.change(
        update(order_desks)
        .where(order_desks.c.id == ctx.principal.tenant_id)
        .values(seen_at=ctx.now)
    )
    return ctx.now


def peek_now(ctx: Context) -> datetime:
    """Return the later of now and the latest time seen, without remembering it; for reads."""
    seen = ctx.db.scalar(_SEEN, of_desk=ctx.principal.tenant_id)
    return ctx.now if seen is None else max(seen, ctx.now)


def unready_reason(ctx: Context) -> str:
    """Return why execution is not ready for this tenant; empty when it is."""
    return str(ctx.db.scalar(_UNREADY, of_desk=ctx.principal.tenant_id) or "")


def set_unready(ctx: Context, reason: str) -> None:
    """Store why execution is not ready; empty makes it ready. Opens a missing desk."""
    seen_now(ctx)
    ctx.db.change(
        update(order_desks)
        .where(order_desks.c.id == ctx.principal.tenant_id)
        .values(unready_reason=reason)
    )


def tenants(runtime: Runtime) -> list[str]:
    """Return every tenant that has a desk, sorted."""
    with runtime.database.read(None) as db:
        return [row.id for row in db.rows(select(order_desks.c.id).order_by(order_desks.c.id))]
