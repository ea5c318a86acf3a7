"""Owns https for journeys: a certificate made on the spot, a front before a server, a foreign page."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_CHUNK = 65_536


def certificate(folder: Path, *names: str) -> ssl.SSLContext:
    """Return a server's context with a fresh self-signed certificate; skip without openssl."""
    tool = shutil.which("openssl")
    if not tool:
        pytest.skip("not run: no openssl on this machine")
    key, made = folder / "key.pem", folder / "cert.pem"
    command = [tool, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
    command += [f"/CN={names[0]}", "-keyout", str(key), "-out", str(made), "-addext"]
    command += ["subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return context


class _Front:
    """Ends TLS and hands the bytes on; without a port behind it, it answers one page itself."""

    def __init__(self, behind: int = 0, page: str = "") -> None:
        self._behind = behind
        self._page = page.encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            if self._behind:
                await self._join(reader, writer)
            else:
                await reader.readuntil(b"\r\n\r\n")
                head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(self._page)}\r\n"
                writer.write(f"{head}content-type: text/html\r\nconnection: close\r\n\r\n".encode())
                writer.write(self._page)
                await writer.drain()
        writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self._behind)
        ways = [asyncio.create_task(_copy(*way)) for way in ((reader, outer), (inner, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            outer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        target.write(data)
        await target.drain()


@contextmanager
def secured(context: ssl.SSLContext, *fronts: tuple[int, str]) -> Iterator[list[int]]:
    """Listen with TLS for each (port behind, or page) and yield the ports."""
    ports: list[int] = []
    loop, ready = asyncio.new_event_loop(), threading.Event()
    ended = asyncio.Event()

    async def main() -> None:
        servers = [
            await asyncio.start_server(_Front(*one).serve, "127.0.0.1", 0, ssl=context)
            for one in fronts
        ]
        ports.extend(server.sockets[0].getsockname()[1] for server in servers)
        ready.set()
        await ended.wait()
        for server in servers:
            server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(main())

    thread = threading.Thread(target=run, name="tls-front")
    thread.start()
    try:
        assert ready.wait(30)
        yield ports
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(30)
