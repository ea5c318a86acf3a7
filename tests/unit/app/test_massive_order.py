"""A paper order on live prices: proposed, confirmed and filled from the provider's quotes and trades."""

from datetime import timedelta

import pytest

from app.wiring import build
from services.kit.clock import HandClock
from services.kit.errors import Refusal
from tests.fakes.massive_server import Fault, MassiveServer
from tests.fakes.order_desk import OrderDesk
from tests.unit.app.test_build_feed import settings_of
from tests.unit.market.test_massive import KEY, NOW, minutes, snapshot, trade


@pytest.fixture
def server():
    with MassiveServer(page_size=50_000) as running:
        running.list_ticker("AAPL")
        running.snapshots["AAPL"] = snapshot()
        minutes(running, count=30)
        for bar in running.bars["AAPL", "1minute"]:
            bar["v"] = 100_000
        yield running


@pytest.fixture
def clock():
    return HandClock(NOW)


@pytest.fixture
def desk(tmp_path, server, clock, migrated_file):
    (tmp_path / "cornerman.db").write_bytes(migrated_file.read_bytes())
    settings = settings_of(tmp_path, server, server, MASSIVE_API_KEY=KEY)
    product = build(settings, clock=clock)
    yield OrderDesk(product.runtime, None)
    product.close()


def move(server, clock, price, **step):
    now = clock.advance(**step)
    server.snapshots["AAPL"] = snapshot(
        round(price - 0.05, 2), round(price + 0.05, 2), price, at=now
    )
    server.trades.setdefault("AAPL", []).append(trade(now - timedelta(seconds=2), price, 1))
    server.trades["AAPL"][-1]["size"] = 100_000


def test_a_market_order_fills_at_live_prices_with_the_label_in_the_books(desk, server, clock):
    order = desk.buy(quantity="10")
    for _ in range(6):
        move(server, clock, 190.05, seconds=3)
        desk.work()
    filled = desk.order(order)
    assert filled.state == "FILLED"
    assert 190 <= filled.avg_price < 191
    assert desk.held() == 10


def test_a_limit_order_waits_for_a_trade_through_its_price(desk, server, clock):
    order = desk.buy(quantity="10", type="limit", limit_price="189.00", tif="day")
    for price in (190.0, 189.5):
        move(server, clock, price, seconds=5)
        desk.work(2)
    assert desk.order(order).filled_quantity == 0
    for _ in range(3):
        move(server, clock, 188.5, seconds=5)
        desk.work(2)
    assert desk.order(order).state == "FILLED"


def test_an_order_of_stale_or_missing_prices_is_never_proposed(desk, server, clock):
    clock.advance(minutes=5)
    refusal = desk.refused(lambda: desk.propose(quantity="10"))
    assert (refusal.code, "DQ_STALE" in refusal.message) == ("DQ_BLOCK", True)
    server.fault("/v2/snapshot", Fault.HTML_504)
    clock.advance(seconds=10)
    assert isinstance(desk.refused(lambda: desk.propose(quantity="10")), Refusal)


def test_without_trades_in_the_plan_the_order_stays_open_and_nothing_is_invented(
    desk, server, clock
):
    order = desk.buy(quantity="10", type="limit", limit_price="189.00", tif="day")
    desk.work()
    server.fault("/v3/trades", Fault.DENIED_403)
    for _ in range(3):
        move(server, clock, 188.0, seconds=10)
        desk.work()
    assert desk.order(order).filled_quantity == 0
    assert desk.order(order).avg_price is None
