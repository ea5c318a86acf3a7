"""Owns whether a login still stands: asked again and again by connections that stay open."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import or_, select

from services.identity.session import IDLE
from services.identity.tables import api_keys, sessions, users
from services.kit.context import Context


def standing(ctx: Context, ids: Collection[str]) -> frozenset[str]:
    """Return which of these sessions and API keys are neither revoked, ended nor disabled."""
    wanted = sorted(ids)
    by_session = (
        select(sessions.c.id)
        .join(users, users.c.id == sessions.c.user_id)
        .where(
            sessions.c.id.in_(wanted),
            sessions.c.revoked_at.is_(None),
            users.c.disabled_at.is_(None),
            or_(sessions.c.expires_at.is_(None), sessions.c.expires_at > ctx.now),
        )
    )
    if ctx.settings.cornerman_mode == "served":
        by_session = by_session.where(sessions.c.seen_at > ctx.now - IDLE)
    by_key = (
        select(api_keys.c.id)
        .join(users, users.c.id == api_keys.c.user_id)
        .where(
            api_keys.c.id.in_(wanted),
            api_keys.c.revoked_at.is_(None),
            users.c.disabled_at.is_(None),
            api_keys.c.expires_at > ctx.now,
        )
    )
    found = [*ctx.db.rows(by_session), *ctx.db.rows(by_key)]
    return frozenset(row.id for row in found)
