"""Owns the line of a WebSocket: uvicorn's protocol, written to directly and never waited for."""

from __future__ import annotations

import socket
from asyncio.transports import BaseTransport
from collections.abc import Callable, Sequence

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN

EXTENSION = "cornerman.line"
"""Where the state of a socket's scope carries its line."""
_LAST_WORDS_S = 5.0
"""How long a client that was told to go may take to read that; then the line is cut."""
_SEND_BYTES = 262_144
"""What the system may keep of a reader's unread bytes; by itself it would keep megabytes."""
_TEXT = 0x81
_SHORT, _MEDIUM = 126, 65_536


def framed(payload: bytes) -> bytes:
    """Return the text frame of an unmasked, uncompressed server message (RFC 6455, 5.2).

    Worked: `hi` is 81 02 68 69.
    """
    size = len(payload)
    if size < _SHORT:
        return bytes((_TEXT, size)) + payload
    if size < _MEDIUM:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Line(WebSocketsSansIOProtocol):
    """One connection. `write` hands bytes to the transport at once; `paused` tells to stop."""

    paused = False
    heard_at = 0.0
    on_resume: Callable[[], None] | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what the system keeps for a reader, so that a slow one shows itself soon."""
        super().connection_made(transport)
        given = transport.get_extra_info("socket")
        if given is not None:
            given.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)

    async def run_asgi(self) -> None:
        """Run the application with this line in its scope."""
        self.scope["state"][EXTENSION] = self
        self.heard_at = self.loop.time()
        await super().run_asgi()

    async def send(self, message: ASGISendEvent) -> None:
        """Send for the application; an answer that refuses the handshake completes it."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    @property
    def is_open(self) -> bool:
        """Return whether frames may still be written."""
        return not (self.close_sent or self.disconnected) and self.conn.state is OPEN

    def write(self, payloads: Sequence[bytes]) -> None:
        """Send text messages at once, whatever waits; the caller looks at `paused` before."""
        if self.is_open:
            self.transport.write(b"".join(map(framed, payloads)))

    def end(self, code: int, reason: str) -> None:
        """Say goodbye with a close code; a client that does not read it is cut off soon after."""
        if not self.is_open:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_LAST_WORDS_S, self.transport.abort)

    def pause_writing(self) -> None:
        """Note that the transport's buffer is full."""
        self.paused = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the buffer has drained and go on with what waits."""
        self.paused = False
        super().resume_writing()
        if self.on_resume is not None:
            self.on_resume()

    def handle_pong(self, event: Frame) -> None:
        """Note a sign of life."""
        self.heard_at = self.loop.time()
        super().handle_pong(event)

    def keepalive_timeout(self) -> None:
        """Cut a line whose other end does not answer any more."""
        super().keepalive_timeout()
        self.transport.abort()

    def shutdown(self) -> None:
        """End with the server; a reader that does not read does not hold the end up."""
        super().shutdown()
        if self.paused:
            self.transport.abort()
