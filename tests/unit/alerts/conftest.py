"""Owns the desk of the alert tests: a feed of bars set by hand, and short ways to act."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - a desk of numbers reads better short

import pytest

from services.alerts import book, notification, store, watch
from services.alerts.alert import AlertAsk, AlertKind
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.db import Database
from services.kit.errors import refuse
from services.kit.ids import CountedIds
from services.kit.money import decimal_text
from services.kit.work import Runtime
from services.market.bar import Bar
from services.market.feed import BarSeries, Feed
from tests.fakes.hand_feed import HandFeed

OPEN = datetime(2027, 1, 12, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def bar(opens, o, h, l, c, v=1000, **more):  # noqa: E741
    """A minute that opens at `opens`, a time or minutes after the open of the session."""
    at = OPEN + opens * MINUTE if isinstance(opens, int) else opens
    return Bar(t_open=at, t_close=at + MINUTE, o=D(str(o)), h=D(str(h)), l=D(str(l)), c=D(str(c)),
               v=D(v), **more)  # fmt: skip


class BarFeed(HandFeed):
    """The hand-moved feed with bars of its own; time and last price follow what is printed."""

    def __init__(self):
        super().__init__()
        self.lists, self.refusal, self.asked = {}, None, 0
        self.at(0)

    def at(self, minutes):
        self.time = OPEN + minutes * MINUTE
        self.advance(seconds=0)

    def put(self, *bars, timeframe="1m", symbol="AAPL"):
        kept = {one.t_open: one for one in self.lists.get((symbol, timeframe), [])}
        kept.update({one.t_open: one for one in bars})
        self.lists[symbol, timeframe] = [kept[key] for key in sorted(kept)]
        self.time = max(self.time, bars[-1].t_close)
        self.set(symbol, str(bars[-1].c - D("0.01")), str(bars[-1].c + D("0.01")))

    def bars(self, ctx, symbol, timeframe, count, *, include_partial=False):
        self.asked += 1
        if self.refusal:
            raise refuse(self.refusal, provider="hand", reason="told so")
        known = self.lists.get((self.instrument(ctx, symbol).symbol, timeframe), [])
        due = [one for one in known if one.t_close <= self.time][-count:]
        return BarSeries(symbol, timeframe, tuple(due), self.provenance, "hand", self.time, "")


class AlertDesk:
    """A person with alerts, a poller and a stream, each act in a transaction of its own."""

    def __init__(self, runtime, owner, feed):
        self.runtime, self.owner, self.feed = runtime, owner, feed

    def do(self, act):
        return self.runtime.write(self.owner, act)

    def set(self, level, kind="price_above", symbol="AAPL", **terms):
        ask = AlertAsk(symbol=symbol, kind=kind and AlertKind(kind),
                       level=None if level is None else D(str(level)), **terms)  # fmt: skip
        return self.do(lambda ctx: book.set_alert(ctx, ask))

    def poll(self):
        return self.do(watch.evaluate_due)

    def stream(self, *bars, symbol="AAPL"):
        return self.do(lambda ctx: watch.on_bars(ctx, symbol, bars))

    def alert(self, alert_id):
        return self.do(lambda ctx: store.get_alert(ctx, alert_id))

    def events(self, alert_id):
        found = self.do(lambda ctx: store.list_triggers(ctx, alert_id))
        return [
            (int((one.at - OPEN) / MINUTE), decimal_text(one.price), one.gap) for one in found[::-1]
        ]

    def feed_of(self):
        return self.do(notification.list_notifications)


@pytest.fixture
def feed():
    return BarFeed()


@pytest.fixture
def desk(database, clock, settings, owner, feed):
    runtime = Runtime(database, clock, CountedIds(), settings, ports={Bus: MemoryBus(), Feed: feed})
    feed.set("AAPL", "197.99", "198.01")
    yield AlertDesk(runtime, owner, feed)
    runtime.threads.shutdown(wait=True)


@pytest.fixture
def any_desk(database_url, clock, settings, owner, feed):
    """The same desk on both engines."""
    database = Database(database_url)
    runtime = Runtime(database, clock, CountedIds(), settings, ports={Bus: MemoryBus(), Feed: feed})
    feed.set("AAPL", "197.99", "198.01")
    yield AlertDesk(runtime, owner, feed)
    runtime.threads.shutdown(wait=True)
    database.close()
