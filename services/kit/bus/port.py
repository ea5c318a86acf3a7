"""Owns the bus port: thread-safe wake-ups between the parts of one installation.

A message carries a key and no truth: who is woken reads the database. So a lost wake-up costs a
little time and never an event; every consumer also looks on its own at least once a second.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Subscription(Protocol):
    """One listener; use it as an async context manager."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def next(self, timeout_s: float) -> str | None:
        """Return the next key, or None after `timeout_s` seconds of silence."""
        ...


class Bus(Protocol):
    """Where parts tell each other that there is something to read."""

    def publish(self, topic: str, key: str) -> None:
        """Wake every subscriber of `topic`; callable from any thread, never blocks."""
        ...

    def subscribe(self, topic: str) -> Subscription:
        """Return a subscription that sees every key published after it was entered."""
        ...
