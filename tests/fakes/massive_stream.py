"""Massive's stream on a loopback port: the recorded messages, with faults to switch on.

    with MassiveStreamServer() as server:
        server.plan(StreamFault.CROWDED)          # what the next connection meets
        ... MassiveStream(StreamAccount(base_url=server.base_url, ...), ...) ...
        server.push({"ev": "T", "sym": "AAPL", ...})

A row reaches the connections that subscribed to its channel, as the vendor sends it.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

KEY = "good-key"
CROWDED_TEXT = (
    "Maximum number of websocket connections exceeded. You have reached the connection limit for "
    "your account. Please contact support at https://polygon.io/contact to increase your limit."
)
_log = logging.getLogger("tests.massive_stream")
_log.setLevel(logging.CRITICAL)


class StreamFault(Enum):
    """What goes wrong with a connection."""

    AUTH_TIMEOUT = "the sign-in is called too slow"
    NO_WELCOME = "nothing is said at all"
    CROWDED = "welcomed, subscribed, then max_connections and 1008"
    SLOW_READER = "closed with 1008 after the subscription"
    CLEAN_CLOSE = "closed with 1000 after the subscription"
    CUT = "the line is cut after the subscription"
    DEAF = "subscribed, pings answered, and never a row"


class RealClock:
    """A clock that runs at real speed from a chosen time, so that the market is open."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class MassiveStreamServer:
    """Serves who signs in with `KEY`; `messages` keeps what clients sent."""

    denied: frozenset[str] = frozenset()
    denied_text: str = "not authorized to subscribe to {channel}"
    planned: list[StreamFault] = field(default_factory=list)
    messages: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    channels: dict[int, set[str]] = field(default_factory=dict)
    _open: dict[int, ServerConnection] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server: Server = serve(
            self._talk, "127.0.0.1", 0, logger=_log, compression=None, close_timeout=0.2
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        for connection in list(self._open.values()):
            connection.close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def plan(self, *faults: StreamFault) -> None:
        self.planned += faults

    def push(self, *rows: dict[str, Any]) -> None:
        """Send the rows in one array to whoever follows them, with statuses among them."""
        for number, connection in list(self._open.items()):
            mine = [row for row in rows if _is_for(row, self.channels[number])]
            if mine:
                self._send(connection, mine)

    def push_raw(self, body: bytes | str) -> None:
        for connection in list(self._open.values()):
            with suppress(ConnectionClosed):
                connection.send(body)

    def close_all(self, code: int = 1000) -> None:
        for connection in list(self._open.values()):
            connection.close(code)

    def subscribed(self, *, after: int = 0) -> set[str]:
        """Return the channels of the newest connection that came later than the first `after`."""
        newest = max(self._open, default=0)
        return set(self.channels[newest]) if newest > after else set()

    def sent(self, action: str) -> list[str]:
        return [one["params"] for one in self.messages if one["action"] == action]

    def _talk(self, connection: ServerConnection) -> None:
        self.connections += 1
        number = self.connections
        fault = self.planned.pop(0) if self.planned else None
        self.channels[number] = set()
        with suppress(ConnectionClosed):
            if fault is not StreamFault.NO_WELCOME:
                self._say(connection, "connected", "Connected Successfully")
            for text in connection:
                message = json.loads(text)
                self.messages.append(message)
                if not self._answer(connection, number, message, fault):
                    break
        self._open.pop(number, None)

    def _answer(
        self,
        connection: ServerConnection,
        number: int,
        message: dict[str, str],
        fault: StreamFault | None,
    ) -> bool:
        """Answer one message; False ends the connection."""
        params = message["params"]
        match message["action"]:
            case "auth" if fault is StreamFault.AUTH_TIMEOUT:
                self._say(connection, "auth_timeout", "auth timeout")
                return False
            case "auth" if params != KEY:
                self._say(connection, "auth_failed", "authentication failed")
                return False
            case "auth":
                self._say(connection, "auth_success", "authenticated")
            case "subscribe":
                return self._subscribe(connection, number, params.split(","), fault)
            case "unsubscribe":
                self.channels[number] -= set(params.split(","))
        return True

    def _subscribe(
        self,
        connection: ServerConnection,
        number: int,
        channels: list[str],
        fault: StreamFault | None,
    ) -> bool:
        rows = []
        for channel in channels:
            if channel.partition(".")[0] in self.denied:
                rows.append(_status("error", self.denied_text.format(channel=channel)))
            else:
                rows.append(_status("success", f"subscribed to: {channel}"))
                self.channels[number].add(channel)
        self._send(connection, rows)
        match fault:
            case StreamFault.CROWDED:
                self._say(connection, "max_connections", CROWDED_TEXT)
                connection.close(1008)
            case StreamFault.SLOW_READER:
                connection.close(1008)
            case StreamFault.CLEAN_CLOSE:
                connection.close(1000)
            case StreamFault.CUT:
                linger = struct.pack("ii", 1, 0)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.socket.shutdown(socket.SHUT_RDWR)
            case StreamFault.DEAF:
                return True
            case _:
                self._open[number] = connection
                return True
        return False

    def _say(self, connection: ServerConnection, status: str, message: str) -> None:
        self._send(connection, [_status(status, message)])

    def _send(self, connection: ServerConnection, rows: list[dict[str, Any]]) -> None:
        with suppress(ConnectionClosed):
            connection.send(json.dumps(rows))


def _status(status: str, message: str) -> dict[str, str]:
    return {"ev": "status", "status": status, "message": message}


def _is_for(row: dict[str, Any], channels: set[str]) -> bool:
    name = row.get("sym") or row.get("T")
    return row["ev"] == "status" or f"{row['ev']}.{name}" in channels
