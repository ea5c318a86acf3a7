"""Owns the byte-level decoding of server-sent events, however the bytes are cut."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Only CR, LF and CRLF end a line. U+2028 and U+0085 are ordinary characters of a JSON string.
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event: its name (empty when none was given) and its data lines."""

    name: str
    lines: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        """Return the data lines joined by line feeds, as the standard says."""
        return b"\n".join(self.lines)


class EventTooLarge(ValueError):
    """One event has more bytes than the bound allows."""


class SseDecoder:
    """Turns byte pieces into events; an event without its blank line at the end still counts."""

    def __init__(self, *, event_bytes_max: int) -> None:
        self._event_bytes_max = event_bytes_max
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._skip_feed = False
        self._first = True
        self._name = ""
        self._lines: list[bytes] = []
        self._bytes = 0

    def feed(self, piece: bytes) -> list[SseEvent]:
        """Return the events that this piece completes. Raises `EventTooLarge`."""
        if self._skip_feed and piece:
            piece = piece[1:] if piece[:1] == b"\n" else piece
            self._skip_feed = False
        if not piece:
            return []
        if b"\n" not in piece and b"\r" not in piece:
            self._keep(piece)
            return []
        self._skip_feed = piece.endswith(b"\r")
        *whole, rest = _LINE_END.split(b"".join((*self._rest, piece)))
        self._rest, self._rest_bytes = [], 0
        self._keep(rest)
        return [event for line in whole if (event := self._line(line)) is not None]

    def close(self) -> list[SseEvent]:
        """Return what stands unfinished at the end of the bytes."""
        rest = b"".join(self._rest)
        self._rest, self._rest_bytes = [], 0
        return [event for line in (rest, b"") if (event := self._line(line)) is not None]

    def _keep(self, rest: bytes) -> None:
        self._rest.append(rest)
        self._rest_bytes += len(rest)
        self._bound(self._rest_bytes)

    def _bound(self, size: int) -> None:
        if size + self._bytes > self._event_bytes_max:
            raise EventTooLarge(f"an event of more than {self._event_bytes_max} bytes")

    def _line(self, line: bytes) -> SseEvent | None:
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._bound(len(value))
            self._lines.append(value)
            self._bytes += len(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace").strip()
        return None

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(self._name, tuple(self._lines)) if self._lines else None
        self._name, self._lines, self._bytes = "", [], 0
        return event
