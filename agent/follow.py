"""Owns live reading of a stream: replay, then go on from exactly the next event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial

from agent.events import Envelope, Resync, StateSnapshot, body_of
from agent.log import Cursor, head, replay
from services.kit.bus.port import Bus, Subscription
from services.kit.context import Context, Principal
from services.kit.work import Runtime

LOOK_S = 1.0
"""A reader looks by itself this often, so a lost wake-up costs time and never an event."""
_FOREIGN_MAX = 64
Snapshot = Callable[[Context], StateSnapshot]


async def follow(
    runtime: Runtime,
    bus: Bus,
    principal: Principal,
    stream: str,
    *,
    after: Cursor | None = None,
    snapshot: Snapshot | None = None,
) -> AsyncIterator[Envelope]:
    """Yield the events behind `after`, then each new one, without gap or repeat, until closed.

    Rows are pulled as fast as the reader takes them, so a slow reader holds no queue. `after` None
    starts at the head. A place that is gone yields `resync` and a `state.snapshot` (both unstored,
    standing at the head), then goes on from there.
    """
    async with bus.subscribe("events") as wakes:
        place = after or await runtime.read_async(principal, lambda ctx: head(ctx, stream))
        while True:
            page = await runtime.read_async(principal, partial(replay, stream=stream, after=place))
            for envelope in page:
                place = Cursor(envelope.epoch, envelope.seq)
                yield envelope
                if envelope.type == Resync.type:
                    yield await _snapshot(runtime, principal, envelope, snapshot)
            if not page:
                await _woken(wakes, stream)


async def _woken(wakes: Subscription, stream: str) -> None:
    """Wait for a wake-up of this stream, for silence of `LOOK_S`, or for much other traffic."""
    for _ in range(_FOREIGN_MAX):
        key = await wakes.next(LOOK_S)
        if key is None or key == stream:
            return


async def _snapshot(
    runtime: Runtime, principal: Principal, at: Envelope, build: Snapshot | None
) -> Envelope:
    event = StateSnapshot() if build is None else await runtime.read_async(principal, build)
    return Envelope(
        stream=at.stream,
        epoch=at.epoch,
        seq=at.seq,
        at=at.at,
        run="",
        type=event.type,
        body=body_of(event),
    )
