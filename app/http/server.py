"""Owns the running server: its socket, uvicorn, the printed login link, a calm end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.http.factory import build_api
from app.http.guard import Guard
from app.http.protocol import Protocol
from app.wiring import Product, open_first_user, prepare_database
from services.identity.ticket import issue_ticket
from services.identity.user import User, principal_of
from services.kit.context import Surface
from services.kit.settings import Settings

_GRACE_S = 10
_HEADERS_BYTES_MAX = 32_768
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: its address, and the login link of local mode (else empty)."""

    address: str
    port: int
    login_link: str


async def serve(product: Product, *, say: Callable[[str], None] = print) -> None:
    """Serve until a signal ends it; `say` prints the address and the login link."""
    async with running(product, signals=True) as (up, stopped):
        say(f"Cornerman {product.version} on {up.address}")
        if up.login_link:
            say(f"Open this link once, within ten minutes: {up.login_link}")
        await stopped


@asynccontextmanager
async def running(
    product: Product, *, signals: bool = False
) -> AsyncIterator[tuple[Running, asyncio.Task[None]]]:
    """Start a server on the product's host and port (0 takes a free one) and end it afterwards.

    Yields when the server answers. Streams are closed first, then requests get their grace.
    """
    user = await product.runtime.in_thread(lambda: _prepared(product))
    listening = _listen(product.settings.host, product.settings.port)
    api_app = build_api(product)
    server = _Server(
        _config(Guard(api_app, product, api_app.state.gate), product.settings),
        with_signals=signals,
        before_end=lambda: _close_streams(api_app),
    )
    task = asyncio.create_task(server.serve([listening]), name="http")
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(_POLL_S)
        if task.done():
            task.result()
        address = _address(product, listening)
        link = await product.runtime.in_thread(lambda: login_link(product, user, address))
        yield Running(address, listening.getsockname()[1], link), task
    finally:
        server.should_exit = True
        await task
        listening.close()


def login_link(product: Product, user: User, address: str) -> str:
    """Return a new one-time login link, or an empty text in served mode."""
    if product.settings.cornerman_mode != "local":
        return ""
    secret = product.runtime.write(
        principal_of(user, Surface.WEB, ""), lambda ctx: issue_ticket(ctx, "login")
    )
    return f"{address}/login?t={secret}"


class _Server(uvicorn.Server):
    """Closes event streams as soon as the end is asked for, so that they do not hold it up."""

    def __init__(
        self, config: uvicorn.Config, *, with_signals: bool, before_end: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._with_signals = with_signals
        self._before_end = before_end

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals only when this process is the server's."""
        if not self._with_signals:
            yield
            return
        with super().capture_signals():
            yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the streams, then shut down as uvicorn does."""
        self._before_end()
        await super().shutdown(sockets)


def _close_streams(api_app: FastAPI) -> None:
    api_app.state.streams.closing.set()
    api_app.state.sockets.hub.close()


def _prepared(product: Product) -> User:
    prepare_database(product)
    return open_first_user(product)


def _config(app: Guard, settings: Settings | None = None) -> uvicorn.Config:
    limits = settings or Settings()
    beat_s = limits.ws_heartbeat_interval_ms / 1000
    return uvicorn.Config(
        app,
        http=Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_HEADERS_BYTES_MAX,
        proxy_headers=False,
        ws=_open_line,  # type: ignore[arg-type]
        ws_max_size=limits.ws_max_payload_bytes,
        ws_ping_interval=beat_s,
        ws_ping_timeout=max(beat_s, limits.ws_idle_close_ms / 1000),
        ws_per_message_deflate=False,
        lifespan="on",
        limit_concurrency=2_000,
    )


def _open_line(**given: Any) -> asyncio.Protocol:
    """Return the protocol of a WebSocket; its library is loaded for the first one."""
    from app.http.ws_line import Line

    return Line(**given)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only for sockets that name their protocol; with it on,
    # every answer waits 40 ms for the client's acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    return listening


def _address(product: Product, listening: socket.socket) -> str:
    if product.settings.public_base_url:
        return product.settings.public_base_url
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
