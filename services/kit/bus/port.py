"""Owns the two bus ports: wake-ups between the parts, and the log that carries market frames.

A wake-up carries a key and no truth: who is woken reads the database. So a lost wake-up costs a
little time and never an event; every consumer also looks on its own at least once a second.
The event log has Kafka's contract, so that a broker can stand in its place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self


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


@dataclass(frozen=True, slots=True)
class Record:
    """One message of a topic: its place, its key, its bytes, and the trace it belongs to."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    traceparent: str = ""


class Consumer(Protocol):
    """One member of a consumer group; use it in one event loop, as an async context manager.

    A partition belongs to one member of its group. A member that enters or leaves moves
    partitions; their new owner goes on behind the last committed record, so what was read and
    not committed comes again (at least once).
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    @property
    def lost(self) -> int:
        """Return how many records left the retention before this member read them."""
        ...

    async def poll(self, records_max: int, timeout_s: float) -> list[Record]:
        """Return the next records, in order within each partition; none after `timeout_s`."""
        ...

    def commit(self, records: Iterable[Record]) -> None:
        """Note that these records, and all before them in their partitions, are done with."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset` (inclusive) of an owned partition; an older place is the oldest."""
        ...


class EventLog(Protocol):
    """Topics of records, in partitions; records of one key keep their order."""

    def publish(self, topic: str, key: str, value: bytes, *, traceparent: str = "") -> Record:
        """Append a record to the partition of its key; callable from any thread, never blocks."""
        ...

    def consume(
        self, topic: str, group: str, *, start: Literal["earliest", "latest"] = "latest"
    ) -> Consumer:
        """Return a member of `group`; `start` counts where the group has committed nothing."""
        ...
