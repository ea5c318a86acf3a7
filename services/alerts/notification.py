"""Owns the notification feed: what a person should know, each thing once, read or unread."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select, update

from services.alerts.tables import notifications
from services.kit.canonical import canonical
from services.kit.context import Context

Level = Literal["info", "warning", "critical"]
LIST_MAX = 200
_MESSAGE_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One entry of the feed; `next_action` is a suggestion with a prefilled call, or None."""

    id: int
    level: Level
    topic: str
    subject: str
    code: str
    message: str
    next_action: Mapping[str, Any] | None
    at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class NotificationPage:
    """Some entries, how many are unread in all, and the newest id so far."""

    items: tuple[Notification, ...]
    unread: int
    cursor: int


def record(
    ctx: Context, level: Level, message: str, *, topic: str, subject: str, dedupe: str,
    body: Mapping[str, Any] | None = None,
) -> int | None:  # fmt: skip
    """Append a notification and return its id; None when `dedupe` was told before.

    `body` may hold a `code` and a `next_action` with text, tool and arguments.
    """
    if ctx.db.row(select(notifications.c.seq).where(notifications.c.dedupe_key == dedupe)):
        return None
    more = dict(body or {})
    action = more.get("next_action")
    ctx.db.insert(
        notifications,
        {
            "level": level,
            "topic": topic,
            "subject": subject,
            "code": str(more.get("code") or ""),
            "message": message[:_MESSAGE_MAX],
            "next_action": canonical(action).decode() if action else None,
            "dedupe_key": dedupe,
            "at": ctx.now,
            "read_at": None,
        },
    )
    found = select(notifications.c.seq).where(notifications.c.dedupe_key == dedupe)
    return int(ctx.db.scalar(found))


def list_notifications(ctx: Context, after: int | None = None, limit: int = 50) -> NotificationPage:
    """Return the entries after `after` in their order, or the newest ones, newest first."""
    limit = max(1, min(limit, LIST_MAX))
    query = select(notifications).limit(limit)
    if after is None:
        query = query.order_by(notifications.c.seq.desc())
    else:
        query = query.where(notifications.c.seq > after).order_by(notifications.c.seq)
    items = tuple(_notification(row) for row in ctx.db.rows(query))
    return NotificationPage(items, _unread(ctx), max([after or 0, *(one.id for one in items)]))


def mark_read(ctx: Context, up_to: int) -> int:
    """Mark every entry up to and with `up_to` as read; return how many are left unread."""
    ctx.db.change(
        update(notifications)
        .where(notifications.c.seq <= up_to, notifications.c.read_at.is_(None))
        .values(read_at=ctx.now)
    )
    return _unread(ctx)


def _unread(ctx: Context) -> int:
    found = ctx.db.scalar(
        select(func.count()).select_from(notifications).where(notifications.c.read_at.is_(None))
    )
    return int(found or 0)


def _notification(row: Any) -> Notification:
    return Notification(
        id=row.seq,
        level=row.level,
        topic=row.topic,
        subject=row.subject,
        code=row.code,
        message=row.message,
        next_action=json.loads(row.next_action) if row.next_action else None,
        at=row.at,
        read_at=row.read_at,
    )
