"""Owns what only Tradier has: groups, changes in place, previews, pacing, and its account pages."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from services.kit.clock import HandClock
from services.kit.errors import Refusal
from services.orders import execute, store
from services.orders.broker import (
    Accepted,
    Ambiguous,
    Broker,
    BrokerStatus,
    BrokerUnreachable,
    Change,
    NotSent,
    Rejected,
)
from services.orders.order import OrderType, State, Tif
from services.orders.order_client import OrderClient
from services.orders.tradier import TradierBroker
from services.orders.tradier_account import (
    get_balances,
    list_accounts,
    list_closed,
    list_history,
    list_positions,
)
from services.orders.tradier_scan import TradierReader
from services.orders.tradier_seat import build_seat
from services.orders.tradier_ticket import SpreadLeg, build_multileg
from tests.contract.houses import TradierHouse, order_for, port_of
from tests.fakes.tradier_broker import ACCOUNT

D = Decimal
PATH = f"/v1/accounts/{ACCOUNT}"


@pytest.fixture
def house(database, settings):
    made = TradierHouse(database, settings)
    yield made
    made.close()


@pytest.fixture
def fake(house):
    return house.fake


@pytest.fixture
def port(house):
    return port_of(house)


def look(house, port, name="cm-1"):
    (view,) = house.broker.look(port, house.account_id, [name])
    return view


# What may not leave.


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"account_id": "tradier-VA000002"}, "the order is for tradier-VA000002"),
        ({"account_id": "acc_1"}, "the order is for acc_1"),
        ({"mode": "live"}, "a live order can not go to the sandbox"),
        ({"provenance": "REPLAY"}, "REPLAY prices can not trade"),
        ({"provenance": "SIMULATED"}, "SIMULATED prices can not trade"),
        ({"client_order_id": "cm_1"}, "PARAM_INVALID"),
        ({"symbol": "AAPL;X"}, "PARAM_INVALID"),
    ],
)
@pytest.mark.fault("F059")
def test_an_order_that_belongs_elsewhere_never_leaves(house, port, fake, changes, why):
    outcome = house.broker.submit(port, order_for(house, **changes))
    assert isinstance(outcome, Rejected)
    assert why in outcome.reason
    assert fake.posts == []


@pytest.mark.parametrize(
    ("provenance", "allowed", "why"),
    [("DELAYED", True, "DELAYED prices"), ("LIVE", False, "LIVE_TRADING is off")],
)
@pytest.mark.fault("F059")
def test_real_money_wants_live_prices_and_the_process_flag(house, port, provenance, allowed, why):
    seat = build_seat("production", "6YA00001")
    broker = TradierBroker(
        seat, house.broker._wire, house.broker.reader, live_allowed=allowed, poll_s=0
    )
    order = order_for(house, account_id=seat.account_id, mode="live", provenance=provenance)
    outcome = broker.submit(port, order)
    assert isinstance(outcome, Rejected)
    assert why in outcome.reason
    assert house.fake.posts == []


def test_a_share_class_is_spelled_as_the_broker_does(house, port, fake):
    house.broker.submit(port, order_for(house, symbol="BRK.B"))
    assert fake.posts[0]["symbol"] == "BRK/B"


# Changes in place and previews.


def test_a_working_order_is_changed_in_place_and_keeps_its_number(house, port, fake):
    house.broker.submit(port, order_for(house))
    before = look(house, port)
    change = Change(type=OrderType.LIMIT, tif=Tif.GTC, limit_price=D("189.5"))
    outcome = house.broker.replace(port, house.account_id, "cm-1", change)
    assert outcome == Accepted(before.broker_order_id)
    assert fake.changes == [
        ("PUT", before.broker_order_id, {"type": "limit", "duration": "gtc", "price": "189.5"})
    ]
    assert (fake.only["price"], fake.only["quantity"]) == ("189.5", "10")
    assert look(house, port).broker_order_id == before.broker_order_id


def test_a_change_of_an_ended_or_unknown_order_is_refused(house, port, fake):
    change = Change(type=OrderType.LIMIT, tif=Tif.DAY, limit_price=D(189))
    assert house.broker.replace(port, house.account_id, "cm-9", change) == Rejected("unknown order")
    house.broker.submit(port, order_for(house))
    fake.end("expired")
    outcome = house.broker.replace(port, house.account_id, "cm-1", change)
    assert outcome == Rejected("order already in finalized state: expired")


@pytest.mark.parametrize("plan", ["lost", "page_502"])
def test_a_change_in_doubt_is_no_answer_and_is_not_repeated(house, port, fake, plan):
    house.broker.submit(port, order_for(house))
    fake.cancel_answers = [plan]
    change = Change(type=OrderType.LIMIT, tif=Tif.DAY, limit_price=D(189))
    outcome = house.broker.replace(port, house.account_id, "cm-1", change)
    assert isinstance(outcome, Ambiguous)
    assert len(fake.changes) == 1


def test_a_change_without_its_price_never_leaves(house, port, fake):
    change = Change(type=OrderType.LIMIT, tif=Tif.DAY)
    outcome = house.broker.replace(port, house.account_id, "cm-1", change)
    assert isinstance(outcome, Rejected)
    assert fake.reads == []


def test_a_preview_costs_nothing_and_places_nothing(house, port, fake):
    said = house.broker.preview(port, order_for(house))
    assert (said.order_cost, said.commission, said.cost) == (D(1901), D("3.49"), D("1904.49"))
    assert said.day_trades == 2
    assert (len(fake.previews), fake.posts, fake.booked) == (1, [], {})


def test_a_preview_that_says_no_is_a_refusal_in_the_brokers_words(house, port, fake):
    fake.preview_errors = "You do not have enough buying power for this trade."
    with pytest.raises(Refusal) as refused:
        house.broker.preview(port, order_for(house))
    assert refused.value.code == "BROKER_REJECTED"
    assert "enough buying power" in str(refused.value)


# Spreads.


def test_a_spread_is_one_request_with_a_leg_for_every_contract(house, port, fake):
    names = ("AAPL270115C00190000", "AAPL270115C00195000")
    legs = [
        SpreadLeg(option_symbol=name, side=side, quantity=D(1))
        for name, side in zip(names, ("buy_to_open", "sell_to_open"), strict=True)
    ]
    form = build_multileg("AAPL", legs, "cm-1", kind="debit", price=D("1.25"))
    assert isinstance(house.broker.post(order_for(house), form), Accepted)
    view = look(house, port)
    assert [leg.symbol.replace(" ", "") for leg in view.legs] == list(names)
    assert [leg.side for leg in view.legs] == ["buy_to_open", "sell_to_open"]
    assert len(fake.posts) == 1


# Orders of others.


def test_an_order_from_the_brokers_own_page_is_seen_and_not_adopted(house, port, fake):
    fake.place_by_hand()
    house.broker.submit(port, order_for(house))
    assert look(house, port).client_order_id == "cm-1"
    assert len(house.broker.reader.listing()) == 2
    house.desk.work(2)
    assert house.desk.read(store.list_orders) == []


def test_of_two_orders_with_one_tag_the_first_counts_and_an_alarm_is_logged(house, port, fake):
    house.broker.submit(port, order_for(house))
    first = look(house, port).broker_order_id
    fake.place_by_hand(tag="cm-1")
    with capture_logs() as logs:
        assert look(house, port).broker_order_id == first
    assert "broker.tag_stands_twice" in [line["event"] for line in logs]


# How often it asks.


def paced(house, **limits):
    clock: HandClock = house.desk.runtime.clock
    wire = OrderClient(house.fake.base_url, house.fake.headers, clock)
    reader = TradierReader(house.seat, wire, clock, **limits)
    return TradierBroker(house.seat, wire, reader), clock


def test_polls_within_two_seconds_share_one_listing(house, port, fake):
    broker, clock = paced(house)
    broker.submit(port, order_for(house))
    for _ in range(8):
        broker.look(port, house.account_id, ["cm-1"])
    assert len(fake.reads) == 1
    clock.advance(seconds=2)
    broker.look(port, house.account_id, ["cm-1"])
    assert len(fake.reads) == 2


def test_an_absence_always_comes_from_a_new_listing(house, port, fake):
    broker, _ = paced(house)
    for _ in range(3):
        assert broker.look(port, house.account_id, ["cm-1"]) == []
    assert len(fake.reads) == 3


def test_what_was_read_before_a_cancel_is_forgotten(house, port):
    broker, _ = paced(house)
    broker.submit(port, order_for(house))
    broker.look(port, house.account_id, ["cm-1"])
    broker.cancel(port, house.account_id, "cm-1")
    (view,) = broker.look(port, house.account_id, ["cm-1"])
    assert view.status is BrokerStatus.CANCELLED


def test_a_cancel_that_takes_its_time_is_not_asked_for_in_every_round(house, fake):
    order_id = house.desk.buy()
    house.desk.work()
    fake.cancel_answers = ["ack"] * 9
    house.desk.write(lambda ctx: execute.cancel(ctx, order_id))
    house.desk.work(6)
    assert len(fake.changes) == 1
    assert house.desk.order(order_id).state is State.CANCEL_PENDING
    house.desk.runtime.clock.advance(seconds=5)
    house.desk.work(2)
    assert len(fake.changes) == 2
    fake.end("canceled")
    house.desk.work()
    assert house.desk.order(order_id).state is State.CANCELLED


def test_a_long_listing_rests_longer(house, port, fake):
    broker, clock = paced(house)
    for _ in range(60):
        fake.place_by_hand()
    broker.submit(port, order_for(house))
    broker.look(port, house.account_id, ["cm-1"])
    asked = len(fake.reads)
    clock.advance(seconds=3)
    broker.look(port, house.account_id, ["cm-1"])
    assert len(fake.reads) == asked
    clock.advance(seconds=4)
    broker.look(port, house.account_id, ["cm-1"])
    assert len(fake.reads) == 2 * asked


def test_a_spent_budget_is_no_answer_and_comes_back_after_the_minute(house, port, fake):
    broker, clock = paced(house, requests_minute=3)
    for _ in range(3):
        broker.look(port, house.account_id, ["cm-1"])
    with pytest.raises(BrokerUnreachable, match="limit of requests"):
        broker.look(port, house.account_id, ["cm-1"])
    assert len(fake.reads) == 3
    clock.advance(seconds=61)
    assert broker.look(port, house.account_id, ["cm-1"]) == []


def test_a_limit_of_the_broker_is_respected(house, port, fake):
    broker, clock = paced(house)
    fake.list_answers = ["limited_429"]
    for _ in range(3):
        with pytest.raises(BrokerUnreachable):
            broker.look(port, house.account_id, ["cm-1"])
    assert len(fake.reads) == 1
    clock.advance(seconds=13)
    assert broker.look(port, house.account_id, ["cm-1"]) == []


def test_the_brokers_own_count_of_requests_is_believed(house, port, fake):
    broker, clock = paced(house)
    ends = round((clock.now().timestamp() + 30) * 1000)
    fake.quota = {
        "X-Ratelimit-Allowed": "60",
        "X-Ratelimit-Used": "60",
        "X-Ratelimit-Available": "0",
        "X-Ratelimit-Expiry": str(ends),
    }
    assert broker.look(port, house.account_id, ["cm-1"]) == []
    with pytest.raises(BrokerUnreachable, match="30 s"):
        broker.look(port, house.account_id, ["cm-1"])
    clock.advance(seconds=31)
    fake.quota = {}
    assert broker.look(port, house.account_id, ["cm-1"]) == []


def test_a_listing_without_an_end_is_no_answer(house, port, fake):
    for _ in range(1000):
        fake.place_by_hand()
    with pytest.raises(BrokerUnreachable, match="more than 40 pages"):
        house.broker.look(port, house.account_id, ["cm-1"])


def test_an_order_that_the_broker_no_longer_knows_is_an_alarm_and_no_end(house, fake):
    order_id = house.desk.buy(type="limit", limit_price="189.00", tif="gtc")
    house.desk.work()
    fake.booked.clear()
    with capture_logs() as logs:
        house.desk.work()
    assert "broker.order_vanished" in [line["event"] for line in logs]
    assert house.desk.order(order_id).state is State.WORKING


def test_a_broker_that_is_off_answers_nothing(house, port):
    house.desk.runtime.ports[Broker].shut(house.account_id, "off for a test")
    absent = house.desk.runtime.ports[Broker].of(house.account_id)
    assert absent.submit(port, order_for(house)) == NotSent("off for a test")
    assert absent.cancel(port, house.account_id, "cm-1") == NotSent("off for a test")
    with pytest.raises(BrokerUnreachable, match="off for a test"):
        absent.look(port, house.account_id, ["cm-1"])


# The pages of the account.


def test_accounts_are_read_as_one_or_many(house, fake):
    fake.speaks_for(ACCOUNT)
    assert [one.number for one in list_accounts(house.broker.reader)] == [ACCOUNT]
    fake.speaks_for(ACCOUNT, "6YA00001")
    assert [one.number for one in list_accounts(house.broker.reader)] == [ACCOUNT, "6YA00001"]


def test_balances_say_cash_equity_and_buying_power(house, fake):
    fake.owns("50000.25")
    money = get_balances(house.broker.reader)
    assert (money.cash, money.buying_power, money.equity) == (D("50000.25"), D("50000.25"), D(1))


@pytest.mark.parametrize(
    "document", [{"balances": "null"}, {"balances": {"account_number": "VA1"}}]
)
def test_balances_without_cash_are_no_answer(house, fake, document):
    fake.documents[f"{PATH}/balances"] = document
    with pytest.raises(BrokerUnreachable):
        get_balances(house.broker.reader)


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ({}, []),
        ({"AAPL": "10"}, [("AAPL", 10)]),
        ({"IBM": "-5", "AAPL": "1"}, [("AAPL", 1), ("IBM", -5)]),
    ],
)
def test_positions_are_read_as_none_one_or_many(house, fake, units, said):
    fake.owns("1", **units)
    assert [(one.symbol, one.quantity) for one in list_positions(house.broker.reader)] == said


def test_history_names_what_happened_and_what_it_moved(house, fake):
    trade = {"price": 190.1, "quantity": 10, "symbol": "AAPL", "commission": 0}
    fake.documents[f"{PATH}/history"] = {
        "history": {
            "event": [
                {
                    "amount": -1901.0,
                    "date": "2027-01-12T00:00:00Z",
                    "type": "trade",
                    "trade": trade,
                },
                {
                    "amount": 2.5,
                    "date": "2027-01-11T00:00:00Z",
                    "type": "interest",
                    "interest": "null",
                },
            ]
        }
    }
    days = {"start": date(2027, 1, 1), "end": date(2027, 1, 31)}
    bought, interest = list_history(house.broker.reader, **days)
    assert (bought.type, bought.symbol, bought.quantity, bought.price) == (
        "trade",
        "AAPL",
        D(10),
        D("190.1"),
    )
    assert (interest.amount, interest.symbol, interest.on) == (D("2.5"), "", date(2027, 1, 11))
    assert "start=2027-01-01&end=2027-01-31&page=1" in fake.reads[-1]


def test_gains_are_read_and_an_empty_page_is_none(house, fake):
    days = {"start": date(2027, 1, 1), "end": date(2027, 1, 31)}
    fake.documents[f"{PATH}/gainloss"] = {"gainloss": "null"}
    assert list_closed(house.broker.reader, **days) == []
    fake.documents[f"{PATH}/gainloss"] = {
        "gainloss": {
            "closed_position": {
                "close_date": "2027-01-12T00:00:00.000Z",
                "cost": 12.7,
                "gain_loss": -2.64,
                "open_date": "2027-01-04T00:00:00.000Z",
                "proceeds": 10.06,
                "quantity": 1.0,
                "symbol": "GE",
            }
        }
    }
    (closed,) = list_closed(house.broker.reader, **days)
    assert (closed.symbol, closed.gain, closed.closed_on) == ("GE", D("-2.64"), date(2027, 1, 12))


def test_another_accounts_order_is_not_looked_for_here(house, port):
    with pytest.raises(BrokerUnreachable, match="connected to"):
        house.broker.look(port, "tradier-VA000002", ["cm-1"])
