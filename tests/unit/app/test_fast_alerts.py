"""Streamed trades tell fast alerts early: from a frame in the reader's thread to the trigger row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from app.alert_poll import poll_alerts
from app.alert_trades import tell_touched
from services.alerts import book, store
from services.alerts.alert import AlertAsk, AlertKind
from services.identity.user import open_tenant
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.lease import take
from services.kit.work import Runtime
from services.market.feed import Feed
from services.market.live import LiveBook
from services.market.quote import Provenance
from services.market.stream_frame import Frame, StreamTrade
from tests.fakes.hand_feed import HandFeed

TS = datetime(2027, 1, 12, 15, 0, 10, tzinfo=UTC)


@pytest.fixture
def product(database, clock, settings, owner):
    feed, live = HandFeed(), LiveBook(provenance=Provenance.LIVE, source="hand")
    ports = {Bus: MemoryBus(), Feed: feed, LiveBook: live}
    made = Runtime(database, clock, CountedIds(), settings, ports=ports)
    made.write(owner, lambda ctx: open_tenant(ctx, "owner"))
    yield SimpleNamespace(runtime=made, settings=settings, feed=feed, live=live)
    made.threads.shutdown(wait=True)


def frame(price, ts=TS, *conditions):
    trade = StreamTrade("AAPL", Decimal(price), Decimal(100), ts, conditions)
    return Frame(trades=(trade,), received_at=ts)


def set_fast(product, owner, level="191"):
    ask = AlertAsk(symbol="AAPL", kind=AlertKind.PRICE_ABOVE, level=Decimal(level), latency="fast")
    return product.runtime.write(owner, lambda ctx: book.set_alert(ctx, ask)).alert


def triggers(product, owner, alert):
    return product.runtime.read(owner, lambda ctx: store.list_triggers(ctx, alert.id))


def test_a_trade_that_reaches_a_fast_alert_is_told_once_within_its_minute(product, owner):
    made = set_fast(product, owner)
    tell_touched(product)
    product.feed.advance(seconds=10)
    product.live.ineligible = frozenset({"37"})
    product.live.note(frame("250", TS, "37"))
    for price in ("190.99", "191", "191.2"):
        product.live.note(frame(price))
    tell_touched(product)
    product.live.note(frame("191.3", TS + timedelta(seconds=5)))
    tell_touched(product)
    [found] = triggers(product, owner, made)
    assert (found.price, found.provisional, found.source) == (Decimal(191), True, "trades")


def test_without_a_stream_nothing_is_looked_at(product, owner):
    bare = SimpleNamespace(runtime=replace(product.runtime, ports={}), settings=product.settings)
    assert tell_touched(bare) == 0


def test_a_poller_leaves_the_alerts_to_the_one_that_holds_the_lease(product, owner):
    made = set_fast(product, owner)
    product.feed.minute_volume = Decimal(10)
    product.feed.advance(minutes=2)
    product.feed.set("AAPL", "192", "192.02")
    product.runtime.write(owner, lambda ctx: take(ctx, "alerts", "another process", 60))
    assert poll_alerts(product) == 0
    assert triggers(product, owner, made) == []
    product.runtime.clock.advance(seconds=61)
    poll_alerts(product)
    [found] = triggers(product, owner, made)
    assert (found.price, found.gap) == (Decimal("192.01"), True)
