"""Orders that were sent once, at a broker that dedupes, and what then ends or fills them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders import execute, switch
from services.orders.broker import Broker, BrokerStatus
from services.orders.tables import order_intents
from tests.fakes.odd_broker import OddBroker
from tests.fakes.order_desk import OrderDesk


@pytest.fixture
def broker() -> OddBroker:
    return OddBroker(dedupes=True)


@pytest.fixture
def desk(database, clock, settings, feed, broker) -> OrderDesk:
    ports = {Bus: MemoryBus(), Feed: feed, Broker: broker}
    return OrderDesk(Runtime(database, clock, CountedIds(), settings, ports=ports), feed)


def sent_and_waiting(desk, broker, *answers) -> str:
    """An order whose first request is on its way, and which waits to be sent again."""
    broker.answers = ["late", *answers]
    order_id = desk.buy()
    desk.work(2)
    assert desk.order(order_id).state == "QUEUED"
    return order_id


def found(desk, broker, order_id, clock) -> str:
    """How the order stands once its first request has arrived and was looked up."""
    broker.arrive()
    for _ in range(3):
        clock.advance(seconds=40)
        desk.feed.advance(seconds=40)
        desk.work()
    return desk.order(order_id).state


def test_a_cancel_of_an_order_that_may_have_arrived_finds_it_first(desk, broker, clock):
    order_id = sent_and_waiting(desk, broker)
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    assert desk.order(order_id).state == "UNKNOWN"
    assert found(desk, broker, order_id, clock) == "CANCELLED"
    (book,) = broker.books.values()
    assert book.status is BrokerStatus.CANCELLED
    assert len(broker.submits) == 1


def test_a_denied_order_that_may_have_arrived_is_looked_up_and_never_sent_again(
    desk, broker, clock
):
    order_id = sent_and_waiting(desk, broker)
    desk.write(lambda ctx: switch.halt(ctx, "stop"))
    desk.work()
    assert desk.order(order_id).state == "UNKNOWN"
    assert "an earlier attempt may have arrived" in desk.order(order_id).reason
    assert found(desk, broker, order_id, clock) == "WORKING"
    assert len(broker.submits) == 1


def test_a_confirmation_that_runs_out_does_not_lose_an_order_that_arrived(desk, broker, clock):
    order_id = sent_and_waiting(desk, broker)
    clock.advance(minutes=11)
    desk.work()
    assert desk.order(order_id).state == "UNKNOWN"
    assert found(desk, broker, order_id, clock) == "WORKING"


@pytest.mark.parametrize("second", ["not_sent", "reject"])
def test_the_answer_to_a_second_attempt_says_nothing_about_the_first(desk, broker, clock, second):
    order_id = sent_and_waiting(desk, broker, second)
    desk.work()
    assert desk.order(order_id).state == "UNKNOWN"
    assert found(desk, broker, order_id, clock) == "WORKING"


def test_one_that_never_arrived_is_presumed_lost_after_the_whole_window(desk, broker, clock):
    order_id = sent_and_waiting(desk, broker, "not_sent")
    for _ in range(6):
        clock.advance(seconds=40)
        desk.feed.advance(seconds=40)
        desk.work()
    assert desk.order(order_id).state == "PRESUMED_NOT_ACCEPTED"


def test_a_fill_that_came_late_is_found_however_long_the_broker_was_away(desk, broker, clock):
    order_id = desk.buy()
    desk.work()
    broker.end(BrokerStatus.CANCELLED)
    desk.work()
    assert desk.order(order_id).state == "CANCELLED"
    broker.fill("4")
    broker.down = True
    clock.advance(minutes=30)
    desk.work()
    assert desk.order(order_id).filled_quantity == 0
    broker.down = False
    desk.work()
    assert desk.order(order_id).filled_quantity == Decimal(4)


def test_an_ended_order_is_asked_about_until_two_looks_after_its_watch(desk, broker, clock):
    desk.buy()
    desk.work()
    broker.end(BrokerStatus.EXPIRED)
    desk.work()

    def watched() -> list:
        return [row.watch_until for row in desk.rows(order_intents, order_intents.c.id)]

    assert watched() == [clock.now() + timedelta(seconds=120)]
    clock.advance(seconds=119)
    desk.work()
    assert watched() != [None]
    for seconds in (1, 9):
        clock.advance(seconds=seconds)
        desk.work()
        assert watched() != [None]
    clock.advance(seconds=1)
    desk.work()
    assert watched() == [None]
