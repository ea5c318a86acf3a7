"""Owns the care of a broker's account events: an event wakes the executor, which asks the broker.

Losing the events costs time and nothing else: the executor asks all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from app.broker import BrokerLink
from app.wiring import Product
from services.identity.user import LOCAL_TENANT
from services.kit import lease
from services.kit.context import system_principal
from services.kit.ids import sha256_hex
from services.market.stream_state import StreamTiming
from services.orders.tradier import TradierBroker
from services.orders.tradier_events import EVENT_HOSTS, TIMING, Hints, Pace, TradierEvents
from services.orders.tradier_stream import Leader, TradierStream

_log = structlog.get_logger()
_PRINCIPAL = system_principal(LOCAL_TENANT)
_ROUND_S = 1.0
_CHANCES = 16**8


@asynccontextmanager
async def start_broker_events(product: Product) -> AsyncIterator[None]:
    """Listen to the events of the account at Tradier until the block ends.

    Nothing happens without such an account, where `FEATURE_TRADIER_EVENTS` is off, and at an
    address that stands in for the provider's own.
    """
    settings = product.settings
    wanted = settings.feature_tradier_events and not settings.tradier_base_url
    found = [one for one in product.brokers.links if isinstance(one.broker, TradierBroker)]
    if not wanted or not found:
        yield
        return
    found[0].events = build_events(product, found[0])
    async with listening(product, found[0], found[0].events):
        yield


@asynccontextmanager
async def listening(
    product: Product, link: BrokerLink, stream: TradierStream
) -> AsyncIterator[None]:
    """Keep a stream reading while its account is on and was checked, until the block ends."""
    task = asyncio.create_task(_look_after(product, link, stream), name="loop:broker_events")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await product.runtime.in_thread(stream.stop)


def build_events(
    product: Product,
    link: BrokerLink,
    *,
    ws_base: str = "",
    timing: StreamTiming = TIMING,
    pace: Pace | None = None,
) -> TradierStream:
    """Return the stream of an account at Tradier, not started; the environment names its host."""
    broker, wire = link.broker, link.wire
    if not isinstance(broker, TradierBroker) or wire is None:
        raise TypeError("only an open account at Tradier has these events")
    seat, clock = broker.seat, product.clock

    def hint() -> None:
        broker.forget()
        product.bus.publish("orders", LOCAL_TENANT)

    events = TradierEvents(
        seat,
        wire,
        clock,
        ws_base=ws_base or EVENT_HOSTS[seat.env],
        hints=Hints(hint, pace or Pace()),
        timing=timing,
    )
    ids = product.ids

    def chance() -> float:
        return int(sha256_hex(ids.secret())[:8], 16) / _CHANCES

    leader = _leader(product, f"broker_events:{seat.account_id}", timing.lease_s)
    return TradierStream(events, clock, leader=leader, chance=chance, timing=timing)


def _leader(product: Product, name: str, ttl_s: float) -> Leader:
    runtime, holder = product.runtime, product.ids.new("proc")
    return Leader(
        take=lambda: runtime.write(_PRINCIPAL, lambda ctx: lease.take(ctx, name, holder, ttl_s)),
        release=lambda: runtime.write(_PRINCIPAL, lambda ctx: lease.release(ctx, name, holder)),
    )


async def _look_after(product: Product, link: BrokerLink, stream: TradierStream) -> None:
    while True:
        try:
            if link.record.on and link.checked:
                stream.start()
            else:
                await product.runtime.in_thread(stream.stop)
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("loop.failed", loop="broker_events")
        await asyncio.sleep(_ROUND_S)
