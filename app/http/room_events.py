"""Owns the readers of stored events: what is new is read and encoded once for all of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog

from agent.events import Envelope, Resync, body_of
from agent.follow import LOOK_S, Snapshot
from agent.log import Cursor, head, replay
from app.http.wire import dump
from app.wiring import Product
from services.kit.bus.port import Subscription
from services.kit.context import Principal, system_principal

PAGES_MAX = 64
"""Pages that may wait for a reader; one that is slower reads for itself again, and loses none."""
_REST_S = 0.5
_FOREIGN_MAX = 64
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Page:
    """New events as bytes: they follow `before` without a gap, and `after` is the last of them."""

    before: Cursor
    after: Cursor
    frames: bytes


class EventReader:
    """One reader: the pages that wait for it, in order. Everything runs in the event loop."""

    def __init__(self) -> None:
        self._pages: asyncio.Queue[Page | None] = asyncio.Queue()
        self._lost = False
        self.ended = False

    def offer(self, page: Page) -> None:
        """Give a page; when too many wait they are dropped, and the reader is told so."""
        if self._pages.qsize() >= PAGES_MAX:
            self._clear()
            self._lost = True
        self._pages.put_nowait(page)

    def lose(self) -> None:
        """Say that the events of the stream do not go on from where they were."""
        self._clear()
        self._lost = True
        self._pages.put_nowait(None)

    def end(self) -> None:
        """End the reader; what waits is not given any more."""
        self.ended = True
        self.lose()

    async def following(self, place: Cursor) -> Page | None:
        """Return the page right behind `place`; None when it has to be read, or at the end."""
        while not self._lost:
            page = await self._pages.get()
            if page is None or self._lost:
                break
            if page.before == place:
                return page
            if _order(page.after) > _order(place):
                break
        return None

    def begin(self) -> None:
        """Begin to wait anew, before what was lost is read."""
        if not self.ended:
            self._clear()
            self._lost = False

    def _clear(self) -> None:
        while not self._pages.empty():
            self._pages.get_nowait()


def _order(place: Cursor) -> tuple[int, int]:
    return place.epoch, place.seq


@dataclass(slots=True)
class _Room:
    """The readers of one stream of a tenant; `ready` is set once no new event passes it by."""

    readers: dict[EventReader, None] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class EventRooms:
    """Every stream that somebody reads in this process; `closing` ends them all."""

    def __init__(self, product: Product, closing: asyncio.Event) -> None:
        self._product, self._closing = product, closing
        self._rooms: dict[tuple[str, str], _Room] = {}

    async def follow(
        self,
        principal: Principal,
        stream: str,
        *,
        after: Cursor | None,
        snapshot: Snapshot,
        life_s: float,
    ) -> AsyncIterator[bytes]:
        """Yield the frames of the events behind `after`, then of new ones, none twice or left out.

        None begins at the head. A place that is gone yields `resync` and a `state.snapshot`. It
        ends after `life_s`, or when the server closes.
        """
        runtime, reader = self._product.runtime, EventReader()
        key = (principal.tenant_id, stream)
        room = self._enter(key, reader)
        ends = asyncio.get_running_loop().call_later(life_s, reader.end)
        try:
            await room.ready.wait()
            place = after
            if place is None:
                place = await runtime.read_async(principal, partial(head, stream=stream))
            while not reader.ended:
                reader.begin()
                stored = partial(replay, stream=stream, after=place)
                events = await runtime.read_async(principal, stored)
                if events:
                    place = _place_of(events)
                    yield b"".join(map(frame, events))
                    if events[-1].type == Resync.type:
                        event = await runtime.read_async(principal, snapshot)
                        state = replace(events[-1], type=event.type, body=body_of(event))
                        yield frame(state)
                    continue
                while (page := await reader.following(place)) is not None:
                    place = page.after
                    yield page.frames
        finally:
            ends.cancel()
            self._leave(key, room, reader)

    def _enter(self, key: tuple[str, str], reader: EventReader) -> _Room:
        room = self._rooms.get(key)
        if room is None:
            room = self._rooms[key] = _Room()
            room.task = asyncio.create_task(self._tell(key, room), name="events")
        room.readers[reader] = None
        return room

    def _leave(self, key: tuple[str, str], room: _Room, reader: EventReader) -> None:
        del room.readers[reader]
        if not room.readers:
            self._rooms.pop(key, None)
            if room.task is not None:
                room.task.cancel()

    async def _tell(self, key: tuple[str, str], room: _Room) -> None:
        """Read what is new and give it to every reader, until the server closes."""
        closing = asyncio.ensure_future(self._closing.wait())
        place: Cursor | None = None
        try:
            async with self._product.bus.subscribe("events") as wakes:
                while not closing.done():
                    try:
                        found = await self._look(key, room, place)
                    except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
                        _log.exception("events.read_failed", stream=key[1])
                        await asyncio.sleep(_REST_S)
                        continue
                    if found == place:
                        await _first_of(_woken(wakes, key[1]), closing)
                    place = found
        finally:
            closing.cancel()
        for reader in room.readers:
            reader.end()
        room.ready.set()

    async def _look(self, key: tuple[str, str], room: _Room, place: Cursor | None) -> Cursor:
        """Give what is behind `place` to the readers; return the place of the last event."""
        tenant_id, stream = key
        principal, runtime = system_principal(tenant_id), self._product.runtime
        if place is None:
            place = await runtime.read_async(principal, partial(head, stream=stream))
            room.ready.set()
        stored = partial(replay, stream=stream, after=place)
        events = await runtime.read_async(principal, stored)
        if not events:
            return place
        last = _place_of(events)
        page = Page(place, last, b"".join(map(frame, events)))
        for reader in room.readers:
            if events[-1].type == Resync.type:
                reader.lose()
            else:
                reader.offer(page)
        return last


def frame(envelope: Envelope) -> bytes:
    """Return the SSE frame of one event; unstored ones stand at the head and carry its id."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        envelope.cursor.encode(),
        envelope.type.encode(),
        dump(envelope.wire()),
    )


def _place_of(events: Sequence[Envelope]) -> Cursor:
    return Cursor(events[-1].epoch, events[-1].seq)


async def _woken(wakes: Subscription, stream: str) -> None:
    """Wait for a wake-up of this stream, for silence of `LOOK_S`, or for much other traffic."""
    for _ in range(_FOREIGN_MAX):
        if await wakes.next(LOOK_S) in (None, stream):
            return


async def _first_of(wait: Coroutine[None, None, None], closing: asyncio.Future[Any]) -> None:
    """Wait until `wait` is over or the server closes."""
    waiting = asyncio.ensure_future(wait)
    try:
        await asyncio.wait((waiting, closing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
