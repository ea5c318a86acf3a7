"""Owns tenants and users: the local owner, the served administrator, and login by password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit
from services.identity.tables import tenants, users
from services.kit.context import SCOPES, Context, Principal, Surface, system_principal
from services.kit.errors import check

LOCAL_TENANT = "ten_local"
LOCAL_USER = "usr_owner"
NOBODY = system_principal("")
"""The product before it knows a tenant; it may read identity tables only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person who may log in. `password_hash` is argon2, None for login by link only."""

    id: str
    tenant_id: str
    name: str
    scopes: frozenset[str]
    password_hash: str | None = None


def open_tenant(ctx: Context, name: str) -> str:
    """Create the tenant of `ctx` if it is new; return its id."""
    tenant_id = ctx.principal.tenant_id
    if ctx.db.row(select(tenants.c.id).where(tenants.c.id == tenant_id)) is None:
        ctx.db.insert(tenants, {"id": tenant_id, "name": name, "created_at": ctx.now})
        audit.record(ctx, "tenant.opened", tenant_id, name=name)
    return tenant_id


def open_user(
    ctx: Context,
    name: str,
    *,
    user_id: str | None = None,
    password_hash: str | None = None,
    scopes: frozenset[str] = SCOPES,
) -> User:
    """Create the user `name` in the tenant of `ctx`, or return the one that exists.

    A given `password_hash` replaces the stored one, so a new `ADMIN_PASSWORD` counts.
    """
    check(scopes <= SCOPES, "a user holds known scopes only", scopes=sorted(scopes))
    found = ctx.db.row(select(users).where(users.c.name == name))
    if found is not None:
        if password_hash is not None and found.password_hash != password_hash:
            ctx.db.change(
                users.update().where(users.c.id == found.id).values(password_hash=password_hash)
            )
            audit.record(ctx, "user.password_changed", found.id)
        return _user(found)
    fresh = user_id or ctx.ids.new("usr")
    ctx.db.insert(
        users,
        {
            "id": fresh,
            "name": name,
            "password_hash": password_hash,
            "scopes": " ".join(sorted(scopes)),
            "created_at": ctx.now,
            "disabled_at": None,
        },
    )
    audit.record(ctx, "user.opened", fresh, name=name, scopes=sorted(scopes))
    return User(
        id=fresh,
        tenant_id=ctx.principal.tenant_id,
        name=name,
        scopes=scopes,
        password_hash=password_hash,
    )


def find_user(ctx: Context, user_id: str) -> User | None:
    """Return the user that is not disabled, or None."""
    row = ctx.db.row(select(users).where(users.c.id == user_id, users.c.disabled_at.is_(None)))
    return None if row is None else _user(row)


def find_login(ctx: Context, name: str) -> User | None:
    """Return the user who logs in as `name`; runs before the tenant is known."""
    row = ctx.db.row(select(users).where(users.c.name == name, users.c.disabled_at.is_(None)))
    return None if row is None else _user(row)


def tenant_ids(ctx: Context) -> list[str]:
    """Return every tenant, oldest first; for workers that act for each of them."""
    return [
        row.id
        for row in ctx.db.rows(select(tenants.c.id).order_by(tenants.c.created_at, tenants.c.id))
    ]


def principal_of(user: User, surface: Surface, session_id: str) -> Principal:
    """Return `user` acting on `surface` with all the scopes the user holds."""
    return Principal(
        tenant_id=user.tenant_id,
        user_id=user.id,
        surface=surface,
        session_id=session_id,
        scopes=user.scopes,
    )


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        scopes=frozenset(row.scopes.split()),
        password_hash=row.password_hash,
    )
