"""Owns the contract of a broker reached over a wire: whatever breaks, one order is one request.

Every case runs on every house of `SENT_ONCE`; its fake breaks answers by the plans of its table.
What holds at a house that knows a repeated order as well is in the swarm and the crashes.
"""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from services import invariant
from services.ledger.portfolio import withdraw
from services.ledger.tables import reservations
from services.orders import execute, reconcile, switch
from services.orders.broker import Accepted, Ambiguous, BrokerStatus, NotSent, Rejected
from services.orders.order import State
from services.orders.order_client import OrderClient, WireLimits
from services.orders.tables import disputed_fills, fills, order_transitions, submit_attempts
from tests.contract.houses import SENT_ONCE, TradierHouse, order_for, port_of
from tests.fakes.tradier_broker import ANSWERS

DEFINITE, UNCLEAR = TradierHouse.plans.definite, TradierHouse.plans.unclear
SILENT = ("lost", "cut")
CARRIED = ("errors", "text_400", "token_401")
DOUBTED = ("empty", "fault_200", "limited_429", "page_502", "redirect", "text_403")
"""Answers that are carried through the whole product; the others are judged at the port."""


@pytest.fixture(params=sorted(SENT_ONCE))
def house(request, database, settings):
    """Yield a house; afterwards every invariant holds, and no order was sent a second time."""
    made = SENT_ONCE[request.param](database, settings)
    yield made
    made.close()
    assert made.desk.read(invariant.check_all) == []
    tags = [form["tag"] for form in made.fake.posts]
    assert len(tags) == len(set(tags)), "an order was posted twice"


@pytest.fixture
def desk(house):
    return house.desk


def later(desk, seconds=60, rounds=1):
    for _ in range(rounds):
        desk.runtime.clock.advance(seconds=seconds)
        desk.feed.advance(seconds=seconds)
        desk.work()


def states(desk):
    return [row.to_state for row in desk.rows(order_transitions, order_transitions.c.number)]


def answered(house, plan):
    house.fake.answers = [plan]
    return house.desk.buy()


# What the answer to a submit means.


@pytest.mark.fault("F040", "F041", "F042")
def test_every_answer_of_the_table_is_judged_and_none_is_asked_twice(house):
    port, number = port_of(house), itertools.count(1)
    for booked in ("", "booked:"):
        for plan in (*DEFINITE, *UNCLEAR):
            house.fake.answers = [f"{booked}{plan}"]
            outcome = house.broker.submit(port, order_for(house, next(number)))
            assert isinstance(outcome, Rejected if plan in DEFINITE else Ambiguous), (plan, outcome)
            assert outcome.reason
    assert len(house.fake.posts) == 2 * len(ANSWERS)
    assert len(house.fake.booked) == len(ANSWERS)


@pytest.mark.parametrize("plan", CARRIED)
@pytest.mark.fault("F040", "F042")
def test_a_no_in_words_ends_the_order_and_frees_its_cash(house, desk, plan):
    order_id = answered(house, plan)
    desk.work(3)
    order = desk.order(order_id)
    assert order.state is State.REJECTED
    assert order.reason
    assert desk.cash().reserved.amount == 0
    assert (len(house.fake.posts), desk.count(submit_attempts)) == (1, 1)


@pytest.mark.parametrize("plan", DOUBTED)
@pytest.mark.fault("F041", "F042")
def test_an_unclear_answer_is_looked_up_and_the_order_is_found(house, desk, plan):
    order_id = answered(house, f"booked:{plan}")
    desk.work()
    assert desk.order(order_id).state is State.UNKNOWN
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    house.meet()
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert len(house.fake.posts) == len(house.fake.booked) == 1


@pytest.mark.parametrize("plan", ["page_502", "limited_429", "lost_before"])
@pytest.mark.fault("F036", "F041")
def test_an_unclear_answer_without_an_order_stays_in_doubt_for_the_whole_window(house, desk, plan):
    order_id = answered(house, plan)
    desk.work(2)
    later(desk, 50, rounds=2)
    assert desk.order(order_id).state is State.UNKNOWN
    later(desk, 60)
    assert desk.order(order_id).state is State.PRESUMED_NOT_ACCEPTED
    assert desk.cash().reserved.amount > 0
    assert (len(house.fake.posts), len(house.fake.booked)) == (1, 0)


