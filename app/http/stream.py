"""Owns the event streams: a conversation's and the desk's, resumable and bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.conversation import get_conversation
from agent.follow import Snapshot
from agent.log import Cursor, desk_stream, parse_cursor
from app.http.room_events import EventRooms
from app.http.runs import Runs
from app.http.snapshot import conversation_state, desk_state
from app.http.unit import fetch, principal_of
from app.http.wire import Word
from app.wiring import Product
from services.kit.errors import refuse

router = APIRouter(prefix="/api/v1/coach")
PER_READER_MAX = 3
"""Streams one session, or one user by key, may hold open; browsers open six per host."""
LIFE_S = 600.0
"""A stream is closed after this long; the client resumes at the exact event."""
PING_S = 10
RETRY_MS = 2000
SEND_TIMEOUT_S = 10.0
END_S = 2.0
"""How long a stream may take to end itself at shutdown before it is cut off."""
_CURSOR = r"^[0-9]{1,9}\.[0-9]{1,15}$"


class Streams:
    """Counts the open streams of each session and closes all of them at shutdown."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._open: Counter[str] = Counter()
        self.closing = asyncio.Event()
        self.rooms = EventRooms(product, self.closing)

    def admit(self, reader: str) -> None:
        """Count one more stream of a session or key. Raises `STREAM_LIMIT`."""
        if self._open[reader] >= PER_READER_MAX:
            raise refuse("STREAM_LIMIT", limit=PER_READER_MAX, retry_after_s=RETRY_MS // 1000)
        self._open[reader] += 1
        self._product.metrics.streams.inc()

    def leave(self, reader: str) -> None:
        """Count one stream less."""
        self._open[reader] -= 1
        if self._open[reader] <= 0:
            del self._open[reader]
        self._product.metrics.streams.dec()


@router.get("/conversations/{id}/events", response_class=EventSourceResponse)
async def follow_conversation(
    request: Request,
    id: Word,  # noqa: A002
    after: Annotated[str | None, Query(pattern=_CURSOR)] = None,
) -> Response:
    """Stream a conversation's events from the place after `Last-Event-ID` or `after`."""
    await fetch(request, lambda ctx: get_conversation(ctx, id))
    answer = _stream(request, id, after, lambda ctx: conversation_state(ctx, id))
    return answer.read_by(request.app.state.runs, id)


@router.get("/stream", response_class=EventSourceResponse)
async def follow_desk(
    request: Request, after: Annotated[str | None, Query(pattern=_CURSOR)] = None
) -> Response:
    """Stream what every screen of this tenant shows: proposals, orders, risk, alerts."""
    return _stream(request, desk_stream(principal_of(request).tenant_id), after, desk_state)


def _stream(request: Request, stream: str, after: str | None, snapshot: Snapshot) -> _Counted:
    given = request.headers.get("last-event-id") or after or ""
    place = parse_cursor(given)
    if given and place is None:
        place = Cursor(0, 0)  # a place that no stream has: the reader gets a resync
    principal, streams = principal_of(request), request.app.state.streams
    reader = principal.session_id or principal.user_id
    streams.admit(reader)
    events = streams.rooms.follow(principal, stream, after=place, snapshot=snapshot, life_s=LIFE_S)
    body = _frames(events)
    return _Counted(
        body,
        ping=PING_S,
        send_timeout=SEND_TIMEOUT_S,
        shutdown_grace_period=END_S,
        sep="\n",
        ping_message_factory=lambda: ServerSentEvent(comment="ping"),
        headers={"Cache-Control": "no-store"},
    ).counted(streams, reader)


class _Counted(EventSourceResponse):
    """Gives its place back however the stream ends, even when it never began."""

    _runs: Runs | None = None
    _conversation_id = ""

    def counted(self, streams: Streams, reader: str) -> _Counted:
        """Say whose place it is."""
        self._streams, self._reader = streams, reader
        return self

    def read_by(self, runs: Runs, conversation_id: str) -> _Counted:
        """Count as a reader of a conversation, whose runs end when nobody reads them."""
        runs.enter(conversation_id)
        self._runs, self._conversation_id = runs, conversation_id
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream, then leave."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(self._reader)
            if self._runs is not None:
                self._runs.leave(self._conversation_id)


async def _frames(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield how long to wait before coming again, then the events."""
    yield b"retry: %d\n\n" % RETRY_MS
    async with aclosing(events) as frames:  # type: ignore[type-var]
        async for one in frames:
            yield one
