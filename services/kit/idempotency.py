"""Owns idempotency: one key, one effect, the same answer for every repeat."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Integer, Text, UniqueConstraint, bindparam, select

from services.kit.canonical import tagged_hash
from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table
from services.kit.errors import refuse

_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)

idempotency = tenant_table(
    "idempotency",
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "user_id", "route", "key"),
)
_KNOWN = select(idempotency).where(
    idempotency.c.user_id == bindparam("of_user"),
    idempotency.c.route == bindparam("of_route"),
    idempotency.c.key == bindparam("of_key"),
)


@dataclass(frozen=True, slots=True)
class Replayable:
    """An answer that can be given again; `replayed` is true when it was stored before."""

    status: int
    body: Mapping[str, Any]
    replayed: bool


def once(
    ctx: Context,
    route: str,
    key: str,
    request: object,
    act: Callable[[], tuple[int, Mapping[str, Any]]],
) -> Replayable:
    """Run `act` and store its answer in the same transaction, or give the stored answer again.

    `request` is hashed as a document. Raises `IDEMPOTENCY_KEY_INVALID`, and
    `IDEMPOTENCY_KEY_REUSED` when the key stands for another request. Only answers below 500 are
    stored. Concurrent repeats wait for the first transaction, so "in progress" is never visible.
    """
    if not _KEY.fullmatch(key):
        raise refuse("IDEMPOTENCY_KEY_INVALID", field="Idempotency-Key")
    user = ctx.principal.user_id
    ctx.db.lock(f"idempotency:{ctx.principal.tenant_id}:{user}:{route}:{key}")
    request_hash = tagged_hash("request/v1", request)
    known = ctx.db.row(_KNOWN, of_user=user, of_route=route, of_key=key)
    if known is not None:
        if known.request_hash != request_hash:
            raise refuse("IDEMPOTENCY_KEY_REUSED", field="Idempotency-Key")
        return Replayable(known.status, json.loads(known.body), replayed=True)
    status, body = act()
    if status < 500:
        ctx.db.insert(
            idempotency,
            {
                "id": ctx.ids.new("idem"),
                "user_id": user,
                "route": route,
                "key": key,
                "request_hash": request_hash,
                "status": status,
                "body": json.dumps(body, separators=(",", ":")),
                "created_at": ctx.now,
            },
        )
    return Replayable(status, body, replayed=False)