@pytest.mark.parametrize("plan", SILENT)
@pytest.mark.fault("F037", "F044")
def test_a_cut_connection_after_the_accept_costs_nothing(house, desk, plan):
    order_id = answered(house, plan)
    desk.work()
    assert desk.order(order_id).state is State.UNKNOWN
    house.meet()
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert len(house.fake.posts) == 1


@pytest.mark.fault("F044")
def test_a_broker_that_says_nothing_in_time_leaves_the_order_in_doubt(request, database, settings):
    for build in SENT_ONCE.values():
        house = build(database, settings, limits=WireLimits(connect_s=10, read_s=1.0))
        house.fake.answers, house.fake.silence_s = ["silent"], 6.0
        outcome = house.broker.submit(port_of(house), order_for(house))
        assert outcome == Ambiguous("ReadTimeout")
        assert len(house.fake.posts) == 1
        house.close()


@pytest.mark.fault("F043")
def test_nobody_listening_proves_that_nothing_left(house, desk):
    house.broker._wire = OrderClient("http://127.0.0.1:9", {}, desk.runtime.clock)
    outcome = house.broker.submit(port_of(house), order_for(house))
    assert outcome == NotSent("ConnectError")
    order_id = desk.buy()
    desk.work(3)
    order = desk.order(order_id)
    assert (order.state, order.reason) == (State.EXPIRED, "never sent: ConnectError")
    assert (desk.count(submit_attempts), house.fake.posts) == (2, [])
    assert desk.cash().reserved.amount == 0


@pytest.mark.fault("F043")
def test_what_did_not_leave_is_sent_when_the_line_is_back(house, desk):
    line, house.broker._wire = (
        house.broker._wire,
        OrderClient("http://127.0.0.1:9", {}, desk.runtime.clock),
    )
    order_id = desk.buy()
    desk.work()
    assert desk.order(order_id).state is State.QUEUED
    house.broker._wire = line
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    assert len(house.fake.posts) == 1


@pytest.mark.fault("F038")
def test_an_order_that_arrives_minutes_later_is_adopted_and_freezes_the_desk(house, desk):
    order_id = answered(house, "late")
    desk.work(2)
    later(desk, 60, rounds=3)
    assert desk.order(order_id).state is State.PRESUMED_NOT_ACCEPTED
    house.fake.arrive()
    house.meet()
    later(desk, 60)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert desk.read(switch.state).state == "HALTED"


def thought_lost(house, desk, *args, **rest):
    """Return an order whose hold was given back at the end of its session."""
    house.fake.answers = ["late"]
    order_id = desk.buy(*args, **rest)
    desk.work(2)
    later(desk, 60, rounds=3)
    assert desk.order(order_id).state is State.PRESUMED_NOT_ACCEPTED
    desk.feed.advance(hours=7)
    later(desk, 60)
    return order_id


@pytest.mark.fault("F038")
def test_a_sale_that_comes_back_to_life_holds_its_units_again(house, desk):
    desk.buy()
    desk.work()
    house.meet()
    desk.work()
    order_id = thought_lost(house, desk, "AAPL", "sell", "10")
    house.fake.arrive()
    later(desk, 60)
    assert desk.order(order_id).state is State.WORKING
    assert [row.quantity for row in desk.rows(reservations, reservations.c.order_id)] == [10]
    house.fake.fill("10", "190.00", house.fake.of(house.fake.posts[1]["tag"]))
    later(desk, 60)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, 0)


@pytest.mark.fault("F038")
def test_what_is_no_longer_free_can_not_be_held_again_and_that_is_on_record(house, desk):
    order_id = thought_lost(house, desk)
    free = desk.cash().available.amount
    desk.write(lambda ctx: withdraw(ctx, desk.portfolio_id, free - 5, key="out"))
    house.fake.arrive()
    later(desk, 60)
    assert [one["facts"]["code"] for one in desk.audited("order.not_held")] == ["INSUFFICIENT_CASH"]
    house.meet()
    later(desk, 60)
    assert (desk.order(order_id).state, desk.held()) == (State.DISPUTED, 0)
    assert desk.read(switch.state).state == "HALTED"


