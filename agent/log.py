"""Owns the event log: an event is stored first and sent afterwards, so any screen can resume."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update

from agent.events import Envelope, Event, Resync, body_of
from services.chat import events, streams
from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.errors import check, refuse
from services.kit.outbox import wake
from services.kit.redact import holds_token

PAGE_MAX = 256
"""Most events read at once; a reader that wants more asks again."""
_CURSOR = re.compile(r"([0-9]{1,9})\.([0-9]{1,15})", re.ASCII)
_FIRST_EPOCH = 1
_HEAD = select(streams.c.epoch, streams.c.next_seq).where(
    streams.c.stream == bindparam("in_stream")
)
_ADVANCE = (
    update(streams)
    .where(streams.c.stream == bindparam("in_stream"))
    .values(next_seq=streams.c.next_seq + bindparam("by"))
    .returning(streams.c.epoch, streams.c.next_seq)
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a stream: the last event that a screen has seen; seq 0 is the beginning."""

    epoch: int
    seq: int

    @property
    def text(self) -> str:
        """Return `<epoch>.<seq>`."""
        return f"{self.epoch}.{self.seq}"


def parse_cursor(text: str) -> Cursor | None:
    """Return the cursor of `<epoch>.<seq>`, or None when the text is none."""
    found = _CURSOR.fullmatch(text)
    return Cursor(int(found[1]), int(found[2])) if found else None


def desk_stream(tenant_id: str) -> str:
    """Return the stream that every screen of a tenant reads."""
    return f"desk_{tenant_id}"


def append(ctx: Context, stream: str, event: Event, *, run: str = "") -> Envelope:
    """Store one event in the caller's transaction and wake the readers after its commit."""
    return append_many(ctx, stream, [event], run=run)[0]


def append_many(
    ctx: Context, stream: str, batch: Iterable[Event], *, run: str = ""
) -> list[Envelope]:
    """Store events in order, numbered without a gap. Raises `EGRESS_TOKEN`."""
    wanted = list(batch)
    check(wanted, "an append needs an event", stream=stream)
    check(not any(isinstance(event, Resync) for event in wanted), "resync is never stored")
    first = _take_numbers(ctx, stream, len(wanted))
    stored = [
        Envelope(
            stream=stream,
            epoch=first.epoch,
            seq=first.seq + at,
            at=ctx.now,
            run=run,
            type=event.type,
            body=body_of(event),
        )
        for at, event in enumerate(wanted)
    ]
    ctx.db.insert(events, *[_row(envelope) for envelope in stored])
    wake(ctx, "events", stream)
    return stored


def _row(envelope: Envelope) -> dict[str, object]:
    body = canonical(envelope.body).decode()
    if holds_token(body):
        raise refuse("EGRESS_TOKEN")
    return {
        "stream": envelope.stream,
        "epoch": envelope.epoch,
        "seq": envelope.seq,
        "type": envelope.type,
        "run_id": envelope.run,
        "body": body,
        "at": envelope.at,
    }


def _take_numbers(ctx: Context, stream: str, count: int) -> Cursor:
    """Return the first of `count` numbers, reserved by this transaction."""
    row = ctx.db.changed(_ADVANCE, in_stream=stream, by=count)
    if row is None:
        ctx.db.lock(f"stream:{stream}")
        row = ctx.db.changed(_ADVANCE, in_stream=stream, by=count)
    if row is None:
        ctx.db.insert(streams, {"stream": stream, "epoch": _FIRST_EPOCH, "next_seq": 1 + count})
        return Cursor(_FIRST_EPOCH, 1)
    return Cursor(row.epoch, row.next_seq - count)


def _row_of(ctx: Context, stream: str) -> tuple[int, int] | None:
    row = ctx.db.row(_HEAD, in_stream=stream)
    return None if row is None else (row.epoch, row.next_seq)


def head(ctx: Context, stream: str) -> Cursor:
    """Return the place of the newest event; seq 0 for a stream without any."""
    row = _row_of(ctx, stream)
    return Cursor(_FIRST_EPOCH, 0) if row is None else Cursor(row[0], row[1] - 1)


def replay(
    ctx: Context, stream: str, after: Cursor | None = None, *, limit: int = PAGE_MAX
) -> list[Envelope]:
    """Return the stored events behind `after` (exclusive), oldest first, at most `limit`.

    None means from the beginning. A place that this stream never had gives one `resync` alone,
    which stands at the head: the reader takes a snapshot and goes on from there.
    """
    newest = head(ctx, stream)
    place = after or Cursor(newest.epoch, 0)
    if place.epoch != newest.epoch or place.seq > newest.seq or _is_gone(ctx, stream, place):
        return [
            Envelope(
                stream=stream,
                epoch=newest.epoch,
                seq=newest.seq,
                at=ctx.now,
                run="",
                type=Resync.type,
                body={},
            )
        ]
    rows = ctx.db.rows(
        select(events)
        .where(events.c.stream == stream, events.c.epoch == place.epoch, events.c.seq > place.seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    return [_envelope(row) for row in rows]


def events_of_run(ctx: Context, stream: str, run_id: str) -> list[Envelope]:
    """Return every stored event of one run, oldest first; a run is bounded by its budget."""
    rows = ctx.db.rows(
        select(events)
        .where(events.c.stream == stream, events.c.run_id == run_id)
        .order_by(events.c.epoch, events.c.seq)
    )
    return [_envelope(row) for row in rows]


def _envelope(row: Any) -> Envelope:
    return Envelope(
        stream=row.stream,
        epoch=row.epoch,
        seq=row.seq,
        at=row.at,
        run=row.run_id,
        type=row.type,
        body=json.loads(row.body),
    )


def _is_gone(ctx: Context, stream: str, place: Cursor) -> bool:
    """Return True when the event right behind `place` left the retention."""
    oldest = ctx.db.scalar(
        select(events.c.seq)
        .where(events.c.stream == stream, events.c.epoch == place.epoch)
        .order_by(events.c.seq)
        .limit(1)
    )
    return oldest is not None and place.seq + 1 < oldest


def begin_epoch(ctx: Context, stream: str) -> None:
    """Start numbering anew after a restored backup, so that old places resync."""
    ctx.db.change(
        update(streams)
        .where(streams.c.stream == stream)
        .values(epoch=streams.c.epoch + 1, next_seq=1)
    )
