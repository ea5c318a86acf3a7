"""Owns the contract of a broker adapter: every case runs on every house of `houses.py`."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services import invariant
from services.orders import execute, reconcile
from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerStatus,
    BrokerUnreachable,
    NotSent,
    Rejected,
)
from services.orders.order import OrderType, Side, State, Tif
from services.orders.tables import fills, order_intents, submit_attempts
from tests.contract.houses import ASK, BID, HOUSES, order_for, port_of


@pytest.fixture(params=sorted(HOUSES))
def house(request, database, settings):
    made = HOUSES[request.param](database, settings)
    yield made
    made.close()


def place(house, number=1, **changes):
    order = order_for(house, number, **changes)
    outcome = house.broker.submit(port_of(house), order)
    assert isinstance(outcome, Accepted), outcome
    return order


def look(house, *orders):
    names = [order.client_order_id for order in orders]
    views = house.broker.look(port_of(house), house.account_id, names)
    return {view.client_order_id: view for view in views}


def seen(house, order):
    (view,) = look(house, order).values()
    return view


def cancel(house, order):
    return house.broker.cancel(port_of(house), house.account_id, order.client_order_id)


# The port itself.


def test_an_accepted_order_stands_open_under_both_ids(house):
    order = order_for(house)
    outcome = house.broker.submit(port_of(house), order)
    view = seen(house, order)
    assert isinstance(outcome, Accepted)
    assert (view.client_order_id, view.broker_order_id) == ("cm-1", outcome.broker_order_id)
    assert (view.status, view.filled) == (BrokerStatus.OPEN, 0)


def test_a_limit_at_the_market_waits_until_it_is_traded_through(house):
    order = place(house)
    assert seen(house, order).filled == 0
    house.trades("189.90", "10")
    view = seen(house, order)
    assert (view.status, view.filled) == (BrokerStatus.FILLED, Decimal(10))


def test_a_sell_limit_waits_for_a_higher_price(house):
    order = place(house, side=Side.SELL, limit_price=Decimal("195.00"))
    house.trades("190.50", "10")
    assert seen(house, order).status is BrokerStatus.OPEN
    house.trades("196.00", "10")
    assert seen(house, order).status is BrokerStatus.FILLED


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_market_order_trades_at_once(house, side):
    order = place(house, side=side, type=OrderType.MARKET)
    house.meet()
    view = seen(house, order)
    assert (view.status, view.filled) == (BrokerStatus.FILLED, Decimal(10))


def test_a_marketable_limit_trades_at_once(house):
    order = place(house, limit_price=Decimal("191.00"))
    house.meet()
    assert seen(house, order).status is BrokerStatus.FILLED


@pytest.mark.parametrize(
    ("side", "stop", "past"), [("buy", "191.00", "191.20"), ("sell", "189.00", "188.90")]
)
def test_a_stop_sleeps_until_it_is_touched(house, side, stop, past):
    order = place(house, side=Side(side), type=OrderType.STOP, stop_price=Decimal(stop))
    house.trades(str(ASK if side == "buy" else BID), "10")
    assert seen(house, order).filled == 0
    house.trades(past, "10")
    assert seen(house, order).status is BrokerStatus.FILLED


def test_a_part_fill_leaves_the_rest_working(house):
    order = place(house)
    house.trades("189.90", "4")
    view = seen(house, order)
    assert (view.status, view.filled) == (BrokerStatus.OPEN, Decimal(4))
    house.trades("189.80", "6")
    view = seen(house, order)
    assert (view.status, view.filled) == (BrokerStatus.FILLED, Decimal(10))


def test_looking_again_says_the_same(house):
    order = place(house)
    house.trades("189.90", "4")
    assert seen(house, order) == seen(house, order)


def test_a_day_order_ends_with_the_session_and_keeps_what_it_filled(house):
    order = place(house)
    house.trades("189.90", "4")
    house.close_session()
    view = seen(house, order)
    assert (view.status, view.filled) == (BrokerStatus.EXPIRED, Decimal(4))


def test_a_good_till_cancelled_order_outlives_the_session(house):
    order = place(house, tif=Tif.GTC, limit_price=Decimal("189.00"))
    house.close_session()
    assert seen(house, order).status is BrokerStatus.OPEN


def test_a_look_answers_for_what_it_was_asked(house):
    first, second = place(house, 1), place(house, 2, limit_price=Decimal("188.00"))
    assert set(look(house, first, second)) == {"cm-1", "cm-2"}
    assert set(look(house, second)) == {"cm-2"}
    assert look(house) == {}


def test_an_order_nobody_placed_is_absent(house):
    place(house)
    assert look(house, order_for(house, 7)) == {}


def test_a_cancel_ends_a_waiting_order(house):
    order = place(house)
    assert isinstance(cancel(house, order), Accepted)
    assert seen(house, order).status is BrokerStatus.CANCELLED


def test_a_second_cancel_is_told_that_the_order_has_ended(house):
    order = place(house)
    cancel(house, order)
    assert isinstance(cancel(house, order), Rejected)
    assert seen(house, order).status is BrokerStatus.CANCELLED


def test_a_cancel_of_an_unknown_order_is_refused(house):
    assert isinstance(cancel(house, order_for(house, 7)), Rejected)


def test_a_cancel_of_a_filled_order_is_refused_and_changes_nothing(house):
    order = place(house)
    house.trades("189.90", "10")
    assert isinstance(cancel(house, order), Rejected)
    assert seen(house, order).status is BrokerStatus.FILLED


def test_a_cancel_keeps_what_had_traded(house):
    order = place(house)
    house.trades("189.90", "4")
    assert isinstance(cancel(house, order), Accepted)
    view = seen(house, order)
    assert (view.status, view.filled) == (BrokerStatus.CANCELLED, Decimal(4))


def test_an_outage_is_no_answer_about_an_order(house):
    order = place(house)
    with house.outage(), pytest.raises(BrokerUnreachable):
        seen(house, order)
    assert seen(house, order).status is BrokerStatus.OPEN


def test_an_outage_never_makes_a_submit_raise(house):
    with house.outage():
        outcome = house.broker.submit(port_of(house), order_for(house))
    assert isinstance(outcome, (Ambiguous, NotSent, Rejected))


def test_a_cancel_in_an_outage_is_no_no(house):
    order = place(house)
    with house.outage():
        assert isinstance(cancel(house, order), (Ambiguous, NotSent))


@pytest.mark.parametrize("quantity", ["0", "-1", "0.5"])
def test_a_quantity_off_the_lot_is_refused_with_a_reason(house, quantity):
    outcome = house.broker.submit(port_of(house), order_for(house, quantity=Decimal(quantity)))
    assert isinstance(outcome, Rejected)
    assert outcome.reason


# The same through the product: card, confirmation, worker, ledger, audit.


@pytest.fixture
def desk(house):
    """Yield the desk, and hold every invariant over what a case leaves behind."""
    yield house.desk
    assert house.desk.read(invariant.check_all) == []


def test_a_confirmed_market_order_is_filled_posted_and_audited_once(house, desk):
    order_id = desk.buy()
    desk.work()
    house.meet()
    desk.work(3)
    order = desk.order(order_id)
    assert (order.state, order.filled_quantity, desk.held()) == (State.FILLED, 10, Decimal(10))
    assert ASK <= order.avg_price <= order.order.worst_price
    assert desk.cash().reserved.amount == 0
    assert desk.cash().posted.amount < 100_000 - 1900
    assert desk.count(fills) == desk.count(submit_attempts) == 1
    assert len(desk.audited("order.fill")) == len(desk.audited("order.answer")) == 1


def test_parts_are_posted_one_by_one_and_their_average_is_the_brokers(house, desk):
    order_id = desk.buy(type="limit", limit_price="190.05")
    desk.work()
    for price, part in (("189.90", "1"), ("189.80", "4"), ("189.70", "5")):
        house.trades(price, part)
        desk.work(2)
    order = desk.order(order_id)
    assert (order.state, order.avg_price) == (State.FILLED, Decimal("190.05"))
    assert (desk.count(fills), desk.held()) == (3, Decimal(10))


def test_several_parts_between_two_looks_are_posted_whole(house, desk):
    order_id = desk.buy(type="limit", limit_price="190.05")
    desk.work()
    house.trades("189.90", "1")
    house.trades("189.80", "4")
    desk.work(2)
    assert (desk.order(order_id).state, desk.held()) == (State.PARTIALLY_FILLED, Decimal(5))


def test_a_bought_position_can_be_sold(house, desk):
    desk.buy()
    desk.work()
    house.meet()
    desk.work()
    order_id = desk.buy("AAPL", "sell", "10")
    desk.work()
    house.meet()
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, 0)


def test_a_stop_order_is_carried_to_its_fill(house, desk):
    order_id = desk.buy(type="stop", stop_price="191.00")
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    house.trades("191.20", "10")
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))


def test_a_persons_cancel_reaches_the_broker_and_frees_the_cash(house, desk):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    assert desk.order(order_id).state is State.CANCELLED
    assert desk.cash().reserved.amount == 0


def test_a_cancel_after_a_part_fill_keeps_the_part(house, desk):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    house.trades("188.90", "3")
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(2)
    order = desk.order(order_id)
    assert (order.state, order.filled_quantity, desk.held()) == (State.CANCELLED, 3, Decimal(3))
    assert desk.cash().reserved.amount == 0


@pytest.mark.fault("F048")
def test_a_day_order_that_ends_part_filled_posts_the_part_and_frees_the_rest(house, desk):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    house.trades("188.90", "3")
    house.close_session()
    desk.work(2)
    order = desk.order(order_id)
    assert (order.state, order.filled_quantity, desk.held()) == (State.EXPIRED, 3, Decimal(3))
    assert desk.cash().reserved.amount == 0


def test_working_on_after_the_end_changes_nothing(house, desk):
    desk.buy()
    desk.work()
    house.meet()
    desk.work()
    before = (desk.cash(), desk.count(fills), desk.count(submit_attempts))
    assert desk.work(3) == 0
    assert before == (desk.cash(), desk.count(fills), desk.count(submit_attempts))


def test_an_outage_while_polling_changes_nothing(house, desk):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    with house.outage():
        desk.work(3)
    assert desk.order(order_id).state is State.WORKING
    desk.work()
    assert desk.order(order_id).state is State.WORKING


def test_a_start_finds_what_was_filled_meanwhile(house, desk):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    house.trades("188.90", "10")
    assert reconcile.at_boot(desk.runtime).unready == {}
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, Decimal(10))


def test_every_order_names_the_broker_and_account_it_went_to(house, desk):
    desk.buy()
    desk.work()
    (row,) = desk.rows(order_intents, order_intents.c.id)
    assert row.account_id == house.account_id
    assert row.broker == house.broker.traits.name
    assert row.broker_order_id
