"""Owns login sessions: opened at login, found by their secret, ended by time or by revocation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from services import audit
from services.identity.tables import sessions, users
from services.identity.user import User
from services.kit.context import Context, Principal, Surface
from services.kit.errors import refuse
from services.kit.ids import sha256_hex

IDLE = timedelta(minutes=30)
"""A served session ends after this long without a request."""
ABSOLUTE = timedelta(hours=12)
"""A served session ends this long after its login, whatever happens."""
FRESH = timedelta(minutes=5)
"""How long after a login a step-up act is allowed."""
SEEN_STEP = timedelta(seconds=60)
"""`seen_at` moves at most this often, so that reading does not write."""
_CLIENT_MAX = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login as its owner sees it; the secret is not in it."""

    id: str
    surface: str
    client: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime | None
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A live session: who it is, and whether its `seen_at` is due to move."""

    principal: Principal
    name: str
    seen_due: bool


def open_session(
    ctx: Context, user: User, *, surface: Surface, client: str = ""
) -> tuple[str, str]:
    """Open a session of `user` in the tenant of `ctx`; return its id and its secret.

    The secret is shown once. Served sessions end after twelve hours; local ones stay.
    """
    secret, session_id = ctx.ids.secret(), ctx.ids.new("ses")
    served = ctx.settings.cornerman_mode == "served"
    ctx.db.insert(
        sessions,
        {
            "id": session_id,
            "secret_sha256": sha256_hex(secret),
            "user_id": user.id,
            "surface": surface.value,
            "client": _plain(client),
            "created_at": ctx.now,
            "seen_at": ctx.now,
            "fresh_until": ctx.now + FRESH,
            "expires_at": ctx.now + ABSOLUTE if served else None,
            "revoked_at": None,
        },
    )
    audit.record(ctx, "session.opened", session_id, user=user.id, surface=surface.value)
    return session_id, secret


def find_session(ctx: Context, secret: str) -> Found | None:
    """Return the live session with this secret; runs before the tenant is known."""
    row = ctx.db.row(
        select(sessions, users.c.name, users.c.scopes)
        .join(users, users.c.id == sessions.c.user_id)
        .where(
            sessions.c.secret_sha256 == sha256_hex(secret),
            sessions.c.revoked_at.is_(None),
            users.c.disabled_at.is_(None),
        )
    )
    if row is None or (row.expires_at is not None and row.expires_at <= ctx.now):
        return None
    if ctx.settings.cornerman_mode == "served" and row.seen_at + IDLE <= ctx.now:
        return None
    principal = Principal(
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        surface=Surface(row.surface),
        session_id=row.id,
        scopes=frozenset(row.scopes.split()),
        fresh_until=row.fresh_until,
    )
    return Found(principal=principal, name=row.name, seen_due=row.seen_at + SEEN_STEP <= ctx.now)


def touch_session(ctx: Context) -> None:
    """Note that the session of `ctx` was used now."""
    ctx.db.change(
        sessions.update().where(sessions.c.id == ctx.principal.session_id).values(seen_at=ctx.now)
    )


def list_sessions(ctx: Context) -> list[Session]:
    """Return the live sessions of this user, newest first."""
    rows = ctx.db.rows(
        select(sessions)
        .where(sessions.c.user_id == ctx.principal.user_id, sessions.c.revoked_at.is_(None))
        .order_by(sessions.c.created_at.desc(), sessions.c.id)
        .limit(100)
    )
    return [
        Session(
            id=row.id,
            surface=row.surface,
            client=row.client,
            created_at=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
            current=row.id == ctx.principal.session_id,
        )
        for row in rows
        if row.expires_at is None or row.expires_at > ctx.now
    ]


def revoke_session(ctx: Context, session_id: str) -> None:
    """End a session of this user at once. Raises `SESSION_UNKNOWN`."""
    hit = ctx.db.change(
        sessions.update()
        .where(
            sessions.c.id == session_id,
            sessions.c.user_id == ctx.principal.user_id,
            sessions.c.revoked_at.is_(None),
        )
        .values(revoked_at=ctx.now)
    )
    if not hit:
        raise refuse("SESSION_UNKNOWN", id=session_id)
    audit.record(ctx, "session.revoked", session_id, user=ctx.principal.user_id)


def require_fresh(ctx: Context) -> None:
    """Refuse unless the person logged in within the last five minutes.

    Local mode has one owner and no password, so a web session is fresh there while it lives.
    Raises `STEP_UP_NEEDED`.
    """
    principal = ctx.principal
    if ctx.settings.cornerman_mode == "local" and principal.surface != Surface.FRAME:
        return
    if principal.fresh_until is None or principal.fresh_until <= ctx.now:
        raise refuse("STEP_UP_NEEDED")


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isprintable())[:_CLIENT_MAX]
