"""A stop that a person keeps for a position raises its own alert: told once a session, by itself."""

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from types import SimpleNamespace

import pytest

from agent.relay import deliver
from app.alert_poll import poll_alerts
from services.alerts import book, fast, notification, store
from services.identity.user import open_tenant
from services.market.finding import Finding, Severity
from services.market.freeze import active_freezes, end_freeze, listing_scope, open_freeze
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from tests.fakes.order_desk import OrderDesk
from tests.unit.alerts.conftest import OPEN, bar
from tools.registry import call


class Holder:
    """A person who holds 20 AAPL and keeps a stop through the chat's own tool."""

    def __init__(self, desk, feed):
        self.desk, self.feed = desk, feed
        desk.runtime.ports[Broker] = PaperBroker()
        self.orders = OrderDesk(desk.runtime, feed, desk.owner)
        self.product = SimpleNamespace(runtime=desk.runtime, settings=desk.runtime.settings)
        desk.do(lambda ctx: open_tenant(ctx, "owner"))
        self.orders.buy("AAPL", quantity="20")
        self.orders.work(2)

    def keep(self, price):
        args = {"action": "move_stop", "symbol": "AAPL", "stop_price": price}
        done = self.desk.do(lambda ctx: call(ctx, "position_action", args))
        assert done.ok, done.error

    def poll(self, *bars):
        if bars:
            self.feed.put(*bars)
        for _ in range(2):
            poll_alerts(self.product)

    def alerts(self):
        return self.desk.do(lambda ctx: [one for one in store.watched(ctx) if one.subject])

    def told(self):
        self.desk.do(deliver)
        listed = self.desk.do(notification.list_notifications).items[::-1]
        return [one for one in listed if "stop of" in one.message]


@pytest.fixture
def holder(desk, feed):
    feed.at(5)
    return Holder(desk, feed)


@pytest.fixture
def any_holder(any_desk, feed):
    feed.at(5)
    return Holder(any_desk, feed)


def test_a_kept_stop_that_is_crossed_is_told_once_in_its_session(any_holder):
    any_holder.keep("195.00")
    any_holder.poll()
    (alert,) = any_holder.alerts()
    assert (alert.kind, alert.level, alert.latency) == ("price_below", 195, "fast")
    any_holder.poll(bar(6, 197, 197.2, 196, 196.1), bar(7, 196.1, 196.2, 194.9, 195.4))
    (told,) = any_holder.told()
    assert told.message == (
        "AAPL traded at 195.00, at or below the stop of 195.00 that you keep for it (09:38 EST). "
        "A kept stop is not placed: nothing was traded by it."
    )
    assert told.level == "warning"
    any_holder.poll(bar(8, 195.4, 199, 195.3, 198.8), bar(9, 198.8, 199, 194, 194.2))
    assert len(any_holder.told()) == 1
    (again,) = any_holder.alerts()
    assert again.suppressed == 1


def test_the_next_session_tells_it_again_when_the_price_had_come_back(holder, feed):
    holder.keep("195.00")
    holder.poll()
    holder.poll(bar(7, 196, 196.2, 194.9, 195.4), bar(8, 195.4, 199, 195.3, 198.8))
    feed.time = OPEN + timedelta(days=1)
    day = OPEN + timedelta(days=1)
    holder.poll(bar(day, 194, 194.4, 193, 193.2))
    assert [one.message[:26] for one in holder.told()] == [
        "AAPL traded at 195.00, at ",
        "AAPL opened at 194.00, at ",
    ]


def test_a_stop_that_moves_is_watched_at_its_new_price_only(holder):
    holder.keep("195.00")
    holder.poll()
    holder.keep("196.00")
    holder.poll()
    (alert,) = holder.alerts()
    assert alert.level == 196
    holder.poll(bar(6, 197.9, 198, 195.8, 197))
    assert len(holder.told()) == 1


def test_a_closed_position_takes_its_alert_away(holder):
    holder.keep("195.00")
    holder.poll()
    assert len(holder.alerts()) == 1
    holder.orders.buy("AAPL", "sell", "20")
    holder.orders.work(2)
    holder.poll()
    assert holder.alerts() == []


def test_a_deleted_alert_is_not_set_again_for_the_same_stop(holder):
    holder.keep("195.00")
    holder.poll()
    (alert,) = holder.alerts()
    holder.desk.do(lambda ctx: book.delete_alert(ctx, alert.id))
    holder.poll()
    assert holder.alerts() == []


def test_a_trade_of_the_stream_tells_it_at_once(holder, feed):
    holder.keep("195.00")
    holder.poll()
    watch = fast.FastWatch()
    assert watch.load(holder.desk.do(fast.watched_fast)) == 1
    feed.at(7)
    (touch,) = watch.touched([("AAPL", D("194.50"), feed.time)])
    assert holder.desk.do(lambda ctx: fast.tell_touch(ctx, touch))
    assert len(holder.told()) == 1
    holder.poll(bar(7, 196, 196.2, 194.4, 195.4))
    assert len(holder.told()) == 1


def test_bad_data_make_it_wait(holder):
    holder.keep("195.00")
    scope, found = listing_scope("XNAS:AAPL"), Finding("AAPL", "DQ_JUMP", Severity.CRIT, "jumped")
    holder.desk.do(lambda ctx: open_freeze(ctx, scope, found))
    holder.poll()
    assert holder.alerts() == []
    holder.desk.do(
        lambda ctx: [end_freeze(ctx, one, "test") for one in active_freezes(ctx, (scope,))]
    )
    holder.poll()
    assert len(holder.alerts()) == 1


def test_without_a_kept_stop_nothing_is_watched_by_itself(holder):
    holder.poll()
    assert holder.alerts() == []
