"""Owns the desk stream read by a raw socket: when each event arrived, with little of our own cost."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time

from tests.journeys.serving import Person


class DeskStream:
    """Follows the desk stream in a thread; `filled` waits for one proposal's fill."""

    def __init__(self, person: Person) -> None:
        host, _, port = person.server.address.removeprefix("http://").rpartition(":")
        self._line = socket.create_connection((host, int(port)), 30)
        head = f"GET /api/v1/coach/stream HTTP/1.1\r\nHost: {host}:{port}\r\n"
        own = f"Cookie: {person.cookie}\r\nSec-Fetch-Site: same-origin\r\n\r\n"
        self._line.sendall((head + own).encode())
        self._came: queue.Queue[tuple[float, dict] | None] = queue.Queue()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        if not self._open.wait(10):
            raise RuntimeError("the desk stream did not open")

    def _read(self) -> None:
        held = b""
        try:
            while data := self._line.recv(65536):
                now = time.perf_counter()
                if b"retry: " in data:
                    self._open.set()
                held += data
                *lines, held = held.split(b"\n")
                for line in lines:
                    if line.startswith(b"data: "):
                        self._came.put((now, json.loads(line[6:])))
        except OSError:
            pass
        self._came.put(None)

    def filled(self, proposal_id: str) -> float:
        """Return the moment (perf_counter) at which the fill of a proposal was seen."""
        while True:
            came = self._came.get(timeout=30)
            if came is None:
                raise RuntimeError("the desk stream ended")
            at, event = came
            if event.get("proposal_id") == proposal_id and event.get("order_state") == "FILLED":
                return at

    def close(self) -> None:
        self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._line.close()
