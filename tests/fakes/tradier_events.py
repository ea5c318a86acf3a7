"""Tradier's account events on a loopback port: sessions that open one line each, and faults.

    with TradierEventsServer(brokerage) as events:
        events.plan("cut")                  # what the next connection meets
        events.order(row, "filled")         # as the vendor tells it: no symbol, no side

A session is good for one connection, as the documents say.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.fakes.tradier_broker import ACCOUNT, TradierBrokerage

SESSION = "/v1/accounts/events/session"
_log = logging.getLogger("tests.tradier_events")
_log.setLevel(logging.CRITICAL)


@dataclass
class TradierEventsServer:
    """Serves who brings a fresh session; `asked` keeps what clients sent."""

    house: TradierBrokerage
    planned: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    opened: int = 0
    _open: list[ServerConnection] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.house.documents[SESSION] = self._session
        self._server: Server = serve(
            self._talk, "127.0.0.1", 0, logger=_log, compression=None, close_timeout=0.2
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        for connection in list(self._open):
            connection.close()
        self._thread.join()

    @property
    def ws_base(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    @property
    def listeners(self) -> int:
        return len(self._open)

    def plan(self, *faults: str) -> None:
        """Say what the next connections meet: `cut`, `close` or `deaf`."""
        self.planned += faults

    def heartbeat(self) -> None:
        self.push({"event": "heartbeat", "status": "active", "timestamp": "2027-01-12T15:00:00Z"})

    def order(self, row: dict[str, Any], status: str, **changes: Any) -> None:
        """Tell what happened to an order, its numbers made up: nobody may believe them."""
        event = {"id": row["id"], "event": "order", "status": status, "type": "limit"}
        money = {"price": 1.0, "stop_price": 0.0, "avg_fill_price": 1.0, "exec_quantity": 9999.0}
        rest = {"last_fill_quantity": 0.0, "remaining_quantity": 0.0, "account": ACCOUNT}
        self.push({**event, **money, **rest, **changes})

    def push(self, *documents: Any) -> None:
        """Send documents in one frame, a line each."""
        self.push_raw("\n".join(json.dumps(one) for one in documents))

    def push_raw(self, body: bytes | str) -> None:
        for connection in list(self._open):
            with suppress(ConnectionClosed):
                connection.send(body)

    def close_all(self, code: int = 1001) -> None:
        for connection in list(self._open):
            connection.close(code)

    def _session(self) -> dict[str, Any]:
        name = f"session-{len(self.sessions) + 1}"
        self.sessions.add(name)
        return {"stream": {"url": "https://elsewhere.invalid/v1/events", "sessionid": name}}

    def _talk(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            self.asked.append(json.loads(connection.recv(5)))
            self.opened += 1
            wanted = self.asked[-1]["sessionid"]
            if wanted not in self.sessions:
                connection.send('{"error":"Session not found"}')
                return
            self.sessions.discard(wanted)
            self.sessions.add(f"used-{wanted}")
            fault = self.planned.pop(0) if self.planned else ""
            if fault == "cut":
                linger = struct.pack("ii", 1, 0)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.socket.shutdown(socket.SHUT_RDWR)
                return
            if fault == "close":
                connection.close(1011)
                return
            if not fault:
                self._open.append(connection)
            for _ in connection:
                pass
        if connection in self._open:
            self._open.remove(connection)