@pytest.mark.fault("F039")
def test_a_listing_that_lags_is_no_absence(house, desk):
    house.fake.lag = 3
    order_id = answered(house, "lost")
    desk.work(2)
    later(desk, 10, rounds=4)
    assert desk.order(order_id).state is State.WORKING


@pytest.mark.parametrize("others", [24, 25, 26, 60])
@pytest.mark.fault("F039")
def test_an_order_is_found_on_the_last_page(house, desk, others):
    for _ in range(others):
        house.fake.place_by_hand()
    order_id = answered(house, "lost")
    desk.work(2)
    assert desk.order(order_id).state is State.WORKING


@pytest.mark.fault("F039")
def test_a_page_that_fails_makes_the_whole_scan_no_answer(house, desk):
    for _ in range(60):
        house.fake.place_by_hand()
    order_id = answered(house, "lost_before")
    desk.work()
    for _ in range(6):
        house.fake.list_answers = ["", "page_502"]
        later(desk, 60)
        assert desk.order(order_id).state is State.UNKNOWN
    later(desk, 60, rounds=4)
    assert desk.order(order_id).state is State.PRESUMED_NOT_ACCEPTED


@pytest.mark.parametrize("plan", ["page_502", "half_json", "text_403", "limited_429", "cut"])
def test_a_listing_that_can_not_be_read_says_nothing(house, desk, plan):
    order_id = desk.buy()
    desk.work()
    house.fake.list_answers = [plan] * 3
    desk.work(2)
    assert desk.order(order_id).state is State.WORKING


def test_an_order_of_yesterday_in_doubt_is_found_in_the_month_read_once(house, desk):
    house.fake.lag = 10_000
    order_id = answered(house, "lost")
    desk.work()
    later(desk, 3600 * 20)
    assert desk.order(order_id).state is not State.WORKING
    months = [path for path in house.fake.reads if "filter=all" in path]
    assert len(months) == 1
    later(desk, 60, rounds=2)
    assert len([path for path in house.fake.reads if "filter=all" in path]) == 1
    house.fake.only["status"] = "open"
    next(iter(house.fake.booked.values())).hidden = 0
    later(desk, 3600 * 24)
    assert desk.order(order_id).state is State.WORKING


def test_a_good_till_cancelled_order_is_asked_for_by_its_number_the_next_day(house, desk):
    order_id = desk.buy(type="limit", limit_price="189.00", tif="gtc")
    desk.work()
    later(desk, 3600 * 24)
    assert desk.order(order_id).state is State.WORKING
    house.trades("188.00", "10")
    later(desk, 1)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))
    assert not any("filter=all" in path for path in house.fake.reads)


def test_a_reject_that_comes_after_the_accept_frees_the_cash(house, desk):
    order_id = desk.buy()
    desk.work()
    house.fake.end("rejected", reason="DayTradingBuyingPowerExceeded")
    desk.work()
    order = desk.order(order_id)
    assert (order.state, order.reason) == (State.REJECTED, "DayTradingBuyingPowerExceeded")
    assert desk.cash().reserved.amount == 0


@pytest.mark.fault("F052")
def test_a_start_without_the_broker_sends_nothing_until_it_answers(house, desk):
    order_id = answered(house, "lost")
    desk.work()
    house.fake.down = True
    assert list(reconcile.at_boot(desk.runtime).unready) == ["t_owner"]
    assert desk.refused(lambda: desk.propose("MSFT")).facts["guard"] == "execution_ready"
    house.fake.down = False
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    assert desk.propose("MSFT").status == "pending"


# Fills of a broker that only counts them.


@pytest.mark.parametrize("parts", sorted(set(itertools.permutations(("1", "4", "5")))))
@pytest.mark.fault("F047")
def test_counts_in_any_steps_end_the_same(house, desk, parts):
    order_id = desk.buy()
    desk.work()
    for part in parts:
        house.fake.fill(part, f"190.0{part}")
        desk.work()
    order = desk.order(order_id)
    assert (order.state, order.avg_price) == (State.FILLED, Decimal("190.042"))
    assert desk.count(fills) == 3


