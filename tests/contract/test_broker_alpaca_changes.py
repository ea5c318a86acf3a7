"""Owns Alpaca's changes, which are new orders there, and its groups, which last as one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from services import invariant
from services.orders import switch
from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerStatus,
    BrokerUnreachable,
    Change,
    Rejected,
)
from services.orders.order import Order, OrderClass, OrderType, State, Tif
from services.orders.tables import disputed_fills, fills
from tests.contract.houses import AlpacaHouse, order_for, port_of

D = Decimal
EXITS = {"take_profit": D(210), "stop_loss": D(185)}


@pytest.fixture
def house(database, settings):
    """Yield the house; afterwards every invariant holds."""
    made = AlpacaHouse(database, settings)
    yield made
    made.close()
    assert made.desk.read(invariant.check_all) == []


@pytest.fixture
def desk(house):
    return house.desk


@pytest.fixture
def fake(house):
    return house.fake


@pytest.fixture
def port(house):
    return port_of(house)


def look(house, name="cm-1"):
    (view,) = house.broker.look(port_of(house), house.account_id, [name])
    return view


def place(house, number=1, **changes) -> Order:
    order = order_for(house, number, **changes)
    assert isinstance(house.broker.submit(port_of(house), order), Accepted)
    return order


# Changes.


def to(price, tif=Tif.DAY):
    return Change(type=OrderType.LIMIT, tif=tif, limit_price=D(price))


def replace(house, change, name="cm-1"):
    return house.broker.replace(port_of(house), house.account_id, name, change)


def test_a_changed_order_is_a_new_one_and_stands_under_both_old_ids(house, fake):
    place(house)
    before = look(house)
    assert replace(house, to("189.5", Tif.GTC)) == Accepted(before.broker_order_id)
    assert replace(house, to("189.4", Tif.GTC)) == Accepted(before.broker_order_id)
    names = [document["client_order_id"] for _, _, document in fake.changes]
    assert names == ["cm-1-r1", "cm-1-r2"]
    view = look(house)
    assert (view.broker_order_id, view.status) == (before.broker_order_id, BrokerStatus.OPEN)
    assert view.terms == to("189.4", Tif.GTC)
    house.trades("189.3", "10")
    assert (look(house).status, look(house).total.price) == (BrokerStatus.FILLED, D("189.4"))


def test_a_changed_order_is_cancelled_where_it_works_now(house, port, fake):
    place(house)
    replace(house, to("189.5"))
    assert isinstance(house.broker.cancel(port, house.account_id, "cm-1"), Accepted)
    assert look(house).status is BrokerStatus.CANCELLED
    assert fake.changes[-1][:2] == ("DELETE", fake.of("cm-1-r1")["id"])


def test_a_part_filled_order_is_not_changed_because_it_would_be_ordered_whole(house, fake):
    place(house)
    house.trades("189.9", "4")
    outcome = replace(house, to("189.5"))
    assert isinstance(outcome, Rejected)
    assert "filled in part" in outcome.reason
    assert fake.changes == []


@pytest.mark.fault("F046")
def test_fills_before_and_after_a_change_count_once_each(house, desk, fake):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    name = fake.posts[0]["client_order_id"]
    fake.fill("4", "189.00", fake.of(name))
    desk.work()
    fake.book.change(fake.booked[fake.of(name)["id"]], {"limit_price": "188.00", "qty": "6"})
    desk.work(2)
    assert (desk.order(order_id).filled_quantity, desk.held()) == (4, D(4))
    fake.fill("6", "188.00", fake.booked[fake.of(name)["replaced_by"]].row)
    desk.work(2)
    order = desk.order(order_id)
    assert (order.state, order.avg_price, desk.held()) == (State.FILLED, D("188.4"), D(10))
    assert desk.count(fills) == 2


@pytest.mark.fault("F046")
def test_a_change_that_orders_the_whole_again_is_disputed_and_freezes(house, desk, fake):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    name = fake.posts[0]["client_order_id"]
    fake.fill("4", "189.00", fake.of(name))
    fake.book.change(fake.booked[fake.of(name)["id"]], {"limit_price": "188.00"})
    desk.work()
    fake.fill("10", "188.00", fake.booked[fake.of(name)["replaced_by"]].row)
    desk.work(2)
    assert (desk.order(order_id).state, desk.held()) == (State.DISPUTED, D(4))
    assert desk.count(disputed_fills) == 1
    assert desk.read(switch.state).state == "HALTED"


@pytest.mark.parametrize("plan", ["lost", "lost_before", "page_502", "text_403"])
def test_a_change_in_doubt_is_no_answer_and_is_not_repeated(house, fake, plan):
    place(house)
    fake.cancel_answers = [plan]
    assert isinstance(replace(house, to("189.5")), Ambiguous)
    assert len(fake.changes) == 1
    assert look(house).terms in (to("189.5"), to("190.1"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change(type=OrderType.STOP, tif=Tif.DAY, stop_price=D(195)), "keeps its type"),
        (Change(type=OrderType.LIMIT, tif=Tif.DAY), "needs it"),
        (to("189.505"), "multiple of 0.01"),
    ],
)
def test_a_change_that_the_broker_can_not_make_never_leaves(house, fake, change, why):
    place(house)
    outcome = replace(house, change)
    assert isinstance(outcome, Rejected)
    assert why in outcome.reason
    assert fake.changes == []


def test_a_change_of_an_ended_or_unknown_order_is_refused(house, fake):
    assert replace(house, to("189"), "cm-9") == Rejected("unknown order")
    place(house)
    fake.end("expired")
    assert replace(house, to("189")) == Rejected("the order has ended")
    place(house, 2)
    fake.of("cm-2")["status"] = "pending_new"
    outcome = replace(house, to("189"), "cm-2")
    assert outcome == Rejected("unable to replace order, order isn't sent to exchange yet")


def test_a_change_that_leads_nowhere_is_no_answer(house, fake):
    place(house)
    fake.only.update(status="replaced", replaced_by="00000000-gone")
    with pytest.raises(BrokerUnreachable, match="leads nowhere"):
        look(house)


# Groups.


def bracket(house, **changes):
    wanted = {"order_class": OrderClass.OTOCO, "tif": Tif.GTC, **EXITS}
    return place(house, **{**wanted, **changes})


def test_an_entry_for_the_day_gets_its_exits_when_it_has_filled(house, desk, fake):
    order_id = desk.buy(type="limit", limit_price="190.05", **EXITS)
    desk.work()
    assert "order_class" not in fake.posts[0]
    house.trades("189.90", "10")
    desk.work(3)
    assert desk.order(order_id).state is State.FILLED
    assert [document.get("order_class") for document in fake.posts] == [None, "oco"]
    assert fake.posts[1]["client_order_id"] == fake.posts[0]["client_order_id"] + "-x"
    house.trades("184.00", "10")
    desk.work(2)
    assert desk.held() == 0
    assert len(fake.posts) == 2


def test_an_entry_that_lasts_takes_its_exits_along_and_they_are_never_sent(house, desk, fake):
    desk.buy(type="limit", limit_price="190.05", tif="gtc", **EXITS)
    desk.work()
    house.trades("189.90", "10")
    desk.work(3)
    house.trades("211.00", "10")
    desk.work(2)
    assert desk.held() == 0
    assert [document["order_class"] for document in fake.posts] == ["bracket"]


def test_exits_do_not_end_before_their_entry(house, port, fake):
    bracket(house)
    outcome = house.broker.cancel(port, house.account_id, "cm-1-x")
    assert outcome == Rejected("the entry still works; its exits go with it")
    assert fake.changes == []


def test_a_leg_that_was_changed_at_the_brokers_page_is_followed(house, fake):
    bracket(house)
    house.trades("189.90", "10")
    target, _ = fake.legs()
    fake.book.change(fake.booked[target["id"]], {"limit_price": "205"})
    before = look(house, "cm-1-x")
    house.trades("206", "10")
    after = look(house, "cm-1-x")
    assert (before.status, after.status) == (BrokerStatus.OPEN, BrokerStatus.FILLED)
    assert (after.total.price, after.broker_order_id) == (D(205), before.broker_order_id)


def test_the_one_exit_of_an_entry_is_changed_in_place(house, fake):
    bracket(house, order_class=OrderClass.OTO, take_profit=None)
    house.trades("189.90", "10")
    moved = Change(type=OrderType.STOP, tif=Tif.GTC, stop_price=D(187))
    assert isinstance(replace(house, moved, "cm-1-x"), Accepted)
    assert look(house, "cm-1-x").terms == moved
    assert isinstance(replace(house, moved, "cm-1"), Rejected)


@pytest.mark.fault("F060")
def test_a_stop_that_the_broker_refused_is_an_alarm_while_the_target_stands(house, fake):
    bracket(house)
    house.trades("189.90", "10")
    _, stop = fake.legs()
    stop.update(status="rejected", reject_reason="no such stop")
    with capture_logs() as logs:
        for _ in range(3):
            view = look(house, "cm-1-x")
    assert [line["event"] for line in logs].count("broker.group_broken") == 1
    assert (view.status, view.reason) == (BrokerStatus.OPEN, "no such stop")
