"""Owns the proof that the gate and the executor hold on both engines, with several workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.errors import Refusal
from services.kit.failpoint import FailpointHit, arm
from services.kit.ids import CountedIds, RandomIds
from services.kit.work import Runtime
from services.ledger import rebuild
from services.market.feed import Feed
from services.orders import execute, reconcile
from services.orders.broker import Broker
from services.orders.order import State
from services.orders.paper_tables import paper_orders
from services.orders.tables import fills, order_intents
from tests.conftest import NOW
from tests.fakes.hand_feed import HandFeed
from tests.fakes.odd_broker import OddBroker
from tests.fakes.order_desk import OrderDesk

POINTS = (
    "execute.before_attempt_commit",
    "execute.after_attempt",
    "paper.before_accept",
    "paper.after_accept",
    "execute.after_submit",
    "settle.after_post",
    "settle.before_commit",
    "ledger.after_entries",
    "execute.after_outcome",
)


@pytest.fixture
def desk(database_url, settings):
    yield from _desk_on(database_url, settings)


@pytest.fixture
def small_desk(sqlite_url, settings):
    yield from _desk_on(sqlite_url, settings)


def _desk_on(url, settings):
    clock = HandClock(NOW)
    runtime = Runtime(
        Database(url),
        clock,
        RandomIds(clock),
        settings,
        ports={Bus: MemoryBus(), Feed: (feed := HandFeed())},
    )
    yield OrderDesk(runtime, feed)
    arm("")
    runtime.close()


def whole(desk, order_id):
    """The books agree: one broker order, every fill posted, nothing held back, no difference."""
    order = desk.order(order_id)
    assert (order.state, order.filled_quantity, desk.held()) == (State.FILLED, 10, 10)
    assert desk.count(paper_orders) == desk.count(fills) == desk.count(order_intents) == 1
    assert desk.cash().reserved.amount == 0
    assert desk.read(rebuild.check) == []


@pytest.mark.fault("F061")
def test_many_confirms_at_once_make_one_order(desk):
    card = desk.propose()
    challenge = desk.issue(card.id)

    def press(_: int) -> str:
        try:
            return desk.confirm(card.id, challenge)["status"]
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(12) as pool:
        answers = sorted(pool.map(press, range(24)))
    assert answers == ["TOKEN_USED"] * 23 + ["confirmed"]
    desk.work()
    whole(desk, desk.rows(order_intents)[0].id)


@pytest.mark.fault("F076")
def test_many_workers_at_once_send_an_order_once(desk):
    order_id = desk.buy()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: execute.work_once(desk.runtime), range(8)))
    desk.work()
    whole(desk, order_id)


def test_many_workers_at_once_send_once_to_a_broker_that_does_not_dedupe(database_url, settings):
    clock, feed, broker = HandClock(NOW), HandFeed(), OddBroker()
    runtime = Runtime(
        Database(database_url),
        clock,
        CountedIds(),
        settings,
        ports={Bus: MemoryBus(), Feed: feed, Broker: broker},
    )
    desk = OrderDesk(runtime, feed)
    desk.buy()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: execute.work_once(runtime), range(8)))
    assert len(broker.submits) == 1
    runtime.close()


@pytest.mark.parametrize("point", ["confirm.before_commit", "confirm.after_commit"])
def test_a_failure_around_the_confirm_loses_and_doubles_nothing(desk, point):
    card = desk.propose()
    challenge = desk.issue(card.id)
    arm(f"{point}:raise")
    with pytest.raises(FailpointHit):
        desk.confirm(card.id, challenge, key="k" * 20)
    assert desk.confirm(card.id, challenge, key="k" * 20)["status"] == "confirmed"
    desk.work()
    whole(desk, desk.rows(order_intents)[0].id)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.fault("F067")
def test_a_failure_at_any_arrow_loses_and_doubles_nothing(small_desk, point):
    desk = small_desk
    order_id = desk.buy()
    arm(f"{point}:raise")
    with pytest.raises(FailpointHit):
        desk.work()
    reconcile.at_boot(desk.runtime)
    desk.work(2)
    whole(desk, order_id)


def test_a_worker_that_paused_before_sending_gives_the_order_back(small_desk):
    desk = small_desk
    order_id = desk.buy()
    clock = desk.runtime.clock
    real = clock.monotonic
    ticks = iter([0.0, 10.0])
    clock.monotonic = lambda: next(ticks, 20.0)
    desk.work()
    clock.monotonic = real
    assert desk.order(order_id).state is State.QUEUED
    assert desk.count(paper_orders) == 0
    desk.work()
    whole(desk, order_id)
