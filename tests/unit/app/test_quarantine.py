"""One defective order: the server starts, says why it does not trade, and the others go on."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from app.quarantine import Quarantine
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders import desk as desks
from services.orders import execute, reconcile
from services.orders.broker import Broker
from services.orders.order import State
from tests.fakes.hand_feed import HandFeed
from tests.fakes.odd_broker import OddBroker
from tests.fakes.order_desk import OrderDesk


class DefectiveBroker(OddBroker):
    """Its adapter stumbles over the orders of one instrument."""

    def __init__(self, *answers: str) -> None:
        super().__init__(*answers)
        self.bad = "AAPL"

    def submit(self, desk, order):
        if order.symbol == self.bad and not self.answers:
            raise KeyError("a field that the broker never sent")
        return super().submit(desk, order)

    def look(self, desk, account_id, client_order_ids):
        for one in client_order_ids:
            if one in self.books and self.books[one].order.symbol == self.bad:
                raise KeyError("a field that the broker never sent")
        return super().look(desk, account_id, client_order_ids)


@pytest.fixture
def broker() -> DefectiveBroker:
    return DefectiveBroker("lost")


@pytest.fixture
def desk(database, clock, settings, broker) -> OrderDesk:
    feed = HandFeed()
    ports = {Bus: MemoryBus(), Feed: feed, Broker: broker}
    return OrderDesk(Runtime(database, clock, CountedIds(), settings, ports=ports), feed)


@pytest.fixture
def quarantine(clock) -> Quarantine:
    return Quarantine(clock.monotonic)


def work(desk, quarantine, rounds=1):
    for _ in range(rounds):
        execute.work_once(desk.runtime, quarantine)


def test_a_defect_holds_back_its_own_order_only(desk, quarantine):
    bad, good = desk.buy("AAPL", quantity="2"), desk.buy("MSFT", quantity="2")
    with capture_logs() as logs:
        work(desk, quarantine, 3)
    assert desk.order(bad).state is State.UNKNOWN
    assert desk.order(good).state is State.WORKING
    held = [line for line in logs if line["event"] == "order.quarantined"]
    assert [(line["order_id"], line["exc_info"]) for line in held] == [(bad, True)]
    later = desk.buy("IBM", quantity="2")
    work(desk, quarantine)
    assert desk.order(later).state is State.WORKING


def test_a_held_order_is_tried_again_after_a_wait_that_doubles(desk, quarantine, broker, clock):
    bad = desk.buy("AAPL")
    waits = []
    with capture_logs() as logs:
        for _ in range(4):
            work(desk, quarantine, 5)
            clock.advance(seconds=4)
        waits = [line["wait_s"] for line in logs if line["event"] == "order.quarantined"]
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert quarantine.held == 1
    broker.bad = ""
    clock.advance(seconds=4)
    work(desk, quarantine)
    assert desk.order(bad).state is State.WORKING
    assert quarantine.held == 0


def test_a_start_with_a_defective_order_is_unready_reads_and_recovers(
    desk, quarantine, broker, clock
):
    bad, good = desk.buy("AAPL", quantity="2"), desk.buy("MSFT", quantity="2")
    broker.answers.append("lost")
    work(desk, quarantine)
    broker.answers.clear()
    report = reconcile.at_boot(desk.runtime, quarantine)
    assert report.unready == {"t_owner": f"order {bad} could not be looked up at the broker"}
    assert desk.order(good).state is State.WORKING, "the other order was looked up"
    refusal = desk.refused(lambda: desk.propose("IBM"))
    assert refusal.facts["guard"] == "execution_ready"
    desk.write(lambda ctx: execute.cancel(ctx, good))
    work(desk, quarantine)
    assert desk.order(good).state is State.CANCELLED, "a cancel always passes"
    broker.bad = ""
    clock.advance(seconds=60)
    work(desk, quarantine)
    assert desk.read(desks.unready_reason) == ""
    assert desk.order(bad).state is State.WORKING
    assert desk.propose("IBM").status == "pending"


def test_a_submit_that_fails_by_a_defect_is_looked_up_and_never_sent_again(
    desk, quarantine, broker, clock
):
    broker.answers.clear()
    bad = desk.buy("AAPL")
    work(desk, quarantine, 3)
    assert desk.order(bad).state is State.SUBMITTING
    broker.bad = ""
    clock.advance(seconds=60)
    work(desk, quarantine, 3)
    assert broker.submits == []
    assert desk.order(bad).state is State.UNKNOWN
