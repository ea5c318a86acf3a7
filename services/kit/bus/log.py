"""Owns the event log of one process: partitions, groups, commits and replay, bounded in memory."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from services.kit.bus.port import Consumer, Record
from services.kit.errors import check

PARTITIONS = 8
KEPT_MAX = 4096
"""Records that a partition keeps; a consumer farther behind goes on at the oldest one."""
Start = Literal["earliest", "latest"]


@dataclass(slots=True)
class _Partition:
    """The kept records of one partition; the next record gets `first + len(records)`."""

    records: deque[Record] = field(default_factory=deque)
    first: int = 0

    @property
    def end(self) -> int:
        return self.first + len(self.records)


@dataclass(slots=True)
class _Group:
    """The members of a group in the order they entered, and what it has committed."""

    members: list[MemoryConsumer] = field(default_factory=list)
    committed: dict[int, int] = field(default_factory=dict)


class MemoryLog:
    """The event log of one process; every method may be called from any thread."""

    def __init__(self, *, partitions: int = PARTITIONS, kept_max: int = KEPT_MAX) -> None:
        check(partitions > 0 and kept_max > 0, "a log keeps records in partitions")
        self._count, self._kept_max = partitions, kept_max
        self._topics: dict[str, list[_Partition]] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._lock = threading.Lock()

    def partition_of(self, key: str) -> int:
        """Return the partition of a key, the same in every process."""
        return zlib.crc32(key.encode()) % self._count

    def publish(self, topic: str, key: str, value: bytes, *, traceparent: str = "") -> Record:
        """Append a record to the partition of its key and wake that partition's readers."""
        at = self.partition_of(key)
        with self._lock:
            partition = self._partitions(topic)[at]
            record = Record(topic, at, partition.end, key, value, traceparent)
            partition.records.append(record)
            if len(partition.records) > self._kept_max:
                partition.records.popleft()
                partition.first += 1
            readers = [
                member
                for (name, _), group in self._groups.items()
                if name == topic
                for member in group.members
                if at in member.places
            ]
        for reader in readers:
            reader.wake()
        return record

    def consume(self, topic: str, group: str, *, start: Start = "latest") -> Consumer:
        """Return a member of `group`; it takes its share of partitions when it is entered."""
        return MemoryConsumer(self, topic, group, start)

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """Return by partition the offset that `group` goes on from after a restart of a member."""
        with self._lock:
            found = self._groups.get((topic, group))
            return dict(found.committed) if found else {}

    def enter(self, member: MemoryConsumer) -> None:
        """Give a new member its share of the partitions."""
        with self._lock:
            group = self._groups.setdefault((member.topic, member.group), _Group())
            group.members.append(member)
            self._share(member.topic, group, member.start)

    def leave(self, member: MemoryConsumer) -> None:
        """Give a member's partitions to those that stay."""
        with self._lock:
            group = self._groups[(member.topic, member.group)]
            group.members.remove(member)
            member.places.clear()
            self._share(member.topic, group, member.start)
            staying = tuple(group.members)
        for one in staying:
            one.wake()

    def take(self, member: MemoryConsumer, records_max: int) -> tuple[list[Record], int]:
        """Return a member's next records and how many it lost, and move its places behind them."""
        taken: list[Record] = []
        lost = 0
        with self._lock:
            partitions = self._partitions(member.topic)
            for at in member.order():
                partition, place = partitions[at], member.places[at]
                lost += max(0, partition.first - place)
                place = max(place, partition.first)
                room = records_max - len(taken)
                for index in range(place - partition.first, len(partition.records))[:room]:
                    taken.append(partition.records[index])
                    place += 1
                member.places[at] = place
        return taken, lost

    def keep(self, member: MemoryConsumer, records: Iterable[Record]) -> None:
        """Store the places behind `records` for the partitions that the member still owns."""
        with self._lock:
            committed = self._groups[(member.topic, member.group)].committed
            for record in records:
                if record.partition in member.places:
                    known = committed.get(record.partition, 0)
                    committed[record.partition] = max(known, record.offset + 1)

    def place(self, member: MemoryConsumer, partition: int, offset: int) -> None:
        """Move a member to `offset` of a partition that it owns."""
        with self._lock:
            check(partition in member.places, "a member seeks in its own partitions only")
            oldest = self._partitions(member.topic)[partition].first
            member.places[partition] = max(oldest, offset)

    def _partitions(self, topic: str) -> list[_Partition]:
        return self._topics.setdefault(topic, [_Partition() for _ in range(self._count)])

    def _share(self, topic: str, group: _Group, start: Start) -> None:
        """Deal the partitions out in turn; one that moves goes on behind its last commit."""
        partitions = self._partitions(topic)
        for turn, member in enumerate(group.members):
            mine = set(range(turn, self._count, len(group.members)))
            for at in [at for at in member.places if at not in mine]:
                del member.places[at]
            for at in sorted(mine - member.places.keys()):
                unread = partitions[at].end if start == "latest" else partitions[at].first
                member.places[at] = group.committed.setdefault(at, unread)


class MemoryConsumer:
    """One member of a group; it reads in the event loop in which it was entered."""

    def __init__(self, log: MemoryLog, topic: str, group: str, start: Start) -> None:
        self.topic, self.group, self.start = topic, group, start
        self.places: dict[int, int] = {}
        self._log = log
        self._lost = 0
        self._turn = 0
        self._waking = False
        self._fresh = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._log.enter(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.leave(self)

    @property
    def lost(self) -> int:
        """Return how many records left the retention before this member read them."""
        return self._lost

    async def poll(self, records_max: int, timeout_s: float) -> list[Record]:
        """Return the next records, in order within each partition; none after `timeout_s`."""
        self._waking = False
        self._fresh.clear()
        taken, lost = self._log.take(self, records_max)
        if not taken:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._fresh.wait()
            taken, more = self._log.take(self, records_max)
            lost += more
        self._lost += lost
        return taken

    def commit(self, records: Iterable[Record]) -> None:
        """Note that these records, and all before them in their partitions, are done with."""
        self._log.keep(self, records)

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset` (inclusive) of an owned partition; an older place is the oldest."""
        self._log.place(self, partition, offset)

    def order(self) -> list[int]:
        """Return its partitions, another one first each time, so that none waits for ever."""
        mine = sorted(self.places)
        self._turn = (self._turn + 1) % max(1, len(mine))
        return mine[self._turn :] + mine[: self._turn]

    def wake(self) -> None:
        """Tell from any thread that there is something to read."""
        loop = self._loop
        if loop is not None and not self._waking:
            self._waking = True
            with contextlib.suppress(RuntimeError):  # the loop closed between look and call
                loop.call_soon_threadsafe(self._fresh.set)
