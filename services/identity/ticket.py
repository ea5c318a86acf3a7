"""Owns one-time tickets: the login link of local mode, and the WebSocket ticket."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit
from services.identity.session import open_session
from services.identity.tables import tickets
from services.identity.user import User, find_user
from services.kit.context import Context, Principal, Surface
from services.kit.errors import refuse
from services.kit.ids import sha256_hex

Purpose = Literal["login", "ws"]
LIFE: dict[Purpose, timedelta] = {"login": timedelta(minutes=10), "ws": timedelta(seconds=30)}
"""How long a ticket of each purpose can be used; once only."""


def issue_ticket(ctx: Context, purpose: Purpose) -> str:
    """Return a new one-time secret for the principal of `ctx`; only its hash is stored."""
    secret = ctx.ids.secret()
    principal = ctx.principal
    ctx.db.insert(
        tickets,
        {
            "secret_sha256": sha256_hex(secret),
            "purpose": purpose,
            "user_id": principal.user_id,
            "session_id": principal.session_id,
            "surface": principal.surface.value,
            "created_at": ctx.now,
            "expires_at": ctx.now + LIFE[purpose],
            "used_at": None,
        },
    )
    audit.record(ctx, f"ticket.{purpose}_issued", principal.user_id)
    return secret


def find_ticket(ctx: Context, purpose: Purpose, secret: str) -> Principal | None:
    """Return who a usable ticket belongs to; runs before the tenant is known, uses nothing up."""
    row = ctx.db.row(
        select(tickets).where(
            tickets.c.secret_sha256 == sha256_hex(secret),
            tickets.c.purpose == purpose,
            tickets.c.used_at.is_(None),
            tickets.c.expires_at > ctx.now,
        )
    )
    return None if row is None else _holder(row)


def use_ticket(ctx: Context, purpose: Purpose, secret: str) -> None:
    """Use the ticket up in the tenant of `ctx`. Raises `LOGIN_LINK_INVALID` the second time."""
    hit = ctx.db.change(
        tickets.update()
        .where(
            tickets.c.secret_sha256 == sha256_hex(secret),
            tickets.c.purpose == purpose,
            tickets.c.used_at.is_(None),
            tickets.c.expires_at > ctx.now,
        )
        .values(used_at=ctx.now)
    )
    if hit != 1:
        raise refuse("LOGIN_LINK_INVALID")
    audit.record(ctx, f"ticket.{purpose}_used", ctx.principal.user_id)


def log_in_by_link(ctx: Context, secret: str, *, client: str = "") -> tuple[User, str]:
    """Use a login link up and open a web session; return the user and the session's secret.

    Raises `LOGIN_LINK_INVALID` for a link that is used, expired or unknown.
    """
    use_ticket(ctx, "login", secret)
    user = find_user(ctx, ctx.principal.user_id)
    if user is None:
        raise refuse("LOGIN_LINK_INVALID")
    _, session_secret = open_session(ctx, user, surface=Surface.WEB, client=client)
    return user, session_secret


def _holder(row: Row[Any]) -> Principal:
    return Principal(
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        session_id=row.session_id,
        surface=Surface(row.surface),
    )
