"""Owns the readers of P4's SSE row: many event streams in one process, when each event arrived."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time

from tests.bench.measure import percentile

_EVENT = re.compile(rb"id: 1\.([0-9]+)\r?\n.*?@([0-9.]+)@", re.DOTALL)
_OPEN_S, _WARM_S, _RESUME_S = 60, 10, 30


class Reader(asyncio.Protocol):
    """One event stream: the numbers of its events, and how late each came."""

    def __init__(self, port: int, path: str, cookie: str, after: str = "") -> None:
        said = f"Cookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\n" if cookie else ""
        said += f"Last-Event-ID: {after}\r\n" if after else ""
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n"
        self._hello = f"{head}{said}\r\n".encode()
        self._held = b""
        self.waits: list[float] = []
        self.numbers: list[int] = []
        self.counting = self.heard = False
        self.open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._held += data
        if not self.open.done():
            if b"\r\n\r\n" not in self._held:
                return
            self.open.set_result(self._held.startswith(b"HTTP/1.1 200"))
        at = 0
        for found in _EVENT.finditer(self._held):
            at, self.heard = found.end(), True
            if self.counting:
                self.waits.append((now - float(found[2])) * 1000)
                self.numbers.append(int(found[1]))
        self._held = self._held[at:]

    @property
    def whole(self) -> bool:
        """Whether no event is missing between the first and the last, and none came twice."""
        first = self.numbers[0] if self.numbers else 0
        return self.numbers == list(range(first, first + len(self.numbers)))


async def main(port: int, path: str, cookies: list[str], seconds: float, *, resume: bool) -> dict:
    """Read for `seconds`; then one reader resumes behind the first event that was counted."""
    loop = asyncio.get_running_loop()
    readers = [Reader(port, path, cookie) for cookie in cookies]
    for reader in readers:
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)
    async with asyncio.timeout(_OPEN_S):
        opened = await asyncio.gather(*(reader.open for reader in readers))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_WARM_S):
            while not all(reader.heard for reader in readers):  # noqa: ASYNC110 - a bench
                await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    for reader in readers:
        reader.counting = True
    await asyncio.sleep(seconds)
    for reader in readers:
        reader.counting = False
        reader.transport.abort()
    resumed = await _resumed(port, path, cookies[0], readers[0]) if resume else True
    waits = [wait for reader in readers for wait in reader.waits] or [seconds * 1000]
    counts = [len(reader.numbers) for reader in readers]
    return {
        "p50": percentile(waits, 0.5),
        "p99": percentile(waits, 0.99),
        "fewest": min(counts),
        "most": max(counts),
        "opened": sum(opened),
        "whole": all(reader.whole for reader in readers),
        "resumed": resumed,
    }


async def _resumed(port: int, path: str, cookie: str, known: Reader) -> bool:
    """Whether a new reader behind the first event gets the others again, each once."""
    if not known.numbers:
        return False
    again = Reader(port, path, cookie, f"1.{known.numbers[0]}")
    again.counting = True
    await asyncio.get_running_loop().create_connection(lambda: again, "127.0.0.1", port)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_RESUME_S):
            while len(again.numbers) < len(known.numbers) - 1:  # noqa: ASYNC110 - a bench
                await asyncio.sleep(0.05)
    again.transport.abort()
    return again.whole and again.numbers[: len(known.numbers) - 1] == known.numbers[1:]


if __name__ == "__main__":
    asked = json.loads(sys.stdin.read())
    print(json.dumps(asyncio.run(main(**asked))))
