"""Owns the way of market news to its readers: stream or poll -> event log -> hub and alerts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial

import structlog

from app.background import each_tenant
from app.http.hub import Hub
from app.http.room import Room
from app.http.room_market import Told
from app.http.ws_frames import encode
from app.live_frames import News, price_of, trace_of, trades_bytes, unpack
from app.live_poll import CHUNK, Watch
from app.wiring import Product
from services.alerts.watch import on_bars
from services.kit.bus.log import MemoryLog
from services.kit.bus.port import Consumer, EventLog, Record
from services.kit.context import system_principal
from services.market.believable import find_untrue, note_untrue
from services.market.live import LiveBook
from services.market.quality_rule import Fault
from services.market.stream_frame import Frame, StreamTrade

TOPIC = "market"
POLL_S = 1.0
_BATCH = 512
_WAIT_S = 1.0
_REST_S = 0.5
_NOTE_S = 60.0
_MINUTES = 5
"""Complete minutes looked at for the alerts; what is missed beyond is the poller's."""
_BUDGET_SHARE = 2
"""Watching by REST takes at most one half of the provider's requests; orders and tools the rest."""
_log = structlog.get_logger()


class Live:
    """The glue of one process. Prices are pushed while they stream, and polled otherwise."""

    def __init__(self, product: Product, hub: Hub, log: EventLog | None = None) -> None:
        self._product, self._hub = product, hub
        self.log: EventLog = log or MemoryLog()
        found = product.runtime.ports.get(LiveBook)
        self._book = found if isinstance(found, LiveBook) else None
        self._watches: dict[str, Watch] = {}
        self._looked: dict[str, float] = {}
        self._given: dict[str, datetime] = {}
        self._untrue: dict[str, Fault] = {}
        self._noted: dict[tuple[str, str], float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry market news until the block ends."""
        async with AsyncExitStack() as stack:
            hub = await stack.enter_async_context(self.log.consume(TOPIC, "hub"))
            duties = {"poll": self._poll(), "tell": self._tell(hub)}
            if self._book is not None:
                alerts = await stack.enter_async_context(self.log.consume(TOPIC, "alerts"))
                duties |= {"warn": self._warn(alerts), "note": self._note()}
                stack.callback(self._book.listen(self.take))
            tasks = [asyncio.create_task(duty, name=f"live:{at}") for at, duty in duties.items()]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def take(self, frame: Frame) -> None:
        """Publish one frame of the stream, a record a symbol; runs in the reader's thread.

        What can not be true is not told: the price before it stays, and grows old. Neither is the
        price of a symbol before its close of the session before was looked for.
        """
        book = self._book
        if book is None:
            return
        trades: dict[str, list[StreamTrade]] = {}
        for trade in frame.trades:
            trades.setdefault(trade.symbol, []).append(trade)
        moved = dict.fromkeys(one.symbol for one in frame.quotes)
        moved |= dict.fromkeys([*trades, *(one.symbol for one in frame.bars)])
        received = frame.received_at.isoformat()
        label = {"provenance": book.provenance.value, "source": book.source}
        for symbol in moved:
            quote, ready = book.find_quote(symbol), self.is_looked_at(symbol)
            fault = None if quote is None else find_untrue(quote, self._close_of(symbol))
            if fault is not None:
                self._untrue.setdefault(symbol, fault)
                if fault.code != "DQ_CROSSED":
                    continue
            price = b"" if quote is None or fault is not None else encode(price_of(quote))
            told = trades.get(symbol, ()) if self._hub.is_followed("trades", symbol) else ()
            news = News("", price, trades_bytes(symbol, told, **label)) if ready else News("")
            trace = trace_of(f"{symbol}|{received}")
            self.log.publish(TOPIC, symbol, news.pack(), traceparent=trace)

    def _close_of(self, symbol: str) -> Decimal | None:
        """Return the close that a streamed price is held against; None while nobody follows it."""
        known = (watch.close_before(symbol) for watch in tuple(self._watches.values()))
        return next((close for close in known if close is not None), None)

    def is_looked_at(self, symbol: str) -> bool:
        """Return whether an earlier close of a followed symbol was looked for, there or not."""
        return any(watch.has_looked(symbol) for watch in tuple(self._watches.values()))

    async def _note(self) -> None:
        """Make findings of what the stream told and can not be true, once a minute of each kind."""
        while True:
            await asyncio.sleep(_REST_S)
            found, self._untrue = self._untrue, {}
            now = self._product.clock.monotonic()
            self._noted = {key: at for key, at in self._noted.items() if now - at < _NOTE_S}
            for symbol, fault in found.items():
                if (symbol, fault.code) in self._noted:
                    continue
                self._noted[symbol, fault.code] = now
                for tenant in [one for one, at in self._watches.items() if at.has_looked(symbol)]:
                    await self._note_for(tenant, symbol, fault)

    async def _note_for(self, tenant: str, symbol: str, fault: Fault) -> None:
        act = partial(note_untrue, symbol=symbol, fault=fault)
        try:
            await self._product.runtime.write_async(system_principal(tenant), act)
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("live.note_failed", tenant=tenant, symbol=symbol)

    async def _poll(self) -> None:
        """Ask the feed for what is followed; while prices stream only for what never came so.

        Who subscribes wakes a round at once that asks for new symbols alone.
        """
        clock, due = self._product.clock, 0.0
        while True:
            began, asked = clock.monotonic(), 0
            whole = began >= due
            self._hub.asked.clear()
            rooms = self._hub.rooms
            self._forget({room.tenant_id for room in rooms})
            for room in rooms:
                try:
                    asked += await self._look(room, whole=whole)
                except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
                    _log.exception("live.poll_failed", tenant=room.tenant_id)
            if whole:
                due = began + self._pause_s(asked)
            with contextlib.suppress(TimeoutError):
                rest = max(_REST_S / 10, due - clock.monotonic())
                async with asyncio.timeout(rest):
                    await self._hub.asked.wait()

    def _forget(self, present: set[str]) -> None:
        """Drop what was known for tenants whose room is empty."""
        for tenant in [one for one in self._watches if one not in present]:
            del self._watches[tenant]

    @property
    def _streams(self) -> bool:
        """Return whether prices come by themselves now: an interrupted stream is polled for."""
        stream = self._product.stream
        flows = stream is None or stream.state().phase == "live"
        return self._book is not None and flows

    def _pause_s(self, asked: int) -> float:
        """Return the seconds of one round: 1, or as many as half the provider's budget takes."""
        if self._product.feed.name == "replay":
            return POLL_S
        budget = self._product.settings.massive_requests_minute / _BUDGET_SHARE
        return max(POLL_S, asked * 60 / budget)

    async def _look(self, room: Room, *, whole: bool) -> int:
        """Publish what is new for a room; return how many symbols were asked for."""
        trading = room.market.watched("trades")
        untold = room.market.unknown()
        every = room.market.watched() | trading
        watch = self._watches.setdefault(room.tenant_id, Watch(room.tenant_id))
        watch.keep(every)
        wanted = sorted(every if whole and not self._streams else untold)
        principal = system_principal(room.tenant_id)
        for at in range(0, len(wanted), CHUNK):
            part = wanted[at : at + CHUNK]
            look = partial(watch.look, symbols=part, trading=trading, untold=untold)
            for symbol, news in await self._product.runtime.read_async(principal, look):
                self.log.publish(TOPIC, symbol, news.pack(), traceparent=trace_of(symbol))
        return len(wanted)

    async def _tell(self, reader: Consumer) -> None:
        """Hand every record to the readers of its symbol, then commit it."""
        while True:
            records = await reader.poll(_BATCH, _WAIT_S)
            try:
                self._told(records)
            except Exception:  # noqa: BLE001 - bus delivery; see architecture 4
                _log.exception("live.tell_failed", records=len(records))
            reader.commit(records)

    def _told(self, records: list[Record]) -> None:
        """Send a batch in one go: all frames of a client leave in one write."""
        told: dict[str, list[Told]] = {}
        for record in records:
            news = unpack(record.value)
            mine = told.setdefault(news.tenant_id, [])
            if news.price:
                mine.append(("price", record.key, news.price))
            if news.trades:
                mine.append(("trades", record.key, news.trades))
            if news.fault:
                self._hub.tell_fault(news.tenant_id, record.key, news.fault)
        for tenant_id, frames in told.items():
            self._hub.tell(tenant_id, frames)

    async def _warn(self, reader: Consumer) -> None:
        """Give completed minutes to the alerts of every tenant, then commit; again after a fault.

        An alert event has a unique key, so a minute that comes twice rings once.
        """
        while True:
            records = await reader.poll(_BATCH, _WAIT_S)
            symbols = sorted({record.key for record in records})
            try:
                await self._product.runtime.in_thread(partial(self._judge, symbols))
            except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
                _log.exception("live.alerts_failed", symbols=len(symbols))
                for record in reversed(records):
                    reader.seek(record.partition, record.offset)
                await asyncio.sleep(_REST_S)
                continue
            reader.commit(records)

    def _judge(self, symbols: list[str]) -> None:
        """Evaluate the alerts on minutes that are complete and were not given before."""
        book, now = self._book, self._product.clock.monotonic()
        for symbol in symbols if book is not None else ():
            if now - self._looked.get(symbol, -_WAIT_S) < _WAIT_S:
                continue
            self._looked[symbol] = now
            given = self._given.get(symbol)
            bars = book.recent_bars(symbol, _MINUTES) if book is not None else ()
            fresh = tuple(bar for bar in bars if given is None or bar.t_open > given)
            if fresh:
                each_tenant(self._product, partial(on_bars, symbol=symbol, bars=fresh))
                self._given[symbol] = fresh[-1].t_open
