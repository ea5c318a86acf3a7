"""Owns whether an attempt may confirm at all: the person, and what the token is bound to."""

from __future__ import annotations

import hmac
from typing import Any

from sqlalchemy.engine import Row

from services.kit.canonical import document
from services.kit.context import Actor, Context, Principal, Surface
from services.kit.errors import Refusal, refuse
from services.orders import desk
from services.orders.order import Status
from services.orders.proposal import close


def principal_refusal(who: Principal) -> Refusal | None:
    """Refuse whoever is not a person, a framed surface and a person without the scope.

    The codes are `CONFIRM_SERVICE_PRINCIPAL`, `CONFIRM_FRAMED` and `SCOPE_MISSING`.
    """
    if who.actor is not Actor.PERSON:
        return refuse("CONFIRM_SERVICE_PRINCIPAL")
    if who.surface is Surface.FRAME:
        return refuse("CONFIRM_FRAMED")
    if "confirm" not in who.scopes:
        return refuse("SCOPE_MISSING", scope="confirm")
    return None


def standing_refusal(ctx: Context, row: Row[Any], found: Row[Any]) -> Refusal | None:
    """Refuse a used or dead token and a proposal that is decided; close one whose time is over.

    The codes are `TOKEN_USED`, `PROPOSAL_NOT_PENDING`, `TOKEN_EXPIRED` and `PROPOSAL_EXPIRED`; the
    end of the time itself is too late.
    """
    if found.used_at is not None:
        return refuse("TOKEN_USED", outcome=found.outcome)
    if row.status != Status.PENDING:
        return refuse(
            "PROPOSAL_NOT_PENDING",
            id=row.id,
            status=row.status,
            reason=row.status_reason or "it was decided",
            decided_by=row.decided_by,
            decided_at=str(document(row.decided_at)),
        )
    if found.revoked_at is not None:
        return refuse("TOKEN_EXPIRED", ts=str(document(found.revoked_at)))
    now = desk.seen_now(ctx)
    if now >= found.expires_at or now >= row.expires_at:
        close(ctx, row, Status.EXPIRED, "its time is over")
        return refuse("PROPOSAL_EXPIRED", id=row.id, ts=str(document(row.expires_at)))
    return None


def binding_refusal(
    ctx: Context, row: Row[Any], found: Row[Any], *, version: int, order_hash: str
) -> Refusal | None:
    """Refuse what the token does not speak for: another version, order, person or surface.

    `version` and `order_hash` are what the person saw. The codes are `PROPOSAL_VERSION`,
    `ORDER_HASH_MISMATCH` and `TOKEN_BINDING`.
    """
    if version != row.version or found.version != row.version:
        return refuse("PROPOSAL_VERSION", id=row.id, current=row.version, given=version)
    if found.order_hash != row.order_hash or not hmac.compare_digest(
        order_hash.encode(), row.order_hash.encode()
    ):
        return refuse("ORDER_HASH_MISMATCH")
    who = ctx.principal
    if (found.user_id, found.session_id, found.surface, found.mode) != (
        who.user_id,
        who.session_id,
        who.surface.value,
        row.mode,
    ):
        return refuse("TOKEN_BINDING")
    return None
