"""Owns the care of the market stream: what it follows, that it lives, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog

from app.http.hub import Hub
from app.jobs import tenant_principals
from app.wiring import Product
from services.alerts.store import watched
from services.identity.user import LOCAL_TENANT
from services.job import followed_symbols
from services.kit.context import Context, system_principal
from services.market.stream_alert import StreamReporter, tell

_log = structlog.get_logger()
_ROUND_S = 1.0


@asynccontextmanager
async def start_streaming(product: Product, hub: Hub) -> AsyncIterator[None]:
    """Stream what is watched, held, alerted on or shown, until the block ends.

    Nothing happens where the stream is switched off.
    """
    if product.stream is None:
        yield
        return
    task = asyncio.create_task(_look_after(product, hub), name="loop:stream")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await product.runtime.in_thread(product.stream.stop)


async def _look_after(product: Product, hub: Hub) -> None:
    reporter, started = StreamReporter(), False
    while True:
        try:
            shown = _shown(hub)
            look = partial(look_once, product, reporter, shown)
            await product.runtime.in_thread(look)
            if not started and product.stream is not None:
                product.stream.start()
                started = True
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("loop.failed", loop="stream")
        await asyncio.sleep(_ROUND_S)


def look_once(product: Product, reporter: StreamReporter, shown: frozenset[str]) -> None:
    """Tell the stream what to follow, start it again if it died, and tell what is new of it."""
    stream = product.stream
    if stream is None:
        return
    wanted = set(shown)
    for principal in tenant_principals(product):
        wanted |= product.runtime.read(principal, _followed)
    stream.watch(frozenset(wanted))
    stream.supervise()
    notices = reporter.look(stream.state(), product.clock.now())
    if notices:
        operator = system_principal(LOCAL_TENANT)
        product.runtime.write(operator, lambda ctx: tell(ctx, notices))


def _shown(hub: Hub) -> frozenset[str]:
    """Return what the pages follow now; read in the event loop, which changes it."""
    rooms = hub.rooms
    return frozenset(
        symbol
        for room in rooms
        for symbol in sorted(room.market.watched() | room.market.watched("trades"))
    )


def _followed(ctx: Context) -> frozenset[str]:
    """Return what a tenant watches, holds or has an alert on."""
    return frozenset(followed_symbols(ctx)) | {alert.symbol for alert in watched(ctx)}
