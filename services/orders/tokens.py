"""Owns the one-time tokens: making, finding and burning them; only a digest is ever stored."""

from __future__ import annotations

import hmac
import re
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import check
from services.kit.ids import sha256_hex
from services.orders.tables import confirm_tokens

_TOKEN = re.compile(r"ct_[A-Za-z0-9_-]{43}", re.ASCII)


def issue_token(ctx: Context, row: Row[Any]) -> tuple[str, str]:
    """Store a fresh token for a proposal's row, bound to the caller; return the token and its id.

    An older token of the same session and surface dies.
    """
    who, token = ctx.principal, "ct_" + ctx.ids.secret()
    ctx.db.change(
        update(confirm_tokens)
        .where(
            confirm_tokens.c.proposal_id == row.id,
            confirm_tokens.c.session_id == who.session_id,
            confirm_tokens.c.surface == who.surface.value,
            confirm_tokens.c.used_at.is_(None),
            confirm_tokens.c.revoked_at.is_(None),
        )
        .values(revoked_at=ctx.now)
    )
    token_id = ctx.ids.new("tok")
    ctx.db.insert(
        confirm_tokens,
        {
            "id": token_id,
            "token_sha256": sha256_hex(token),
            "proposal_id": row.id,
            "version": row.version,
            "order_hash": row.order_hash,
            "user_id": who.user_id,
            "session_id": who.session_id,
            "surface": who.surface.value,
            "mode": row.mode,
            "issued_at": ctx.now,
            "expires_at": row.expires_at,
            "used_at": None,
            "revoked_at": None,
            "outcome": "",
        },
    )
    return token, token_id


def find_token(ctx: Context, row: Row[Any], token: str) -> Row[Any] | None:
    """Return the row of a well-formed token that was issued for this proposal, or None."""
    if not _TOKEN.fullmatch(token):
        return None
    digest = sha256_hex(token)
    found = ctx.db.row(
        select(confirm_tokens).where(
            confirm_tokens.c.token_sha256 == digest, confirm_tokens.c.proposal_id == row.id
        )
    )
    if found is None or not hmac.compare_digest(found.token_sha256, digest):
        return None
    return found


def burn(ctx: Context, found: Row[Any], outcome: str) -> None:
    """Mark a token as used with its outcome; it happens once."""
    hit = ctx.db.change(
        update(confirm_tokens)
        .where(confirm_tokens.c.id == found.id, confirm_tokens.c.used_at.is_(None))
        .values(used_at=ctx.now, outcome=outcome)
    )
    check(hit == 1, "a token is burned once", token=found.id)
