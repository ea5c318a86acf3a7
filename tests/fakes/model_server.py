"""A scripted OpenAI-compatible server on a loopback port: real sockets, real framing faults.

    async with ModelServer([text_answer("Hello."), calls_answer(("quote", {"symbols": ["AAPL"]}))]) as server:
        ... OpenAIModel(Endpoint(server.base_url, "scripted"), clock) ...

Synchronous callers use `with running_server(script) as server:` (its own thread and loop).
After the script the server answers with `fallback`. A script may also be a function of the
decoded request body.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    422: "Unprocessable",
    429: "Too Many",
    500: "Error",
    503: "Unavailable",
}


@dataclass(frozen=True)
class Pause:
    """Wait this long before the next frame, or until the client hangs up."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """Cut the connection with a TCP reset."""


@dataclass(frozen=True)
class Cut:
    """Close the connection without ending the body properly."""


@dataclass(frozen=True)
class Answer:
    """One answer: status, headers and body frames; each bytes frame is one write."""

    frames: Sequence[bytes | Pause | Reset | Cut] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "text/event-stream"


Script = Sequence[Answer] | Callable[[dict[str, Any]], Answer]


def event(document: object, *, end: str = "\n\n") -> bytes:
    return f"data: {json.dumps(document)}{end}".encode()


def chunk(delta: object, finish: object = None, **extra: object) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [choice],
        **extra,
    }


DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}


def text_frames(text: str, *, size: int = 8) -> list[bytes]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [
        event(chunk({"role": "assistant", "content": ""})),
        *(event(chunk({"content": piece})) for piece in pieces),
    ]


def end_frames(finish: str = "stop") -> list[bytes]:
    usage = {
        "choices": [],
        "usage": USAGE,
        "object": "chat.completion.chunk",
        "id": "c1",
        "model": "scripted",
        "created": 1,
    }
    return [event(chunk({}, finish)), event(usage), DONE]


def text_answer(text: str) -> Answer:
    """An answer of text alone, streamed in small pieces."""
    return Answer([*text_frames(text), *end_frames()])


def calls_answer(*calls: tuple[str, object], text: str = "") -> Answer:
    """An answer of tool calls `(name, arguments)`; arguments are an object or raw JSON text."""
    frames = text_frames(text) if text else []
    for at, (name, arguments) in enumerate(calls):
        raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
        first = {
            "index": at,
            "id": f"call_{at}",
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        frames.append(event(chunk({"tool_calls": [first]})))
        frames.extend(
            event(
                chunk(
                    {"tool_calls": [{"index": at, "function": {"arguments": raw[cut : cut + 12]}}]}
                )
            )
            for cut in range(0, len(raw), 12)
        )
    return Answer([*frames, *end_frames("tool_calls")])


def json_answer(document: object, status: int = 200, **headers: str) -> Answer:
    """A body that does not stream, such as an error; `retry_after="2"` becomes a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer([json.dumps(document).encode()], status, named, "application/json")


def error_answer(
    status: int, message: str = "refused", *, param: str | None = None, **headers: str
) -> Answer:
    return json_answer(
        {"error": {"message": message, "type": "error", "param": param, "code": None}},
        status,
        **headers,
    )


class ModelServer:
    """Serves a script; keeps the decoded requests and the moments at which clients hung up."""

    def __init__(self, script: Script = (), *, fallback: Answer | None = None) -> None:
        self._script = script
        self._fallback = fallback or text_answer("Done.")
        self._server: asyncio.Server | None = None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.hung_up: list[float] = []
        self.hung_up_event = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return len(self._writers)

    @property
    def base_url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self._note_hang_up()
        finally:
            writer.close()

    def _note_hang_up(self) -> None:
        self.hung_up.append(time.perf_counter())
        self.hung_up_event.set()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:
            return False
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:])
            if name
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.paths.append(head[0].split(" ")[1])
        self.headers.append(headers)
        self.requests.append(json.loads(body or b"{}"))
        return await self._answer(self._next(self.requests[-1]), reader, writer)

    def _next(self, request: dict[str, Any]) -> Answer:
        if callable(self._script):
            return self._script(request)
        at = len(self.requests) - 1
        return self._script[at] if at < len(self._script) else self._fallback

    async def _answer(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        lines = {
            "content-type": answer.content_type,
            "transfer-encoding": "chunked",
            **answer.headers,
        }
        head = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Status')}\r\n"
        writer.write(
            (
                head + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
            ).encode()
        )
        for frame in answer.frames:
            match frame:
                case bytes():
                    writer.write(b"%x\r\n%b\r\n" % (len(frame), frame) if frame else b"")
                    await writer.drain()
                case Pause():
                    if not await self._wait(frame.seconds, reader):
                        return False
                case Reset():
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, linger
                    )  # SO_LINGER of 0 s sends RST
                    writer.transport.abort()
                    return False
                case Cut():
                    return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _wait(self, seconds: float, reader: asyncio.StreamReader) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await reader.read(1)
        except TimeoutError:
            return True
        self._note_hang_up()
        return False


@contextmanager
def running_server(script: Script = (), *, fallback: Answer | None = None) -> Iterator[ModelServer]:
    """Serve a script from a thread of its own; for synchronous tests and child processes."""
    server = ModelServer(script, fallback=fallback)
    ready, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        async with server:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    ready.wait(30)
    try:
        yield server
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(15)
