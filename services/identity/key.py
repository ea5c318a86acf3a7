"""Owns API keys: `ck_<id>_<secret>`, hashed, scoped, expiring, revocable."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Row

from services import audit
from services.identity.tables import api_keys, users
from services.kit.context import SCOPES, Context, Principal, Surface
from services.kit.errors import refuse
from services.kit.ids import sha256_hex

_KEY = re.compile(r"ck_([0-9a-z]{26})_([A-Za-z0-9_-]{43})", re.ASCII)
DAYS_MAX = 365
KEYS_MAX = 50
"""Live keys of one user; a list that nobody can read protects nobody."""
USED_STEP = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key as its owner sees it; the secret is not in it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """A live key: who it is, and whether its `used_at` is due to move."""

    principal: Principal
    name: str
    used_due: bool


def issue_key(
    ctx: Context, name: str, *, scopes: frozenset[str], days: int = 90
) -> tuple[ApiKey, str]:
    """Create a key and return it with its text, which is shown this once.

    `scopes` may not go beyond the scopes of the caller; `days` is 1 to 365.
    Raises `PARAM_INVALID` and `SCOPE_MISSING`.
    """
    if not scopes or not scopes <= SCOPES:
        raise refuse(
            "PARAM_INVALID",
            field="scopes",
            name="scopes",
            value=sorted(scopes),
            rule=f"choose from {', '.join(sorted(SCOPES))}",
        )
    if not 1 <= days <= DAYS_MAX:
        raise refuse("PARAM_INVALID", field="days", name="days", value=days, rule="1 to 365")
    for scope in sorted(scopes - ctx.principal.scopes):
        raise refuse("SCOPE_MISSING", scope=scope)
    live = ctx.db.scalar(
        select(func.count())
        .select_from(api_keys)
        .where(api_keys.c.user_id == ctx.principal.user_id, api_keys.c.revoked_at.is_(None))
    )
    if live >= KEYS_MAX:
        raise refuse("PARAM_INVALID", name="keys", value=live, rule=f"at most {KEYS_MAX} live keys")
    secret, key_id = ctx.ids.secret(), ctx.ids.new("key")
    key = ApiKey(
        id=key_id,
        name=name,
        scopes=tuple(sorted(scopes)),
        created_at=ctx.now,
        expires_at=ctx.now + timedelta(days=days),
        used_at=None,
    )
    ctx.db.insert(
        api_keys,
        {
            "id": key_id,
            "secret_sha256": sha256_hex(secret),
            "user_id": ctx.principal.user_id,
            "name": name,
            "scopes": " ".join(key.scopes),
            "created_at": ctx.now,
            "expires_at": key.expires_at,
            "used_at": None,
            "revoked_at": None,
        },
    )
    audit.record(ctx, "key.issued", key_id, name=name, scopes=list(key.scopes))
    return key, f"ck_{key_id.removeprefix('key_')}_{secret}"


def find_key(ctx: Context, text: str) -> FoundKey | None:
    """Return who a live key belongs to; runs before the tenant is known.

    A key acts with its own scopes, cut to those its user still holds.
    """
    parts = _KEY.fullmatch(text)
    if parts is None:
        return None
    row = ctx.db.row(
        select(api_keys, users.c.scopes.label("user_scopes"), users.c.name.label("user_name"))
        .join(users, users.c.id == api_keys.c.user_id)
        .where(
            api_keys.c.id == f"key_{parts[1]}",
            api_keys.c.revoked_at.is_(None),
            api_keys.c.expires_at > ctx.now,
            users.c.disabled_at.is_(None),
        )
    )
    if row is None or not hmac.compare_digest(row.secret_sha256, sha256_hex(parts[2])):
        return None
    scopes = frozenset(row.scopes.split()) & frozenset(row.user_scopes.split())
    principal = Principal(
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        surface=Surface.API,
        session_id=row.id,
        scopes=scopes,
    )
    due = row.used_at is None or row.used_at + USED_STEP <= ctx.now
    return FoundKey(principal=principal, name=row.user_name, used_due=due)


def touch_key(ctx: Context) -> None:
    """Note that the key of `ctx` was used now."""
    ctx.db.change(
        api_keys.update().where(api_keys.c.id == ctx.principal.session_id).values(used_at=ctx.now)
    )


def list_keys(ctx: Context) -> list[ApiKey]:
    """Return the keys of this user that are not revoked, newest first."""
    rows = ctx.db.rows(
        select(api_keys)
        .where(api_keys.c.user_id == ctx.principal.user_id, api_keys.c.revoked_at.is_(None))
        .order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        .limit(KEYS_MAX)
    )
    return [_key(row) for row in rows]


def revoke_key(ctx: Context, key_id: str) -> None:
    """End a key of this user at once. Raises `API_KEY_UNKNOWN`."""
    hit = ctx.db.change(
        api_keys.update()
        .where(
            api_keys.c.id == key_id,
            api_keys.c.user_id == ctx.principal.user_id,
            api_keys.c.revoked_at.is_(None),
        )
        .values(revoked_at=ctx.now)
    )
    if not hit:
        raise refuse("API_KEY_UNKNOWN", id=key_id)
    audit.record(ctx, "key.revoked", key_id, user=ctx.principal.user_id)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )
