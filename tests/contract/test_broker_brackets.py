"""Owns brackets from card to flat at every broker that takes groups, through the real desk."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services import invariant
from services.kit.outbox import outbox_rows
from services.orders import execute, reconcile
from services.orders.bracket import exit_client_id
from services.orders.order import State
from services.orders.store import find_exit_of
from services.orders.tables import order_intents, submit_attempts
from tests.contract.test_broker_groups import AT_STOP, AT_TARGET, ENTRY, GROUPED, TradierGroups

D = Decimal
BRACKET = {"take_profit": D("210.00"), "stop_loss": D("185.00"), "tif": "gtc"}
LIMIT = {"type": "limit", "limit_price": "190.00"}


@pytest.fixture(params=sorted(GROUPED))
def house(request, database, settings):
    made = GROUPED[request.param](database, settings)
    yield made
    made.close()


@pytest.fixture
def desk(house):
    return house.desk


def exits(desk, order_id):
    return desk.read(lambda ctx: find_exit_of(ctx, order_id))


def buy(house, **rest) -> str:
    order_id = house.desk.buy(**{**LIMIT, **BRACKET, **rest})
    house.desk.work()
    return order_id


def filled(house, **rest) -> str:
    order_id = buy(house, **rest)
    house.trades(ENTRY, "10")
    house.desk.work(2)
    return order_id


def wait(house, seconds: int, rounds: int = 2) -> None:
    for _ in range(rounds):
        house.desk.runtime.clock.advance(seconds=seconds // rounds)
        house.feed.advance(seconds=seconds // rounds)
        house.desk.work(2)


def alarms(desk) -> str:
    rows = desk.rows(outbox_rows, outbox_rows.c.seq)
    return " | ".join(row.payload for row in rows if row.kind == "alert")


def clean(desk) -> None:
    assert desk.read(invariant.check_all) == []


@pytest.mark.parametrize("price", [AT_TARGET, AT_STOP], ids=["target", "stop"])
def test_a_bracket_goes_from_card_to_flat_in_one_request(house, desk, price):
    order_id = filled(house)
    sale = exits(desk, order_id)
    assert (desk.order(order_id).state, sale.state) == (State.FILLED, State.WORKING)
    assert sale.broker_order_id != desk.order(order_id).broker_order_id
    house.trades(price, "10")
    desk.work(2)
    assert exits(desk, order_id).state is State.FILLED
    assert (desk.held(), len(house.fake.posts)) == (0, 1)
    clean(desk)


def test_the_exits_are_never_sent_and_have_no_attempt(house, desk):
    order_id = filled(house)
    desk.work(3)
    sale = exits(desk, order_id)
    attempts = [row.order_id for row in desk.rows(submit_attempts, submit_attempts.c.order_id)]
    assert attempts == [order_id]
    assert sale.client_order_id == exit_client_id(desk.order(order_id).client_order_id)
    assert (desk.count(order_intents), len(house.fake.posts)) == (2, 1)


def test_a_part_of_an_exit_is_booked_at_once_and_the_rest_later(house, desk):
    order_id = filled(house)
    house.trades(AT_TARGET, "4")
    desk.work(2)
    assert (exits(desk, order_id).filled_quantity, desk.held()) == (D(4), D(6))
    house.trades(AT_TARGET, "6")
    desk.work(2)
    assert (exits(desk, order_id).state, desk.held()) == (State.FILLED, 0)
    clean(desk)


def test_units_promised_to_the_exits_are_not_sold_twice(house, desk):
    filled(house)
    refused = desk.refused(lambda: desk.propose("AAPL", "sell", "1"))
    assert refused.code == "INSUFFICIENT_POSITION"


def test_cancelling_the_exits_leaves_the_position_and_says_that_it_has_no_stop(house, desk):
    order_id = filled(house)
    sale = exits(desk, order_id)
    desk.write(lambda ctx: execute.cancel(ctx, sale.id))
    desk.work(3)
    assert (exits(desk, order_id).state, desk.held()) == (State.CANCELLED, D(10))
    assert "without their exits" in alarms(desk)
    clean(desk)


def test_cancelling_a_working_entry_ends_the_group(house, desk):
    order_id = buy(house)
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(3)
    house.trades(ENTRY, "10")
    desk.work(2)
    assert (desk.order(order_id).state, exits(desk, order_id)) == (State.CANCELLED, None)
    assert (desk.held(), desk.cash().reserved.amount) == (0, 0)
    clean(desk)


@pytest.mark.fault("F048")
def test_a_part_filled_and_cancelled_entry_is_told_as_unprotected(house, desk):
    order_id = buy(house)
    house.trades(ENTRY, "4")
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(4)
    for _ in range(12):
        wait(house, 60)
    entry, sale = desk.order(order_id), exits(desk, order_id)
    assert (entry.state, entry.filled_quantity) == (State.CANCELLED, D(4))
    assert (sale.quantity, sale.filled_quantity) == (D(4), 0)
    assert sale.state in (State.CANCELLED, State.PRESUMED_NOT_ACCEPTED)
    assert "4 units stand without their exits" in alarms(desk)


@pytest.mark.fault("F037")
def test_a_bracket_whose_answer_was_lost_is_adopted_with_its_exits(house, desk):
    house.fake.answers = ["lost"]
    order_id = desk.buy(**LIMIT, **BRACKET)
    desk.work()
    assert desk.order(order_id).state in (State.UNKNOWN, State.WORKING)
    house.trades(ENTRY, "10")
    wait(house, 20)
    assert (desk.order(order_id).state, exits(desk, order_id).state) == (
        State.FILLED,
        State.WORKING,
    )
    assert desk.count(order_intents) == 2
    clean(desk)


def test_what_happened_while_the_product_was_off_is_found_at_the_start(house, desk):
    order_id = buy(house)
    house.trades(ENTRY, "10")
    house.trades(AT_STOP, "10")
    assert reconcile.at_boot(desk.runtime).unready == {}
    desk.work(3)
    assert (exits(desk, order_id).state, desk.held()) == (State.FILLED, 0)
    clean(desk)


def test_an_outage_while_the_exits_work_changes_nothing(house, desk):
    order_id = filled(house)
    with house.outage():
        desk.work(3)
    assert exits(desk, order_id).state is State.WORKING
    house.trades(AT_STOP, "10")
    desk.work(2)
    assert exits(desk, order_id).state is State.FILLED


@pytest.mark.parametrize("days", [1, 7, 40])
def test_exits_of_another_day_are_still_watched(house, desk, days):
    order_id = filled(house)
    desk.runtime.clock.advance(hours=24 * days)
    house.feed.advance(hours=24 * days)
    desk.work(2)
    assert exits(desk, order_id).state is State.WORKING
    house.trades(AT_STOP, "10")
    desk.work(2)
    assert (exits(desk, order_id).state, desk.held()) == (State.FILLED, 0)


# What only a broken group of Tradier shows.


@pytest.fixture
def tradier(database, settings):
    made = TradierGroups(database, settings)
    yield made
    made.close()


def test_exits_that_the_broker_does_not_have_are_told_as_missing(tradier):
    order_id = buy(tradier)
    tradier.fake.legs = "entry"
    tradier.trades(ENTRY, "10")
    for _ in range(12):
        wait(tradier, 60)
    sale = exits(tradier.desk, order_id)
    assert sale.state is State.PRESUMED_NOT_ACCEPTED
    assert "10 units stand without their exits" in alarms(tradier.desk)
    tradier.fake.legs = "all"
    wait(tradier, 60)
    assert exits(tradier.desk, order_id).state is State.WORKING


def test_a_group_that_carries_no_tag_is_watched_by_its_number(tradier):
    tradier.fake.group_tags = "none"
    order_id = buy(tradier)
    wait(tradier, 60)
    assert tradier.desk.order(order_id).state is State.WORKING
    tradier.trades(ENTRY, "10")
    wait(tradier, 10)
    tradier.trades(AT_STOP, "10")
    wait(tradier, 10)
    assert exits(tradier.desk, order_id).state is State.FILLED
    assert (tradier.desk.held(), len(tradier.fake.posts)) == (0, 1)


def test_a_day_entry_takes_its_exits_along_as_good_till_cancelled(tradier):
    order_id = filled(tradier, tif="day")
    (form,) = tradier.fake.posts
    assert [form[f"duration[{index}]"] for index in range(3)] == ["day", "gtc", "gtc"]
    assert exits(tradier.desk, order_id).state is State.WORKING


def test_more_sold_than_the_exits_may_is_a_dispute_and_freezes(tradier):
    order_id = filled(tradier)
    tradier.fake.slow_oco = True
    tradier.fake.fill_leg(1, "210", quantity="7")
    tradier.fake.fill_leg(2, "185", quantity="7")
    tradier.desk.work(2)
    assert exits(tradier.desk, order_id).state is State.DISPUTED
    assert tradier.desk.refused(lambda: tradier.desk.propose("MSFT")).code != ""
