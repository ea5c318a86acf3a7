"""Owns the load: kept connections that each ask again as soon as they are answered."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.bench.measure import percentile

_LENGTH = b"content-length: "


class Asking(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, ends_at: float) -> None:
        self._request, self._ends_at = request, ends_at
        self._held = b""
        self.waits: list[float] = []
        self.wrong = 0
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._held += data
        head = self._held.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._held.find(_LENGTH) + len(_LENGTH)
        length = int(self._held[at : self._held.find(b"\r\n", at)])
        if len(self._held) < head + 4 + length:
            return
        now = time.perf_counter()
        self.waits.append(now - self._asked)
        self.wrong += not self._held.startswith(b"HTTP/1.1 200")
        self._held = b""
        if now < self._ends_at:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, _error) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def main(port: int, path: str, connections: int, seconds: float, key: str) -> dict:
    """Ask for `seconds` over `connections` connections and return what came."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    request = f"{head}Authorization: Bearer {key}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    asking = [Asking(request, began + seconds) for _ in range(connections)]
    for one in asking:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)
    await asyncio.gather(*(one.over for one in asking))
    took = time.perf_counter() - began
    waits = [wait * 1000 for one in asking for wait in one.waits]
    return {
        "rate": len(waits) / took,
        "count": len(waits),
        "p50": percentile(waits, 0.5),
        "p99": percentile(waits, 0.99),
        "wrong": sum(one.wrong for one in asking),
    }


if __name__ == "__main__":
    _, port, path, connections, seconds, key = sys.argv
    print(json.dumps(asyncio.run(main(int(port), path, int(connections), float(seconds), key))))
