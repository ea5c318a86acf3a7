"""Owns what only Tradier's groups have: rows that are broken or told otherwise, and alarms."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from services.kit.clock import HandClock
from services.orders.broker import Accepted, BrokerStatus, Change, NotSent, Rejected
from services.orders.order import OrderType, Tif
from services.orders.order_client import OrderClient
from services.orders.tradier import TradierBroker
from services.orders.tradier_scan import TradierReader
from tests.contract.houses import port_of
from tests.contract.test_broker_groups import (
    AT_STOP,
    AT_TARGET,
    ENTRY,
    TradierGroups,
    bracket,
    cancel,
    look,
    oco,
    place,
    standing,
)

D = Decimal
OPEN, FILLED, REJECTED = BrokerStatus.OPEN, BrokerStatus.FILLED, BrokerStatus.REJECTED
CANCELLED, EXPIRED = BrokerStatus.CANCELLED, BrokerStatus.EXPIRED


@pytest.fixture
def house(database, settings):
    made = TradierGroups(database, settings)
    yield made
    made.close()


@pytest.fixture
def fake(house):
    return house.fake


# The ticket.


def test_the_ticket_of_a_bracket_names_every_duration_and_one_tag(house, fake):
    place(house, bracket(house, type=OrderType.MARKET, tif=Tif.DAY))
    (form,) = fake.posts
    assert {
        key: value for key, value in form.items() if not key.startswith(("symbol", "side"))
    } == {
        "class": "otoco",
        "quantity[0]": "10",
        "type[0]": "limit",
        "duration[0]": "day",
        "price[0]": "192.01",
        "quantity[1]": "10",
        "type[1]": "limit",
        "duration[1]": "gtc",
        "price[1]": "210",
        "quantity[2]": "10",
        "type[2]": "stop",
        "duration[2]": "gtc",
        "stop[2]": "185",
        "tag": "cm-1",
    }


def test_a_downstream_reject_of_a_group_is_the_brokers_no(house, fake):
    fake.answers = ["errors"]
    outcome = house.broker.submit(port_of(house), bracket(house))
    assert outcome == Rejected("Backoffice rejected override of the order.")


# Rows that are told otherwise.


def test_an_entry_that_the_row_itself_tells_is_read_there(house, fake):
    fake.legs = "in_row"
    place(house, bracket(house))
    house.trades(ENTRY, "4")
    assert standing(house) == (OPEN, 4)
    house.trades(ENTRY, "6")
    views = look(house, "cm-1", "cm-1-x")
    assert (views["cm-1"].status, views["cm-1"].filled) == (FILLED, 10)
    assert (views["cm-1-x"].status, views["cm-1-x"].filled) == (OPEN, 0)


@pytest.mark.parametrize("legs", ["none", "exits"])
def test_a_row_without_its_entry_proves_no_fill_and_no_end(house, fake, legs):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    fake.legs = legs
    view = look(house, "cm-1")["cm-1"]
    assert (view.status, view.total) == (OPEN, None)


@pytest.mark.parametrize("legs", ["none", "entry"])
def test_exits_that_the_row_does_not_tell_are_absent_and_alarmed(house, fake, legs):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    fake.legs = legs
    with capture_logs() as logs:
        for _ in range(3):
            assert list(look(house, "cm-1", "cm-1-x")) == ["cm-1"]
    assert [line["event"] for line in logs].count("broker.group_broken") == 1


def test_a_group_rejected_as_a_whole_is_a_rejected_entry(house, fake):
    place(house, bracket(house))
    fake.end("rejected", reason="InitialMargin")
    fake.only["leg"][0]["status"] = "pending"
    view = look(house, "cm-1")["cm-1"]
    assert (view.status, view.reason, view.filled) == (REJECTED, "InitialMargin", 0)


def test_a_rejected_entry_ends_although_the_group_still_says_open(house, fake):
    place(house, bracket(house))
    leg = fake.only["leg"][0]
    leg |= {"status": "rejected", "reason_description": "not enough cash"}
    view = look(house, "cm-1")["cm-1"]
    assert (view.status, view.reason) == (REJECTED, "not enough cash")


def test_a_refused_stop_beside_a_working_target_is_alarmed_and_named(house, fake):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    leg = fake.only["leg"][2]
    leg |= {"status": "rejected", "reason_description": "stop too near"}
    with capture_logs() as logs:
        view = look(house, "cm-1-x")["cm-1-x"]
    assert (view.status, view.reason) == (OPEN, "stop too near")
    assert "broker.group_broken" in [line["event"] for line in logs]


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (("rejected", "canceled"), REJECTED),
        (("expired", "canceled"), EXPIRED),
        (("canceled", "canceled"), CANCELLED),
    ],
)
def test_exits_that_ended_unfilled_end_as_the_worse_of_them(house, fake, ends, status):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    for leg, end in zip(fake.only["leg"][1:], ends, strict=True):
        leg["status"] = end
    assert standing(house, "cm-1-x") == (status, 0)


def test_a_cancel_that_the_legs_do_not_show_yet_has_ended_all_the_same(house, fake):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    fake.only["status"] = "canceled"
    assert standing(house, "cm-1-x") == (CANCELLED, 0)
    assert standing(house) == (FILLED, 10)


def test_exits_left_asleep_by_a_short_entry_do_not_stand(house, fake):
    place(house, bracket(house, tif=Tif.DAY))
    house.trades(ENTRY, "4")
    fake.only["leg"][0]["status"] = "expired"
    assert list(look(house, "cm-1", "cm-1-x")) == ["cm-1"]
    assert standing(house) == (EXPIRED, 4)


@pytest.mark.fault("F046")
def test_two_exits_that_traded_in_one_moment_are_counted_both(house, fake):
    fake.slow_oco = True
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    fake.fill_leg(1, "210", quantity="4")
    fake.fill_leg(2, "185", quantity="6")
    view = look(house, "cm-1-x")["cm-1-x"]
    assert (view.status, view.total.quantity, view.total.price) == (FILLED, D(10), D(195))
    fake.fill_leg(1, "210", quantity="6")
    assert look(house, "cm-1-x")["cm-1-x"].filled == 16


def test_a_group_whose_legs_alone_carry_the_tag_is_found(house, fake):
    fake.group_tags, fake.answers = "legs", ["lost"]
    house.broker.submit(port_of(house), bracket(house))
    house.trades(ENTRY, "10")
    assert list(look(house, "cm-1", "cm-1-x")) == ["cm-1", "cm-1-x"]


# Changes.


def test_a_group_is_not_changed_in_place(house, fake):
    place(house, bracket(house))
    change = Change(type=OrderType.LIMIT, tif=Tif.GTC, limit_price=D(189))
    outcome = house.broker.replace(port_of(house), house.account_id, "cm-1", change)
    assert isinstance(outcome, Rejected)
    assert "cancel it" in outcome.reason
    assert fake.changes == []


def test_exits_are_not_cancelled_under_a_working_entry(house, fake):
    place(house, bracket(house))
    assert isinstance(cancel(house, "cm-1-x"), NotSent)
    assert fake.changes == []


def test_a_cancel_asks_anew_so_that_a_fill_seen_late_keeps_its_stop(house, fake):
    clock: HandClock = house.desk.runtime.clock
    wire = OrderClient(fake.base_url, fake.headers, clock)
    broker = TradierBroker(house.seat, wire, TradierReader(house.seat, wire, clock))
    port = port_of(house)
    assert isinstance(broker.submit(port, bracket(house)), Accepted)
    broker.look(port, house.account_id, ["cm-1"])
    house.trades(ENTRY, "10")
    assert isinstance(broker.cancel(port, house.account_id, "cm-1"), Rejected)
    assert fake.changes == []


def test_exits_that_have_ended_are_not_asked_to_end(house, fake):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    house.trades(AT_STOP, "10")
    assert cancel(house, "cm-1-x") == Rejected("it has ended: filled")
    assert fake.changes == []


def test_one_cancel_is_sent_for_the_group_under_its_own_number(house, fake):
    place(house, oco(house))
    cancel(house, "cm-2")
    ((verb, number, _form),) = fake.changes
    assert (verb, number) == ("DELETE", str(fake.only["id"]))


def test_a_second_bracket_of_the_same_symbol_is_another_group(house, fake):
    place(house, bracket(house))
    house.trades(ENTRY, "10")
    place(house, replace(bracket(house), client_order_id="cm-3"))
    house.trades(AT_TARGET, "10")
    assert standing(house, "cm-1-x") == (FILLED, 10)
    assert standing(house, "cm-3") == (OPEN, 0)
