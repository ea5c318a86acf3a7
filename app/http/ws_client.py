"""Owns one reader of `/ws`: its numbering, and what waits for it, bounded and conflated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from app.http.ws_frames import Channel, numbered
from services.kit.context import Principal

KEPT_MAX = 1024
"""Frames that may never be left out and wait for a reader; one more and the reader must go."""
_FLUSH = 32
"""Waiting frames handed over at once, so that a slow reader fills its buffer only once more."""
SLOW_CODE, SLOW_REASON = 1013, "too slow; connect again and take the snapshot"
Key = tuple[str, str]
"""What a newer frame replaces: the channel and the symbol."""


class Line(Protocol):
    """What a reader needs of its connection."""

    paused: bool
    heard_at: float
    on_resume: Callable[[], None] | None

    @property
    def is_open(self) -> bool:
        """Return whether frames may still be written."""
        ...

    def write(self, payloads: Sequence[bytes]) -> None:
        """Send text messages at once."""
        ...

    def end(self, code: int, reason: str) -> None:
        """Close with a code."""
        ...


class Client:
    """One authenticated connection. Nothing here waits; a full line makes frames wait."""

    def __init__(self, line: Line, principal: Principal, *, kept_max: int = KEPT_MAX) -> None:
        self.line, self.principal = line, principal
        self.channels: set[Channel] = set()
        self.symbols: dict[Channel, set[str]] = {"price": set(), "trades": set()}
        self.said_at = line.heard_at
        self.seq = 0
        self._kept_max = kept_max
        self._kept = self._kept_ever = 0
        self._held: dict[Key | int, tuple[bytes, int]] = {}
        line.on_resume = self._flush

    @property
    def followed(self) -> set[str]:
        """Return the symbols that it follows on any channel."""
        return self.symbols["price"] | self.symbols["trades"]

    @property
    def waiting(self) -> int:
        """Return how many frames wait for the line."""
        return len(self._held)

    def send(self, *bodies: bytes) -> None:
        """Send frames that may never be left out; too many waiting ones end the connection."""
        if not self.line.paused and not self._held:
            self._write([(body, 0) for body in bodies])
            return
        for body in bodies:
            self._kept += 1
            self._kept_ever += 1
            self._held[self._kept_ever] = (body, 0)
        if self._kept > self._kept_max:
            self._held.clear()
            self.line.end(SLOW_CODE, SLOW_REASON)

    def offer(self, frames: Sequence[tuple[Key, bytes]]) -> None:
        """Send frames of which only the newest of each key matters to a slow reader."""
        if not self.line.paused and not self._held:
            self._write([(body, 0) for _, body in frames])
            return
        for key, body in frames:
            known = self._held.get(key)
            self._held[key] = (body, known[1] + 1 if known else 0)

    def end(self, code: int, reason: str) -> None:
        """Close the connection; what waits is dropped."""
        self._held.clear()
        self.line.end(code, reason)

    def _write(self, frames: Sequence[tuple[bytes, int]]) -> None:
        first = self.seq + 1
        self.seq += len(frames)
        self.line.write(
            [numbered(first + at, body, skipped) for at, (body, skipped) in enumerate(frames)]
        )

    def _flush(self) -> None:
        """Hand over what waits, oldest place first, until the line is full again."""
        while self._held and not self.line.paused and self.line.is_open:
            keys = list(self._held)[:_FLUSH]
            self._kept -= sum(isinstance(key, int) for key in keys)
            self._write([self._held.pop(key) for key in keys])
