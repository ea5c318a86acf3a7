"""A vendor on a loopback port: what every fake one shares, and the faults that all of them have."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

PAGE = b"<html>\n<head><title>504 Gateway Time-out</title></head>\n<body></body></html>"
SILENT_S_MAX = 30.0
PATIENCE_S = 0.7
"""How long a caller waits for an answer where a test lets the vendor keep silent."""


@dataclass
class Planned:
    """A fault for the paths that begin so, this many times (None: until cleared)."""

    prefix: str
    fault: Any
    times: int | None


class Loopback:
    """An HTTP server on a loopback port; `serve` of a subclass answers each request."""

    verbs: ClassVar = ("GET", "POST", "PUT", "DELETE")
    connections: int = 0

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement
            wbufsize = 65_536

            def setup(self) -> None:
                super().setup()
                server.connections += 1

            def log_message(self, *_: object) -> None: ...

        for verb in self.verbs:
            setattr(Handler, f"do_{verb}", lambda handler: server.serve(handler, handler.command))
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def serve(self, handler: BaseHTTPRequestHandler, verb: str) -> None:
        raise NotImplementedError


@dataclass(kw_only=True)
class VendorServer(Loopback):
    """Serves what `answer` of a subclass sends; `requests` keeps path with query."""

    verbs: ClassVar = ("GET",)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)

    def serve(self, handler: BaseHTTPRequestHandler, verb: str) -> None:
        self.requests.append(handler.path)
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        with suppress(ConnectionError):
            self.answer(handler)

    def fault(self, prefix: str, fault: Enum, *, times: int | None = None) -> None:
        self.planned.append(Planned(prefix, fault, times))

    def count(self, prefix: str) -> int:
        return sum(1 for path in self.requests if path.startswith(prefix))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        raise NotImplementedError

    def next_fault(self, path: str) -> Any:
        for planned in self.planned:
            if path.startswith(planned.prefix) and planned.times != 0:
                if planned.times is not None:
                    planned.times -= 1
                return planned.fault
        return None


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    document: Any,
    *,
    content_type: str = "application/json",
    **headers: str,
) -> None:
    """Answer with bytes as they are, or with a document as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", content_type)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection with a reset in the middle of an answer."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()
    handler.close_connection = True


def keep_silent(handler: BaseHTTPRequestHandler) -> None:
    """Say nothing for as long as the caller waits."""
    handler.close_connection = True
    handler.connection.settimeout(SILENT_S_MAX)
    with suppress(OSError):
        handler.connection.recv(1)
