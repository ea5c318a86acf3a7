"""Owns the way from the bytes of an answer to its step: stream, JSON lines or one JSON body."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from agent.model.assembler import Assembler, Bounds
from agent.model.call import CallIds
from agent.model.chunk import (
    Chunk,
    NotACompletion,
    WireError,
    decode_body,
    decode_chunk,
    load_document,
    wire_error,
)
from agent.model.port import AssistantStep, ModelEvent
from agent.model.sse import EventTooLarge, SseDecoder, SseEvent

_DONE = b"[DONE]"
_PULSES = ("ping", "heartbeat", "keepalive", "keep-alive")
_BLANK = b" \t\r\n\xef\xbb\xbf"


class Form(StrEnum):
    """What the bytes are; an endpoint may send a body or a page although a stream was asked."""

    UNKNOWN = "unknown"
    EVENTS = "events"
    BODY = "body"
    PAGE = "page"


class AnswerDecoder:
    """Turns the bytes of an answer into chunks; never raises for what arrives."""

    def __init__(self, bounds: Bounds) -> None:
        self._sse = SseDecoder(event_bytes_max=bounds.event_bytes_max)
        self._bytes_max = bounds.event_bytes_max
        self._body = bytearray()
        self.form = Form.UNKNOWN
        self.chunks_seen = 0

    def feed(self, piece: bytes) -> list[Chunk]:
        """Return the chunks that this piece completes."""
        if self.form is Form.UNKNOWN:
            self._body += piece
            self.form = _form_of(bytes(self._body))
            if self.form is not Form.EVENTS:
                return []
            piece = bytes(self._body)
            self._body.clear()
        elif self.form is not Form.EVENTS:
            self._body += piece
            if len(self._body) > self._bytes_max:
                return [Chunk(broken="the body is longer than its bound")]
            return []
        return self._events(lambda: self._sse.feed(piece))

    def close(self) -> list[Chunk]:
        """Return the chunks that stand at the end of the bytes."""
        if self.form is Form.EVENTS:
            return self._events(self._sse.close)
        if self.form is Form.PAGE:
            return [Chunk(broken="a page came instead of an answer")]
        return self._count(_body_chunks(bytes(self._body))) if self._body.strip(_BLANK) else []

    def _events(self, read: Callable[[], list[SseEvent]]) -> list[Chunk]:
        try:
            events = read()
        except EventTooLarge as large:
            return [Chunk(broken=str(large))]
        return self._count([chunk for event in events for chunk in event_chunks(event)])

    def _count(self, chunks: list[Chunk]) -> list[Chunk]:
        self.chunks_seen += sum(1 for chunk in chunks if not chunk.broken)
        return chunks


def _form_of(head: bytes) -> Form:
    text = head.lstrip(_BLANK)
    if not text:
        return Form.UNKNOWN
    if text[:1] in b"{[":
        return Form.BODY
    return Form.PAGE if text[:1] == b"<" else Form.EVENTS


def event_chunks(event: SseEvent) -> list[Chunk]:
    """Return the chunks of one event; several when blank lines between events are missing."""
    if event.name.lower() in _PULSES:
        return []
    if event.name.lower() == "error":
        return [Chunk(error=_event_error(event.data))]
    chunk = _line_chunk(event.data)
    if chunk.broken and len(event.lines) > 1:
        return [_line_chunk(line) for line in event.lines]
    return [chunk]


def _line_chunk(line: bytes) -> Chunk:
    text = line.strip()
    if text.startswith(_DONE):
        return Chunk(ended=True)
    if not text:
        return Chunk()
    try:
        return decode_chunk(text)
    except NotACompletion as broken:
        return Chunk(broken=f"an event can not be read: {broken}")


def _event_error(data: bytes) -> WireError:
    try:
        document = load_document(data)
    except NotACompletion:
        return wire_error(data.decode("utf-8", "replace"))
    found = document.get("error") if isinstance(document, dict) else None
    return wire_error(found or document)


def _body_chunks(body: bytes) -> list[Chunk]:
    """Return the chunks of a body: one answer, or one chunk on each line."""
    text = body.strip(_BLANK)
    try:
        return [decode_body(text)]
    except NotACompletion as broken:
        lines = [line for line in text.split(b"\n") if line.strip()]
        if len(lines) > 1 and not text.startswith(b"["):
            chunks = [_line_chunk(line) for line in lines]
            if not chunks[0].broken:
                return chunks
        return [Chunk(broken=f"the body is no completion: {broken}")]


class StepReader:
    """Reads one answer: bytes in, text events out, one step at the end."""

    def __init__(
        self,
        ids: CallIds,
        *,
        bounds: Bounds | None = None,
        accepts_empty: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        bounds = bounds or Bounds()
        self.decoder = AnswerDecoder(bounds)
        self.assembler = Assembler(ids, bounds=bounds, accepts_empty=accepts_empty)

    @property
    def stopped(self) -> bool:
        """True when the rest of the bytes can not change the step: hang up."""
        return self.assembler.stopped

    def feed(self, piece: bytes) -> list[ModelEvent]:
        """Take bytes, cut anywhere, and return the text events that follow from them."""
        return self._accept(self.decoder.feed(piece))

    def close(self) -> tuple[list[ModelEvent], AssistantStep]:
        """Return the last text events and the step."""
        events = self._accept(self.decoder.close()) if not self.stopped else []
        last, step = self.assembler.finish()
        return events + last, step

    def _accept(self, chunks: list[Chunk]) -> list[ModelEvent]:
        return [event for chunk in chunks for event in self.assembler.accept(chunk)]