@pytest.mark.fault("F046", "F047")
def test_two_answers_read_at_different_times_and_settled_the_other_way_round(house, desk):
    order_id = desk.buy()
    desk.work()
    port, name = port_of(house), house.fake.posts[0]["tag"]
    house.fake.fill("4", "190.00")
    (older,) = house.broker.look(port, house.account_id, [name])
    house.fake.fill("3", "190.10")
    (newer,) = house.broker.look(port, house.account_id, [name])
    from services.orders.settle import settle

    for view in (newer, older, newer, older):
        settle(port, order_id, view)
    assert (desk.held(), desk.count(fills), desk.count(disputed_fills)) == (Decimal(7), 1, 0)


@pytest.mark.fault("F046")
def test_more_than_was_ordered_is_disputed_once_and_freezes(house, desk):
    order_id = desk.buy()
    desk.work()
    house.fake.fill("6", "190.00")
    desk.work()
    house.fake.fill("6", "190.00")
    desk.work(3)
    assert (desk.order(order_id).state, desk.held()) == (State.DISPUTED, Decimal(6))
    assert desk.count(disputed_fills) == 1
    assert desk.read(switch.state).state == "HALTED"


def test_a_count_that_the_book_can_not_pay_is_disputed(house, desk):
    order_id = desk.buy()
    desk.work()
    house.fake.fill("10", "90000000")
    desk.work(2)
    assert (desk.order(order_id).state, desk.held()) == (State.DISPUTED, 0)
    assert desk.count(disputed_fills) == 1


def test_filled_without_its_count_waits_for_the_count(house, desk):
    order_id = desk.buy()
    desk.work()
    house.fake.only["status"] = "filled"
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    house.fake.fill("10", "190.00")
    desk.work()
    assert desk.order(order_id).state is State.FILLED


# Cancels.


@pytest.mark.parametrize("plan", ["lost", "lost_before", "page_502", "account_401", "empty"])
def test_a_cancel_in_doubt_is_resolved_by_looking(house, desk, plan):
    order_id = desk.buy()
    desk.work()
    house.fake.cancel_answers = [plan]
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    later(desk, 5, rounds=3)
    assert "CANCEL_UNKNOWN" in states(desk)
    assert desk.order(order_id).state is State.CANCELLED


def test_a_cancel_that_the_broker_refuses_leaves_the_order_working(house, desk):
    order_id = desk.buy()
    desk.work()
    house.fake.cancel_answers = ["text_400"]
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    order = desk.order(order_id)
    assert order.state is State.WORKING
    assert order.reason.startswith("not cancelled: Invalid parameter")


@pytest.mark.fault("F047")
def test_a_fill_that_beats_the_cancel_wins(house, desk):
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    house.meet()
    desk.work(2)
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))


@pytest.mark.fault("F047")
def test_a_fill_reported_after_the_cancel_is_posted(house, desk):
    order_id = desk.buy()
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    house.fake.fill("3", "190.00")
    later(desk, 30)
    order = desk.order(order_id)
    assert (order.state, order.filled_quantity, desk.held()) == (State.CANCELLED, 3, Decimal(3))


def test_a_cancel_wanted_while_in_doubt_is_carried_out_once_the_order_is_known(house, desk):
    house.fake.lag = 1
    order_id = answered(house, "lost")
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    later(desk, 10, rounds=3)
    assert desk.order(order_id).state is State.CANCELLED


# The wire.


@pytest.mark.fault("F045")
def test_every_request_opens_its_own_connection_and_a_submit_is_one_of_them(house, desk):
    desk.buy()
    desk.work(3)
    asked = len(house.fake.posts) + len(house.fake.reads) + len(house.fake.changes)
    assert house.fake.connections == asked
    assert len(house.fake.posts) == 1


def test_two_orders_at_once_are_two_requests(house):
    port = port_of(house)
    outcomes = [house.broker.submit(port, order_for(house, number)) for number in (1, 2)]
    assert all(isinstance(one, Accepted) for one in outcomes)
    assert [form["tag"] for form in house.fake.posts] == ["cm-1", "cm-2"]
    views = house.broker.look(port, house.account_id, ["cm-1", "cm-2"])
    assert [view.status for view in views] == [BrokerStatus.OPEN] * 2
    for number in (1, 2):
        house.broker.cancel(port, house.account_id, f"cm-{number}")
    assert isinstance(house.broker.cancel(port, house.account_id, "cm-1"), Rejected)
