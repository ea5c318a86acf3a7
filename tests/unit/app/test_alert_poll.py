"""The poller of alerts: a defect at one symbol holds no other symbol back."""

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from app.alert_poll import poll_alerts
from services.alerts import book, store
from services.alerts.alert import AlertAsk, AlertKind
from services.identity.user import open_tenant
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.bar import Bar
from services.market.feed import BarSeries, Feed
from tests.fakes.hand_feed import HandFeed

MINUTE = timedelta(minutes=1)


class BrokenFor(HandFeed):
    """A feed whose minute bars of one symbol run into a defect."""

    defect = ""

    def bars(self, ctx, symbol, timeframe, count, *, include_partial=False):
        if symbol == self.defect and timeframe == "1m":
            raise ZeroDivisionError(symbol)
        price, opens = self.quotes[symbol].last, self.time - MINUTE
        edges = dict.fromkeys(("o", "h", "l", "c"), price)
        minute = Bar(t_open=opens, t_close=self.time, v=Decimal(100), **edges)
        made = (minute,) if timeframe == "1m" else ()
        return BarSeries(symbol, timeframe, made, self.provenance, "hand", self.time, "")


@pytest.fixture
def product(database, clock, settings, owner):
    feed = BrokenFor()
    made = Runtime(database, clock, CountedIds(), settings, ports={Bus: MemoryBus(), Feed: feed})
    made.write(owner, lambda ctx: open_tenant(ctx, "owner"))
    yield SimpleNamespace(runtime=made, settings=settings, feed=feed)
    made.threads.shutdown(wait=True)


def test_a_defect_at_one_symbol_does_not_silence_the_alerts_of_the_others(product, owner):
    feed, write = product.feed, product.runtime.write
    level = {"AAPL": "191", "MSFT": "401"}
    asks = [
        AlertAsk(symbol=name, kind=AlertKind.PRICE_ABOVE, level=Decimal(at), basis="close")
        for name, at in level.items()
    ]
    ids = {one.symbol: write(owner, lambda ctx, a=one: book.set_alert(ctx, a)).alert.id
           for one in asks}  # fmt: skip
    feed.advance(minutes=2)
    feed.set("AAPL", "191.9", "192.1")
    feed.set("MSFT", "401.9", "402.1")
    feed.defect = "AAPL"
    assert poll_alerts(product) == 0
    states = {name: write(owner, lambda ctx, i=i: store.get_alert(ctx, i)).state
              for name, i in ids.items()}  # fmt: skip
    assert states == {"AAPL": "armed", "MSFT": "done"}
