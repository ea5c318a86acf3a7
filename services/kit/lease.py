"""Owns leases: a duty that one process at a time may do, for as long as it keeps renewing."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Column, PrimaryKeyConstraint, Text, delete, or_, select, update

from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table
from services.kit.errors import check

leases = tenant_table(
    "leases",
    Column("name", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "name"),
)


def take(ctx: Context, name: str, holder: str, ttl_s: float) -> bool:
    """Take or renew the lease `name` for `ttl_s` seconds; return False while another holds it.

    A lease that ran out is anybody's: it has run out at `expires_at` itself. It goes by the wall
    time of the unit of work, so a holder renews well before the end (a third of `ttl_s`).
    """
    check(ttl_s > 0 and holder, "a lease needs a holder and a term", name=name)
    ctx.db.lock(f"lease:{ctx.principal.tenant_id}:{name}")
    until = ctx.now + timedelta(seconds=ttl_s)
    known = ctx.db.row(select(leases.c.holder, leases.c.taken_at).where(leases.c.name == name))
    if known is None:
        row = {"name": name, "holder": holder, "taken_at": ctx.now, "expires_at": until}
        ctx.db.insert(leases, row)
        return True
    since = known.taken_at if known.holder == holder else ctx.now
    free = or_(leases.c.holder == holder, leases.c.expires_at <= ctx.now)
    taking = update(leases).where(leases.c.name == name, free)
    return ctx.db.change(taking.values(holder=holder, taken_at=since, expires_at=until)) == 1


def release(ctx: Context, name: str, holder: str) -> None:
    """Give the lease back at once; nothing happens when somebody else holds it by now."""
    ctx.db.change(delete(leases).where(leases.c.name == name, leases.c.holder == holder))


def find_holder(ctx: Context, name: str) -> str | None:
    """Return who holds the lease now, or None when it is free or has run out."""
    held = select(leases.c.holder).where(leases.c.name == name, leases.c.expires_at > ctx.now)
    found = ctx.db.scalar(held)
    return None if found is None else str(found)
