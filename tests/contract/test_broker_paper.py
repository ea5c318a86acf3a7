"""Owns the contract that a broker adapter keeps, run against the paper broker on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders.broker import Accepted, BrokerStatus, BrokerUnreachable, Desk, Rejected
from services.orders.order import OrderType, Side, Tif
from services.orders.paper import PaperBroker
from tests.conftest import NOW
from tests.fakes.hand_feed import HandFeed
from tests.unit.orders.test_order import ORDER

MARKET = replace(ORDER, type=OrderType.MARKET, limit_price=None, worst_price=Decimal("192.01"))


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def at(database_url, settings, feed):
    database = Database(database_url)
    runtime = Runtime(
        database, HandClock(NOW), CountedIds(), settings, ports={Bus: MemoryBus(), Feed: feed}
    )
    yield Desk(runtime, "t_owner")
    runtime.close()


@pytest.fixture
def broker():
    return PaperBroker()


def look(broker, at, order=ORDER):
    (view,) = broker.look(at, order.account_id, [order.client_order_id])
    return view


def test_a_market_order_takes_the_far_side_and_slips(broker, at):
    assert isinstance(broker.submit(at, MARKET), Accepted)
    view = look(broker, at)
    assert view.status is BrokerStatus.FILLED
    (made,) = view.fills
    assert (made.quantity, made.price, made.commission) == (
        Decimal(10),
        Decimal("190.14"),
        Decimal("1.00"),
    )
    assert made.provenance == "SIMULATED"


def test_the_same_client_id_again_is_the_first_order(broker, at):
    first = broker.submit(at, MARKET)
    assert broker.submit(at, replace(MARKET, quantity=Decimal(99))) == first
    assert sum(made.quantity for made in look(broker, at).fills) == 10


def test_a_sale_takes_the_bid(broker, at):
    broker.submit(at, replace(MARKET, side=Side.SELL, worst_price=Decimal("190.00")))
    assert look(broker, at).fills[0].price == Decimal("189.96")


def test_a_limit_beyond_the_market_fills_at_the_far_side_unslipped(broker, at):
    broker.submit(at, replace(ORDER, limit_price=Decimal("191.00"), worst_price=Decimal(191)))
    assert look(broker, at).fills[0].price == Decimal("190.10")


def test_a_limit_at_the_market_waits(broker, at):
    broker.submit(at, ORDER)
    assert look(broker, at).fills == ()


def test_looking_twice_gives_the_same_executions(broker, at, feed):
    feed.minute_volume = Decimal(50)
    broker.submit(at, MARKET)
    for price in ("190.05", "190.06", "190.20"):
        feed.trade("AAPL", price, size="20")
        assert look(broker, at) == look(broker, at)
    made = look(broker, at).fills
    assert [fill.exec_id for fill in made] == sorted({fill.exec_id for fill in made})
    assert sum(fill.quantity for fill in made) == 10


def test_a_buy_never_pays_more_than_its_worst_price(broker, at, feed):
    feed.minute_volume = Decimal(50)
    broker.submit(at, MARKET)
    feed.trade("AAPL", "195.00", size="100000")
    assert sum(made.quantity for made in look(broker, at).fills) == 5
    feed.trade("AAPL", "191.00", size="100000")
    assert look(broker, at).status is BrokerStatus.FILLED


@pytest.mark.fault("F033")
def test_nothing_is_accepted_for_a_closed_market(broker, at, feed):
    feed.advance(hours=7)
    outcome = broker.submit(at, MARKET)
    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith("MARKET_CLOSED")


def test_a_good_till_cancelled_limit_waits_for_the_open(broker, at, feed):
    feed.advance(hours=7)
    order = replace(ORDER, tif=Tif.GTC, limit_price=Decimal("189.00"), worst_price=Decimal(189))
    assert isinstance(broker.submit(at, order), Accepted)
    feed.advance(hours=17)
    feed.trade("AAPL", "188.00")
    assert look(broker, at).fills[0].price == Decimal("189.00")


def test_a_day_order_expires_at_the_close_with_its_executions_kept(broker, at, feed):
    feed.minute_volume = Decimal(50)
    broker.submit(at, MARKET)
    feed.advance(hours=6, minutes=1)
    view = look(broker, at)
    assert view.status is BrokerStatus.EXPIRED
    assert sum(made.quantity for made in view.fills) == 5


def test_a_cancel_counts_what_had_traded_before_it(broker, at, feed):
    order = replace(ORDER, limit_price=Decimal("189.00"), worst_price=Decimal(189))
    broker.submit(at, order)
    feed.trade("AAPL", "188.00", size="1000000")
    assert isinstance(broker.cancel(at, order.account_id, order.client_order_id), Rejected)
    assert look(broker, at).status is BrokerStatus.FILLED


def test_a_cancel_ends_a_waiting_order_and_repeats_harmlessly(broker, at):
    broker.submit(at, ORDER)
    assert isinstance(broker.cancel(at, ORDER.account_id, ORDER.client_order_id), Accepted)
    assert isinstance(broker.cancel(at, ORDER.account_id, ORDER.client_order_id), Rejected)
    assert look(broker, at).status is BrokerStatus.CANCELLED


def test_an_unknown_order_is_absent(broker, at):
    assert broker.look(at, "acc_1", ["cm-none"]) == []
    assert isinstance(broker.cancel(at, "acc_1", "cm-none"), Rejected)


def test_a_look_without_a_market_is_no_answer(broker, at, feed):
    broker.submit(at, ORDER)
    feed.broken = True
    with pytest.raises(BrokerUnreachable):
        look(broker, at)


def test_latency_keeps_an_order_from_prints_before_it_is_live(database_url, settings, feed, broker):
    from services.kit.policy import PaperPolicy, Policy

    runtime = Runtime(
        Database(database_url),
        HandClock(NOW),
        CountedIds(),
        settings,
        Policy(paper=PaperPolicy(latency_ms=5000)),
        ports={Bus: MemoryBus(), Feed: feed},
    )
    desk = Desk(runtime, "t_owner")
    broker.submit(desk, MARKET)
    assert look(broker, desk).fills == ()
    feed.trade("AAPL", "190.05")
    assert look(broker, desk).fills == ()
    feed.advance(seconds=5)
    feed.trade("AAPL", "190.05")
    assert look(broker, desk).fills[0].at - NOW > timedelta(seconds=5)
    runtime.close()


def test_when_the_replay_begins_again_a_day_order_ends(broker, at, feed):
    broker.submit(at, ORDER)
    feed.advance(days=-30)
    assert look(broker, at).status is BrokerStatus.EXPIRED
