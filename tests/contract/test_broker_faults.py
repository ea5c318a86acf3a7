"""Owns the proof that an odd broker costs no order, no double order and no double posting."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders import execute, reconcile, switch
from services.orders.broker import Broker, BrokerStatus
from services.orders.order import State
from services.orders.tables import disputed_fills, fills, order_transitions, submit_attempts
from tests.fakes.hand_feed import HandFeed
from tests.fakes.odd_broker import OddBroker
from tests.fakes.order_desk import OrderDesk


@pytest.fixture
def start(database, clock, settings):
    def build(*answers: str, dedupes: bool = False) -> tuple[OrderDesk, OddBroker]:
        feed, broker = HandFeed(), OddBroker(*answers, dedupes=dedupes)
        runtime = Runtime(
            database,
            clock,
            CountedIds(),
            settings,
            ports={Bus: MemoryBus(), Feed: feed, Broker: broker},
        )
        return OrderDesk(runtime, feed), broker

    return build


def _later(desk, clock, seconds=60, rounds=1):
    for _ in range(rounds):
        clock.advance(seconds=seconds)
        desk.feed.advance(seconds=seconds)
        desk.work()


@pytest.mark.fault("F037")
def test_an_answer_lost_after_the_accept_is_adopted(start):
    desk, broker = start("lost")
    order_id = desk.buy()
    desk.work()
    assert desk.order(order_id).state is State.UNKNOWN
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    broker.fill("10")
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert len(broker.submits) == 1


@pytest.mark.fault("F036")
def test_a_request_that_was_lost_is_presumed_dead_only_after_the_whole_window(start, clock):
    desk, broker = start("lost_before")
    order_id = desk.buy()
    desk.work(2)
    _later(desk, clock, 50, rounds=2)
    assert desk.order(order_id).state is State.UNKNOWN
    _later(desk, clock, 60)
    assert desk.order(order_id).state is State.PRESUMED_NOT_ACCEPTED
    assert len(broker.submits) == 1
    assert desk.cash().reserved.amount > 0
    desk.feed.advance(hours=7)
    _later(desk, clock, 60)
    assert desk.cash().reserved.amount == 0


@pytest.mark.fault("F038")
def test_an_order_thought_dead_that_lives_is_adopted_and_freezes_the_desk(start, clock):
    desk, broker = start("late")
    order_id = desk.buy()
    desk.work(2)
    _later(desk, clock, 60, rounds=3)
    assert desk.order(order_id).state is State.PRESUMED_NOT_ACCEPTED
    broker.arrive()
    broker.fill("10")
    _later(desk, clock, 60)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert desk.read(switch.state).state == "HALTED"
    assert len(broker.submits) == 1


@pytest.mark.fault("F039")
def test_a_listing_that_lags_is_not_an_absence(start, clock):
    desk, broker = start("lost")
    broker.lag = 2
    order_id = desk.buy()
    desk.work(2)
    _later(desk, clock, 30, rounds=3)
    assert desk.order(order_id).state is State.WORKING
    assert len(broker.submits) == 1


def test_a_broker_that_dedupes_is_sent_the_same_id_again(start, clock):
    desk, broker = start("lost_before", dedupes=True)
    order_id = desk.buy()
    desk.work(2)
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    assert len(broker.submits) == 2
    assert len(set(broker.submits)) == len(broker.books) == 1


def test_a_broker_that_dedupes_and_stays_silent_is_asked_ever_more_rarely(start, clock):
    desk, broker = start(*["lost_before"] * 40, dedupes=True)
    desk.buy()
    _later(desk, clock, 1, rounds=20)
    assert 3 <= len(broker.submits) <= 6
    assert len(set(broker.submits)) == 1


@pytest.mark.fault("F040")
def test_a_rejected_order_frees_its_cash_and_says_why(start):
    desk, _ = start("reject")
    order_id = desk.buy()
    desk.work()
    order = desk.order(order_id)
    assert (order.state, order.reason) == (State.REJECTED, "too exotic")
    assert desk.cash().reserved.amount == 0


@pytest.mark.fault("F043")
def test_what_provably_did_not_leave_is_sent_once_more(start):
    desk, broker = start("not_sent", "accept")
    order_id = desk.buy()
    desk.work(2)
    assert desk.order(order_id).state is State.WORKING
    assert len(broker.submits) == desk.count(submit_attempts) == 2


def test_what_never_leaves_twice_expires_and_frees_its_cash(start):
    desk, broker = start("not_sent", "not_sent")
    order_id = desk.buy()
    desk.work(3)
    assert desk.order(order_id).state is State.EXPIRED
    assert desk.cash().reserved.amount == 0
    assert len(broker.submits) == 2


def test_an_order_that_waited_past_its_confirmation_is_never_sent(start, clock):
    desk, broker = start()
    order_id = desk.buy()
    _later(desk, clock, 601)
    assert desk.order(order_id).state is State.EXPIRED
    assert broker.submits == []


@pytest.mark.fault("F053")
def test_a_halt_before_the_claim_keeps_the_order_here(start):
    desk, broker = start()
    order_id = desk.buy()
    desk.write(lambda ctx: switch.halt(ctx, "stop"))
    desk.work()
    assert desk.order(order_id).state is State.DENIED
    assert broker.submits == []
    assert desk.cash().reserved.amount == 0


@pytest.mark.fault("F053")
def test_a_halt_can_cancel_everything_that_works(start):
    desk, _ = start()
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: switch.halt(ctx, "stop", cancel_working=True))
    desk.work()
    assert desk.order(order_id).state is State.CANCELLED


@pytest.mark.fault("F046")
def test_the_same_execution_again_posts_nothing(start):
    desk, broker = start()
    desk.buy()
    desk.work()
    broker.fill("4", exec_id="same")
    desk.work(3)
    assert (desk.held(), desk.count(fills)) == (Decimal(4), 1)


@pytest.mark.fault("F046")
def test_more_than_was_ordered_is_disputed_not_posted_and_freezes(start):
    desk, broker = start()
    order_id = desk.buy()
    desk.work()
    broker.fill("6")
    broker.fill("6")
    desk.work(2)
    assert (desk.order(order_id).state, desk.held()) == (State.DISPUTED, Decimal(6))
    assert desk.count(disputed_fills) == 1
    assert desk.read(switch.state).state == "HALTED"


def test_an_execution_after_the_order_was_full_is_disputed(start):
    desk, broker = start()
    order_id = desk.buy()
    desk.work()
    broker.fill("10")
    broker.fill("1")
    desk.work(2)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert desk.count(disputed_fills) == 1


def test_a_fill_that_the_book_can_not_pay_is_disputed_and_the_others_stand(start):
    desk, broker = start()
    order_id = desk.buy()
    desk.work()
    broker.fill("4")
    broker.fill("6", price="90000000")
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.DISPUTED, Decimal(4))
    assert desk.read(switch.state).state == "HALTED"


@pytest.mark.parametrize("parts", sorted(set(itertools.permutations(("1", "4", "5")))))
@pytest.mark.fault("F047")
def test_executions_in_any_order_end_the_same(start, parts):
    desk, broker = start()
    order_id = desk.buy()
    desk.work()
    for part in parts:
        broker.fill(part, price=f"190.0{part}", exec_id=f"e{part}")
        desk.work()
    order = desk.order(order_id)
    assert (order.state, order.avg_price) == (State.FILLED, Decimal("190.042"))


@pytest.mark.fault("F047")
def test_an_execution_that_comes_after_the_cancel_is_posted(start):
    desk, broker = start()
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    broker.fill("3")
    broker.end(BrokerStatus.CANCELLED)
    desk.work()
    order = desk.order(order_id)
    assert (order.state, order.filled_quantity) == (State.CANCELLED, Decimal(3))
    assert desk.held() == 3


@pytest.mark.parametrize("answer", ["lost", "lost_before"])
def test_a_cancel_in_doubt_is_resolved_by_looking(start, clock, answer):
    desk, broker = start()
    broker.cancel_answers = [answer]
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    _later(desk, clock, 5, rounds=2)
    states = [row.to_state for row in desk.rows(order_transitions, order_transitions.c.number)]
    assert "CANCEL_UNKNOWN" in states
    assert desk.order(order_id).state is State.CANCELLED


def test_a_cancel_that_the_broker_refuses_leaves_the_order_working(start):
    desk, broker = start()
    broker.cancel_answers = ["refuse"]
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(2)
    order = desk.order(order_id)
    assert (order.state, order.reason) == (State.WORKING, "not cancelled: not now")


def test_a_cancel_wanted_while_in_doubt_is_carried_out_once_the_order_is_known(start, clock):
    desk, broker = start("lost")
    broker.lag = 1
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    _later(desk, clock, 10, rounds=3)
    assert desk.order(order_id).state is State.CANCELLED


def test_another_order_on_a_symbol_in_doubt_is_refused(start):
    desk, _ = start("lost_before")
    desk.buy()
    desk.work()
    assert desk.refused(lambda: desk.propose("AAPL", "buy", "5")).code == "ORDER_IN_DOUBT"
    assert desk.propose("MSFT").status == "pending"


@pytest.mark.fault("F052")
def test_a_start_without_the_broker_reads_but_does_not_trade(start):
    desk, broker = start("lost")
    order_id = desk.buy()
    desk.work()
    broker.down = True
    report = reconcile.at_boot(desk.runtime)
    assert list(report.unready) == ["t_owner"]
    assert desk.order(order_id).state is State.UNKNOWN
    refusal = desk.refused(lambda: desk.propose("MSFT"))
    assert refusal.facts["guard"] == "execution_ready"
    broker.down = False
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    assert desk.propose("MSFT").status == "pending"


def test_an_outage_during_polling_changes_nothing(start):
    desk, broker = start()
    order_id = desk.buy()
    desk.work()
    broker.down = True
    desk.work(3)
    assert desk.order(order_id).state is State.WORKING
