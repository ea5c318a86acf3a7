"""Owns the contract of a broker that takes groups: an entry and its exits are one ticket there.

A house joins by its name in `GROUPED`: the members of `House`, a `fake` with the plans of
`tests/fakes/tradier_broker.py`, and a market that reaches the legs of groups one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.orders.bracket import build_exit, exit_client_id
from services.orders.broker import Accepted, Ambiguous, BrokerStatus, Rejected
from services.orders.order import Order, OrderClass, OrderType, Side, Tif
from tests.contract.houses import AlpacaHouse, TradierHouse, order_for, port_of

D = Decimal
OPEN, FILLED = BrokerStatus.OPEN, BrokerStatus.FILLED
CANCELLED, EXPIRED = BrokerStatus.CANCELLED, BrokerStatus.EXPIRED
EXITS = {"take_profit": D(210), "stop_loss": D(185)}
CLASSES = [("otoco", EXITS), ("oto", {"take_profit": D(210)}), ("oto", {"stop_loss": D(185)})]
ENTRY, AT_TARGET, AT_STOP = "189.90", "211.00", "184.90"


class TradierGroups(TradierHouse):
    """The house whose market reaches the legs of groups."""

    def _open(self) -> list[dict[str, Any]]:
        return self.fake.working()


GROUPED: dict[str, Callable[..., Any]] = {"alpaca": AlpacaHouse, "tradier": TradierGroups}


@pytest.fixture(params=sorted(GROUPED))
def house(request, database, settings):
    made = GROUPED[request.param](database, settings)
    yield made
    made.close()


def bracket(house, number=1, **changes) -> Order:
    lasts = house.broker.traits.group_tifs[0]
    wanted = {"order_class": OrderClass.OTOCO, "tif": lasts, **EXITS, **changes}
    return order_for(house, number, **wanted)


def grouped(house, kind, exits) -> Order:
    return bracket(house, order_class=OrderClass(kind), **{**dict.fromkeys(EXITS), **exits})


def oco(house, number=2, **changes) -> Order:
    sale = {"side": Side.SELL, "tif": Tif.GTC, "limit_price": D(210), "worst_price": D(185)}
    wanted = {"order_class": OrderClass.OCO, "stop_loss": D(185), **sale, **changes}
    return order_for(house, number, **wanted)


def place(house, order) -> Order:
    outcome = house.broker.submit(port_of(house), order)
    assert isinstance(outcome, Accepted), outcome
    return order


def look(house, *names):
    found = house.broker.look(port_of(house), house.account_id, list(names))
    return {view.client_order_id: view for view in found}


def standing(house, name="cm-1"):
    view = look(house, name)[name]
    return view.status, view.filled


def cancel(house, name):
    return house.broker.cancel(port_of(house), house.account_id, name)


# One ticket, two names.


def test_the_house_says_that_it_takes_groups(house):
    assert house.broker.traits.groups


@pytest.mark.parametrize(("kind", "exits"), CLASSES)
def test_an_entry_with_exits_is_one_request(house, kind, exits):
    order = grouped(house, kind, exits)
    outcome = house.broker.submit(port_of(house), order)
    views = look(house, "cm-1")
    assert outcome == Accepted(views["cm-1"].broker_order_id)
    assert (views["cm-1"].status, views["cm-1"].filled) == (OPEN, 0)
    assert len(house.fake.posts) == 1


@pytest.mark.parametrize(("kind", "exits"), CLASSES)
def test_the_exits_stand_under_their_own_name_once_the_entry_has_filled(house, kind, exits):
    place(house, grouped(house, kind, exits))
    house.trades(ENTRY, "10")
    views = look(house, "cm-1", "cm-1-x")
    assert (views["cm-1"].status, views["cm-1"].total.quantity) == (FILLED, D(10))
    assert (views["cm-1-x"].status, views["cm-1-x"].filled) == (OPEN, 0)
    assert views["cm-1"].broker_order_id != views["cm-1-x"].broker_order_id


def test_exits_sleep_until_the_entry_has_filled_whole(house):
    place(house, bracket(house))
    house.trades(AT_STOP, "4")
    assert standing(house) == (OPEN, 4)
    house.trades(AT_TARGET, "10")
    assert standing(house) == (OPEN, 4)
    assert [view.filled for view in look(house, "cm-1-x").values()] in ([], [0])


@pytest.mark.parametrize("kind", ["market", "stop"])
def test_a_market_or_stop_entry_carries_its_bound_into_the_group(house, kind):
    stop = {"stop_price": D("190.50")} if kind == "stop" else {}
    place(house, bracket(house, type=OrderType(kind), worst_price=D("192.01"), **stop))
    assert "192.01" in house.fake.posts[0].values()
    assert standing(house) == (OPEN, 0)


@pytest.mark.parametrize(
    ("price", "sold_at"), [(AT_TARGET, D(210)), (AT_STOP, D("184.90"))], ids=["target", "stop"]
)
def test_one_exit_trades_and_the_other_ends(house, price, sold_at):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    house.trades(price, "10")
    view = look(house, "cm-1-x")["cm-1-x"]
    assert (view.status, view.total.quantity, view.total.price) == (FILLED, D(10), sold_at)
    house.trades(AT_STOP if price == AT_TARGET else AT_TARGET, "10")
    assert look(house, "cm-1-x")["cm-1-x"] == view
    assert standing(house) == (FILLED, 10)


def test_a_part_of_an_exit_leaves_it_open_with_its_count(house):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    house.trades(AT_TARGET, "4")
    assert standing(house, "cm-1-x") == (OPEN, 4)
    house.trades(AT_TARGET, "6")
    assert standing(house, "cm-1-x") == (FILLED, 10)


def test_the_exits_keep_their_number_while_they_trade(house):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    first = look(house, "cm-1-x")["cm-1-x"].broker_order_id
    house.trades(AT_STOP, "10")
    assert look(house, "cm-1-x")["cm-1-x"].broker_order_id == first


def test_an_entry_that_ends_unfilled_leaves_no_exit_open(house):
    place(house, bracket(house, tif=Tif.DAY))
    house.close_session()
    assert standing(house) == (EXPIRED, 0)
    assert [view for view in look(house, "cm-1-x").values() if view.status is OPEN] == []


def test_exits_last_longer_than_the_day_of_their_entry(house):
    entry = place(house, bracket(house, tif=Tif.DAY))
    house.trades(ENTRY, "10")
    if not house.broker.traits.carries(entry):
        assert look(house, "cm-1-x") == {}, "our books order them when the entry has filled"
        return
    house.close_session()
    assert standing(house, "cm-1-x") == (OPEN, 0)


@pytest.mark.fault("F037")
@pytest.mark.parametrize("plan", ["lost", "cut", "page_502", "booked:text_500"])
def test_a_group_whose_answer_was_lost_is_found_whole_and_never_sent_again(house, plan):
    house.fake.answers = [plan if plan != "page_502" else "booked:page_502"]
    outcome = house.broker.submit(port_of(house), bracket(house))
    assert isinstance(outcome, Ambiguous)
    house.trades(ENTRY, "10")
    views = look(house, "cm-1", "cm-1-x")
    assert (views["cm-1"].status, views["cm-1-x"].status) == (FILLED, OPEN)
    assert len(house.fake.posts) == 1


def test_the_exits_of_an_unknown_or_single_order_are_absent(house):
    place(house, order_for(house))
    assert list(look(house, "cm-1", "cm-1-x", "cm-9-x")) == ["cm-1"]


# A sale at a target or at a stop.


@pytest.mark.parametrize("price", [AT_TARGET, AT_STOP])
def test_a_sale_with_two_prices_is_one_order_that_trades_once(house, price):
    order = place(house, oco(house))
    before = look(house, "cm-2")["cm-2"]
    house.trades(price, "10")
    after = look(house, "cm-2")["cm-2"]
    assert (before.status, after.status, after.filled) == (OPEN, FILLED, order.quantity)
    assert before.broker_order_id == after.broker_order_id
    assert look(house, "cm-2-x") == {}
    assert len(house.fake.posts) == 1


def test_a_sale_with_two_prices_is_cancelled_whole(house):
    place(house, oco(house))
    assert isinstance(cancel(house, "cm-2"), Accepted)
    house.trades(AT_STOP, "10")
    assert standing(house, "cm-2") == (CANCELLED, 0)
    assert isinstance(cancel(house, "cm-2"), Rejected)


# Cancelling parts.


def test_cancelling_a_working_entry_takes_its_exits_along(house):
    place(house, bracket(house))
    assert isinstance(cancel(house, "cm-1"), Accepted)
    house.trades(ENTRY, "10")
    assert standing(house) == (CANCELLED, 0)
    assert [view for view in look(house, "cm-1-x").values() if view.status is OPEN] == []


def test_cancelling_a_filled_entry_never_touches_its_stop(house):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    assert isinstance(cancel(house, "cm-1"), Rejected)
    assert standing(house, "cm-1-x") == (OPEN, 0)


def test_cancelling_the_exits_leaves_the_entry_filled(house):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    assert isinstance(cancel(house, "cm-1-x"), Accepted)
    house.trades(AT_STOP, "10")
    assert standing(house) == (FILLED, 10)
    assert standing(house, "cm-1-x") == (CANCELLED, 0)
    assert isinstance(cancel(house, "cm-1-x"), Rejected)


def test_a_part_filled_entry_keeps_its_fills_when_it_is_cancelled(house):
    place(house, bracket(house))
    house.trades(ENTRY, "4")
    cancel(house, "cm-1")
    assert standing(house) == (CANCELLED, 4)
    assert [view for view in look(house, "cm-1-x").values() if view.status is OPEN] == []


# What may not leave.

BAD = [
    ({"take_profit": None}, "order_class"),
    ({"stop_loss": None}, "order_class"),
    ({"stop_loss": D(191)}, "stop_loss"),
    ({"take_profit": D(190)}, "take_profit"),
    ({"stop_loss": D("185.001")}, "stop"),
    ({"take_profit": D("210.001")}, "price"),
    ({"quantity": D("1.5")}, "quantity"),
    ({"side": Side.SELL}, "side"),
    ({"order_class": OrderClass.OTO}, "order_class"),
    ({"type": OrderType.MARKET, "worst_price": D("192.01"), "take_profit": D(192)}, "take_profit"),
]


@pytest.mark.parametrize(("changes", "name"), BAD)
def test_a_group_that_could_not_hold_is_rejected_before_it_leaves(house, changes, name):
    outcome = house.broker.submit(port_of(house), bracket(house, **changes))
    assert isinstance(outcome, Rejected)
    assert name in outcome.reason
    assert house.fake.posts == []


@pytest.mark.parametrize(
    "changes",
    [{"stop_loss": None}, {"stop_loss": D(215)}, {"side": Side.BUY}, {"type": OrderType.MARKET}],
)
def test_a_sale_whose_prices_exclude_each_other_is_rejected(house, changes):
    outcome = house.broker.submit(port_of(house), oco(house, **changes))
    assert isinstance(outcome, Rejected)
    assert house.fake.posts == []


def test_the_exits_that_are_sent_are_those_that_our_books_know(house):
    order = place(house, bracket(house))
    house.trades(ENTRY, "10")
    known = build_exit(order, D(10))
    assert known.client_order_id == exit_client_id("cm-1")
    legs = [leg for leg in look(house, "cm-1-x")["cm-1-x"].legs if leg.side == "sell"]
    assert {leg.quantity for leg in legs} == {known.quantity}
    twin = replace(known, client_order_id="cm-7")
    place(house, twin)
    house.trades(AT_TARGET, "10")
    views = look(house, "cm-1-x", "cm-7")
    assert views["cm-1-x"].total == views["cm-7"].total
