"""Owns the desk of the alert tests: a feed of bars set by hand, and short ways to act."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - a desk of numbers reads better short

import pytest

from services.alerts import book, notification, store, watch
from services.alerts.alert import AlertAsk, AlertKind
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.canonical import canonical
from services.kit.clock import instant_text, parse_instant
from services.kit.db import Database
from services.kit.errors import refuse
from services.kit.ids import CountedIds
from services.kit.money import decimal_text
from services.kit.outbox import due
from services.kit.work import Runtime
from services.market.bar import Bar
from services.market.feed import BarSeries, Feed
from services.market.quality import snapshot
from services.trade.plan_store import find_plan
from services.trade.plan_tables import plans
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


def plan_document(symbol="AAPL"):
    """The parts of a long `plan/v1` about 100 that an alert reads."""
    return {
        "symbol": f"XNAS:{symbol}", "side": "long", "setup": {"id": "orb"},
        "entry": {"lo": "99.9", "hi": "100.1"}, "stop": {"price": "99.6"},
        "targets": [{"price": "100.3"}, {"price": "100.5"}],
        "invalidation": [{"rule": "close_below", "tf": "5m", "price": "99.75"},
                         {"rule": "open_above", "tf": "1d", "price": "101"}],
        "expires_at": instant_text(OPEN + 20 * MINUTE),
        "time_stop": {"kind": "session_end", "value": instant_text(OPEN + 40 * MINUTE)},
    }  # fmt: skip


def insert_plan(ctx, plan_id, body):
    """Write the plan's row as the plan room does, on a green snapshot; return its id."""
    if find_plan(ctx, plan_id) is not None:
        return plan_id
    symbol = body["symbol"].partition(":")[2]
    hashes = {f"{name}_hash": "sha256:0" for name in ("idea", "plan", "inputs", "policy")}
    values = {
        "id": plan_id, "kind": "plan", "symbol": symbol, "side": body["side"],
        "style": "intraday", "setup_id": "orb", "timeframe": "5m",
        "document": canonical(body).decode(), "inputs": "{}",
        "dq_snapshot_id": snapshot(ctx, (symbol,)).id, "trace": "", "as_of": OPEN,
        "expires_at": parse_instant(body["expires_at"]), "at": ctx.now, **hashes,
    }  # fmt: skip
    ctx.db.insert(plans, values)
    return plan_id


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

    def store_plan(self, symbol="AAPL", number=1, **changes):
        """Store a plan of a symbol and return its id; the same number again is the same plan."""
        plan_id = f"plan_{number:016x}"
        body = {**plan_document(symbol), **changes, "plan_id": plan_id}
        return self.do(lambda ctx: insert_plan(ctx, plan_id, body))

    def watch_plan(self, plan_id, **terms):
        ask = AlertAsk(kind=AlertKind.PLAN_EVENT, plan_id=plan_id, **{"repeat": True, **terms})
        return self.do(lambda ctx: book.set_alert(ctx, ask))

    def watch_risk(self, state="warn", **terms):
        ask = AlertAsk(kind=AlertKind.RISK, risk_state=state, **{"repeat": True, **terms})
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

    def outbox(self):
        """What the alerts told, in order."""
        waiting = self.do(lambda ctx: due(ctx, 500))
        return [one.payload for one in waiting if one.kind == "alert"]

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
