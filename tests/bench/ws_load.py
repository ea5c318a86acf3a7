"""Owns the readers of P4 and P5: many connections in one process, when each event arrived."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.bench.measure import percentile

_SUBSCRIBE = b'{"type":"subscribe","channels":["price"],"symbols":["LOAD"]}'
_AT = b'"at":'


def masked(payload: bytes) -> bytes:
    """A short text frame of a client under the mask zero."""
    return bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload


class Reader(asyncio.Protocol):
    """One connection; a stalled one stops reading once it has subscribed."""

    def __init__(self, port: int, ticket: str, *, stalled: bool) -> None:
        offered = "cornerman.v1" + (f", ticket.{ticket}" if ticket else "")
        self._hello = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: {offered}\r\n\r\n"
        ).encode()
        self._stalled, self._ticket = stalled, ticket
        self._held = b""
        self.waits: list[float] = []
        self.counting = False
        self.open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self.transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.open.done():
            self._held += data
            if b"\r\n\r\n" in self._held:
                self.open.set_result(self._held.startswith(b"HTTP/1.1 101"))
                if self._ticket:
                    self.transport.write(masked(_SUBSCRIBE))
                if self._stalled:
                    self.transport.pause_reading()
            return
        at = data.find(_AT)
        while at >= 0:
            if self.counting:
                sent = float(data[at + len(_AT) : data.index(b"}", at)])
                self.waits.append((now - sent) * 1000)
            at = data.find(_AT, at + 1)


async def main(port: int, seconds: float, stalled: int, tickets: list[str]) -> dict:
    """Read for `seconds` and return how late events came."""
    loop = asyncio.get_running_loop()
    readers = [Reader(port, ticket, stalled=at < stalled) for at, ticket in enumerate(tickets)]
    for reader in readers:
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)
    opened = await asyncio.gather(*(reader.open for reader in readers))
    await asyncio.sleep(0.5)
    healthy = readers[stalled:]
    for reader in healthy:
        reader.counting = True
    await asyncio.sleep(seconds)
    waits = [wait for reader in healthy for wait in reader.waits]
    counts = [len(reader.waits) for reader in healthy]
    for reader in readers:
        reader.transport.abort()
    return {
        "p50": percentile(waits, 0.5),
        "p99": percentile(waits, 0.99),
        "fewest": min(counts),
        "most": max(counts),
        "opened": sum(opened),
    }


if __name__ == "__main__":
    asked = json.loads(sys.stdin.read())
    print(json.dumps(asyncio.run(main(**asked))))
