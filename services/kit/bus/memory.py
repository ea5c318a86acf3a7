"""Owns the in-process bus: bounded wake-ups over asyncio queues, publishable from any thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from services.kit.bus.port import Subscription

_QUEUE_MAX = 256
"""Bound of waiting keys per subscriber; a full queue already guarantees that it will wake."""


class MemoryBus:
    """The bus of one process. Keys of one topic arrive in the order they were published."""

    def __init__(self) -> None:
        self._topics: dict[str, list[MemorySubscription]] = {}
        self._lock = threading.Lock()

    def publish(self, topic: str, key: str) -> None:
        """Wake every subscriber of `topic` in its own event loop."""
        with self._lock:
            listeners = tuple(self._topics.get(topic, ()))
        for listener in listeners:
            listener.offer(key)

    def subscribe(self, topic: str) -> Subscription:
        """Return a subscription; it listens from the moment it is entered."""
        return MemorySubscription(self, topic)

    def add(self, subscription: MemorySubscription) -> None:
        """Start waking `subscription`."""
        with self._lock:
            self._topics.setdefault(subscription.topic, []).append(subscription)

    def remove(self, subscription: MemorySubscription) -> None:
        """Stop waking `subscription`."""
        with self._lock:
            self._topics[subscription.topic].remove(subscription)


class MemorySubscription:
    """One bounded queue in one event loop; a key that waits in it already is not queued again."""

    def __init__(self, bus: MemoryBus, topic: str) -> None:
        self.topic = topic
        self._bus = bus
        self._queue: asyncio.Queue[str] = asyncio.Queue(_QUEUE_MAX)
        self._waiting: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._bus.add(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bus.remove(self)

    def offer(self, key: str) -> None:
        """Queue `key` from any thread; a full queue or a closed loop drops the wake-up."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed between look and call
                loop.call_soon_threadsafe(self._put, key)

    def _put(self, key: str) -> None:
        if key not in self._waiting:
            with contextlib.suppress(asyncio.QueueFull):
                self._queue.put_nowait(key)
                self._waiting.add(key)

    async def next(self, timeout_s: float) -> str | None:
        """Return the next key, or None after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):  # wait_for of 3.11 may swallow a cancellation
                key = await self._queue.get()
        except TimeoutError:
            return None
        self._waiting.discard(key)
        return key
