"""Owns the routes of the notification feed: what a person should know, and what was read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.http.unit import read, write
from app.http.wire import Body
from services.alerts import notification

router = APIRouter(prefix="/api/v1/notifications")
_SEQ_MAX = 2**53


class ReadBody(Body):
    """The newest entry that was read."""

    up_to: int = Field(ge=0, le=_SEQ_MAX)


@router.get("")
async def list_notifications(
    request: Request,
    after: Annotated[int | None, Query(ge=0, le=_SEQ_MAX)] = None,
    limit: Annotated[int, Query(ge=1, le=notification.LIST_MAX)] = 50,
) -> Response:
    """List the newest entries, newest first; with `after` those that came later, in order."""
    return await read(
        request, lambda ctx: notification.list_notifications(ctx, after=after, limit=limit)
    )


@router.post("/read")
async def mark_read(request: Request, body: ReadBody) -> Response:
    """Mark every entry up to `up_to` as read."""
    return await write(request, lambda ctx: {"unread": notification.mark_read(ctx, body.up_to)})
