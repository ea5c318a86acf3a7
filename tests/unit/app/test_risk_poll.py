"""The round of the risk engine: its turns, what it writes, and that one tenant stops no other."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from app.http.desk_frames import look
from app.risk_limits import build_policy
from app.risk_poll import QUIET_S, REST_S, poll_risk
from services.identity.user import open_tenant
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.environment import load_settings
from services.kit.ids import CountedIds
from services.kit.policy import DEFAULT_POLICY
from services.kit.work import Runtime
from services.ledger import portfolio
from services.market.feed import Feed
from services.orders.desk import set_unready
from services.trade.risk_store import list_risks
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OrderDesk


class Counted(HandFeed):
    """A feed that counts how often it is asked for a price."""

    asked = 0

    def quote(self, ctx, symbol):
        self.asked += 1
        return super().quote(ctx, symbol)


@pytest.fixture
def product(database, clock, settings, owner):
    feed = Counted()
    made = Runtime(database, clock, CountedIds(), settings, ports={Bus: MemoryBus(), Feed: feed})
    made.write(owner, lambda ctx: open_tenant(ctx, "owner"))
    made.write(owner, lambda ctx: portfolio.get_portfolio(ctx, None))
    yield SimpleNamespace(runtime=made, settings=settings, feed=feed, clock=clock)
    made.threads.shutdown(wait=True)


@pytest.fixture
def desk(product, owner):
    return OrderDesk(product.runtime, product.feed, owner)


def stored(product, owner):
    return product.runtime.read(owner, list_risks)


def test_an_account_is_looked_at_after_an_order_and_else_every_five_seconds(product, desk, owner):
    desk.buy("AAPL", quantity="10", protective_stop="180.00")
    desk.work(2)
    poll_risk(product)
    (first,) = stored(product, owner)
    assert first.state == "ok"
    before = product.feed.asked
    product.clock.advance(seconds=1)
    poll_risk(product)
    assert product.feed.asked == before, "nothing happened, and it was looked at just now"
    product.clock.advance(seconds=REST_S)
    poll_risk(product)
    assert product.feed.asked > before
    desk.buy("MSFT", quantity="20")
    poll_risk(product)
    assert stored(product, owner)[0].state == "breach"


def test_an_account_that_holds_nothing_rests_for_a_minute(product, owner):
    poll_risk(product)
    product.runtime.write(owner, lambda ctx: set_unready(ctx, "the record does not verify"))
    for wait_s, state in ((REST_S, "ok"), (QUIET_S, "frozen")):
        product.clock.advance(seconds=wait_s)
        poll_risk(product)
        assert stored(product, owner)[0].state == state


def test_a_figure_that_moves_reaches_the_readers_of_the_risk_without_an_event(product, desk, owner):
    desk.buy("AAPL", quantity="20", protective_stop="180.00")
    desk.work(2)
    poll_risk(product)
    readers = {("risk", owner.user_id)}
    seen = product.runtime.read(owner, lambda ctx: look(ctx, None, live=(), fresh=readers))
    assert b'"state":"ok"' in seen.snapshots[("risk", owner.user_id)]
    place = product.runtime.read(
        owner, lambda ctx: look(ctx, seen.place, live=readers, fresh=())
    ).place
    product.feed.set("AAPL", "195.00", "195.10")
    product.clock.advance(seconds=REST_S)
    poll_risk(product)
    again = product.runtime.read(owner, lambda ctx: look(ctx, place, live=readers, fresh=()))
    ((channel, body),) = again.frames
    assert channel == "risk"
    assert b'"open_risk":"301' in body
    quiet = product.runtime.read(owner, lambda ctx: look(ctx, again.place, live=readers, fresh=()))
    assert quiet.frames == ()


def test_the_settings_are_the_limits_and_change_the_policys_hash():
    assert build_policy(load_settings({})) is DEFAULT_POLICY
    own = build_policy(load_settings({"RISK_DAY_LOSS": "0.02", "RISK_MAX_TRADES_DAY": "25"}))
    assert (own.risk.day_loss, own.risk.max_trades_day) == (Decimal("0.02"), 25)
    assert own.risk.open_risk == DEFAULT_POLICY.risk.open_risk
    assert own.hash != DEFAULT_POLICY.hash
