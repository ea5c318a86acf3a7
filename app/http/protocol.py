"""Owns what is said to bytes that are no HTTP: a problem with a code, then the line ends."""

from __future__ import annotations

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.http.errors import problem
from services.kit.errors import refuse


class Protocol(H11Protocol):
    """uvicorn's protocol; an unreadable request gets a problem document as any refusal does."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - never repeated to the caller
        """Answer 400 when an answer may still be sent, and close the connection."""
        answer = problem(refuse("BODY_INVALID", reason="the request is not HTTP/1.1"), "")
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(answer.body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=bytes(answer.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
