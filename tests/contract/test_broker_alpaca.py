"""Owns what only Alpaca has: client ids that dedupe, its table of answers, its tickets, its pace."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal

import pytest

from services import invariant
from services.orders import execute
from services.orders.alpaca import AlpacaBroker
from services.orders.alpaca_scan import AlpacaReader
from services.orders.alpaca_seat import build_seat
from services.orders.alpaca_ticket import build_ticket
from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerStatus,
    BrokerUnreachable,
    NotSent,
    Rejected,
)
from services.orders.order import Order, OrderClass, OrderType, Side, State, Tif
from services.orders.order_client import OrderClient, WireLimits
from services.orders.tables import submit_attempts
from tests.contract.houses import AlpacaHouse, order_for, port_of
from tests.fakes.alpaca_broker import ACCOUNT

D = Decimal
EXITS = {"take_profit": D(210), "stop_loss": D(185)}
CARRIED = ("money_403", "rule_422", "keys_403")
DOUBTED = ("empty", "page_504", "limited_429", "twice_422", "text_403", "redirect")


@pytest.fixture
def house(database, settings):
    """Yield the house; afterwards every invariant holds, and no order stands twice."""
    made = AlpacaHouse(database, settings)
    yield made
    made.close()
    assert made.desk.read(invariant.check_all) == []
    names = [one.row["client_order_id"] for one in made.fake.booked.values()]
    assert len(names) == len(set(names))


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


def later(desk, seconds=60, rounds=1):
    for _ in range(rounds):
        desk.runtime.clock.advance(seconds=seconds)
        desk.feed.advance(seconds=seconds)
        desk.work()


# What the answer to a submit means.


@pytest.mark.fault("F041", "F042", "F057")
def test_every_answer_of_the_table_is_judged_and_none_is_asked_twice(house, fake, port):
    number = itertools.count(1)
    plans = house.plans
    for booked in ("", "booked:"):
        for plan in (*plans.definite, *plans.unclear):
            fake.answers = [f"{booked}{plan}"]
            outcome = house.broker.submit(port, order_for(house, next(number)))
            expected = Rejected if plan in plans.definite else Ambiguous
            assert isinstance(outcome, expected), (plan, outcome)
            assert outcome.reason
    assert len(fake.posts) == 2 * len((*plans.definite, *plans.unclear))


@pytest.mark.parametrize("plan", CARRIED)
@pytest.mark.fault("F042", "F057")
def test_a_clear_no_ends_the_order_and_frees_its_cash(desk, fake, plan):
    fake.answers = [plan]
    order_id = desk.buy()
    desk.work(3)
    order = desk.order(order_id)
    assert (order.state, bool(order.reason)) == (State.REJECTED, True)
    assert desk.cash().reserved.amount == 0
    assert (len(fake.posts), desk.count(submit_attempts)) == (1, 1)


@pytest.mark.parametrize("plan", [*(f"booked:{one}" for one in DOUBTED), "lost", "cut"])
@pytest.mark.fault("F037", "F041", "F044")
def test_an_unclear_answer_is_looked_up_and_the_order_is_found(house, desk, fake, plan):
    fake.answers = [plan]
    order_id = desk.buy()
    desk.work()
    assert desk.order(order_id).state is State.UNKNOWN
    later(desk, 13)
    assert desk.order(order_id).state is State.WORKING
    house.meet()
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, D(10))
    assert len(fake.posts) == 1


@pytest.mark.parametrize("plan", ["lost_before", "page_504", "json_500"])
@pytest.mark.fault("F036", "F045")
def test_what_never_arrived_is_sent_again_under_the_same_id(house, desk, fake, plan):
    fake.answers = [plan]
    order_id = desk.buy()
    desk.work(3)
    assert desk.order(order_id).state is State.WORKING
    assert len(fake.posts) == desk.count(submit_attempts) == 2
    assert fake.posts[0] == fake.posts[1]
    house.meet()
    desk.work()
    assert desk.held() == 10


@pytest.mark.fault("F042")
def test_an_order_that_met_the_limit_waits_before_it_is_sent_again(desk, fake):
    fake.answers = ["limited_429"]
    order_id = desk.buy()
    desk.work(6)
    assert (desk.order(order_id).state, len(fake.posts)) == (State.UNKNOWN, 1)
    later(desk, 13, rounds=3)
    assert (desk.order(order_id).state, len(fake.posts)) == (State.WORKING, 2)


@pytest.mark.fault("F038")
def test_a_first_request_that_arrives_after_the_second_makes_no_second_order(house, desk, fake):
    fake.answers = ["late"]
    order_id = desk.buy()
    desk.work(3)
    fake.arrive()
    house.meet()
    desk.work()
    assert (desk.order(order_id).state, desk.held()) == (State.FILLED, D(10))
    assert (len(fake.posts), len(fake.booked)) == (2, 1)


@pytest.mark.fault("F039")
def test_an_order_that_can_not_be_seen_yet_is_refused_a_second_time_and_found(desk, fake):
    fake.lag, fake.answers = 3, ["lost"]
    order_id = desk.buy()
    desk.work(2)
    later(desk, 10, rounds=4)
    assert desk.order(order_id).state is State.WORKING
    assert (len(fake.posts) > 1, len(fake.booked)) == (True, 1)


@pytest.mark.fault("F036")
def test_nothing_is_sent_again_after_the_confirmation_is_over(desk, fake):
    fake.answers = ["lost_before"]
    order_id = desk.buy()
    desk.work()
    later(desk, 700)
    later(desk, 60, rounds=4)
    assert desk.order(order_id).state is State.PRESUMED_NOT_ACCEPTED
    assert (len(fake.posts), fake.booked) == (1, {})


@pytest.mark.fault("F044")
def test_a_broker_that_says_nothing_in_time_leaves_the_order_in_doubt(database, settings):
    house = AlpacaHouse(database, settings, limits=WireLimits(connect_s=10, read_s=1.0))
    house.fake.answers, house.fake.silence_s = ["silent"], 6.0
    outcome = house.broker.submit(port_of(house), order_for(house))
    assert outcome == Ambiguous("ReadTimeout")
    house.close()


@pytest.mark.fault("F043")
def test_nobody_listening_proves_that_nothing_left(house, desk, fake):
    house.broker.reader.require_account()
    house.broker._wire = OrderClient("http://127.0.0.1:9", {}, desk.runtime.clock)
    order_id = desk.buy()
    desk.work(3)
    order = desk.order(order_id)
    assert (order.state, order.reason) == (State.EXPIRED, "never sent: ConnectError")
    assert desk.cash().reserved.amount == 0


def test_a_reject_that_comes_after_the_accept_frees_the_cash(desk, fake):
    order_id = desk.buy()
    desk.work()
    fake.end("rejected", reason="day trading buying power exceeded")
    desk.work()
    order = desk.order(order_id)
    assert (order.state, order.reason) == (State.REJECTED, "day trading buying power exceeded")
    assert desk.cash().reserved.amount == 0


# What may not leave.


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"account_id": "alpaca-PA3OTHER"}, "the order is for alpaca-PA3OTHER"),
        ({"account_id": "acc_1"}, "the order is for acc_1"),
        ({"mode": "live"}, "a live order can not go to the paper account"),
        ({"provenance": "REPLAY"}, "REPLAY prices can not trade"),
        ({"provenance": "SIMULATED"}, "SIMULATED prices can not trade"),
        ({"client_order_id": "cm_1"}, "PARAM_INVALID"),
        ({"client_order_id": "c" * 49}, "PARAM_INVALID"),
        ({"symbol": "BRK/B"}, "PARAM_INVALID"),
        ({"limit_price": D("190.105")}, "multiple of 0.01"),
    ],
)
@pytest.mark.fault("F058", "F059")
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
    seat = build_seat("live", "912345678")
    broker = AlpacaBroker(seat, house.broker._wire, house.broker.reader, live_allowed=allowed)
    order = order_for(house, account_id=seat.account_id, mode="live", provenance=provenance)
    outcome = broker.submit(port, order)
    assert isinstance(outcome, Rejected)
    assert why in outcome.reason
    assert house.fake.posts == []


@pytest.mark.fault("F059")
def test_keys_of_another_account_send_nothing_and_prove_no_absence(house, desk, port, fake):
    fake.documents["/v2/account"]["account_number"] = "PA3OTHERACC"
    outcome = house.broker.submit(port, order_for(house))
    assert outcome == Rejected(f"the keys are not those of account {ACCOUNT}")
    with pytest.raises(BrokerUnreachable, match="not those of account"):
        look(house)
    assert isinstance(house.broker.cancel(port, house.account_id, "cm-1"), NotSent)
    order_id = desk.buy()
    desk.work(2)
    assert desk.order(order_id).state is State.REJECTED
    assert fake.posts == []


def test_an_account_that_can_not_be_asked_for_sends_nothing(house, port, fake):
    fake.documents["/v2/account"] = {"message": "internal server error occurred"}
    outcome = house.broker.submit(port, order_for(house))
    assert isinstance(outcome, NotSent)
    assert fake.posts == []


def test_the_account_is_asked_for_once(house, fake):
    place(house)
    place(house, 2)
    look(house)
    assert fake.reads.count("/v2/account") == 1


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"type": OrderType.MARKET}, {"type": "limit", "limit_price": "192.01"}),
        (
            {"type": OrderType.STOP, "stop_price": D("191")},
            {"type": "stop_limit", "limit_price": "192.01", "stop_price": "191"},
        ),
        (
            {"type": OrderType.STOP, "stop_price": D("180"), "side": Side.SELL},
            {"type": "stop", "stop_price": "180", "side": "sell"},
        ),
        ({"type": OrderType.MARKET, "side": Side.SELL}, {"type": "market", "side": "sell"}),
        (
            {"tif": Tif.GTC, "order_class": OrderClass.OTOCO, **EXITS},
            {
                "type": "limit",
                "limit_price": "190.1",
                "time_in_force": "gtc",
                "order_class": "bracket",
                "take_profit": {"limit_price": "210"},
                "stop_loss": {"stop_price": "185"},
            },
        ),
        ({"order_class": OrderClass.OTOCO, **EXITS}, {"type": "limit", "limit_price": "190.1"}),
        (
            {
                "tif": Tif.GTC,
                "order_class": OrderClass.OCO,
                "side": Side.SELL,
                "limit_price": D(210),
                "stop_loss": D(185),
            },
            {
                "type": "limit",
                "side": "sell",
                "time_in_force": "gtc",
                "order_class": "oco",
                "take_profit": {"limit_price": "210"},
                "stop_loss": {"stop_price": "185"},
            },
        ),
    ],
)
def test_an_order_travels_as_the_broker_names_it(house, changes, body):
    usual = {"symbol": "AAPL", "qty": "10", "side": "buy", "time_in_force": "day"}
    ticket = json.loads(build_ticket(order_for(house, **changes)))
    assert ticket == {**usual, "client_order_id": "cm-1", **body}


# How often it asks.


def paced(house, **limits):
    clock = house.desk.runtime.clock
    wire = OrderClient(house.fake.base_url, house.fake.headers, clock)
    reader = AlpacaReader(house.seat, wire, clock, **limits)
    reader.require_account()
    house.fake.reads.clear()
    return AlpacaBroker(house.seat, wire, reader), clock


def test_polls_within_two_seconds_share_one_listing(house, port, fake):
    broker, clock = paced(house)
    for number in (1, 2, 3):
        broker.submit(port, order_for(house, number))
    for _ in range(8):
        assert len(broker.look(port, house.account_id, ["cm-1", "cm-2", "cm-3"])) == 3
    assert len(fake.reads) == 1
    clock.advance(seconds=2)
    broker.look(port, house.account_id, ["cm-1"])
    assert len(fake.reads) == 2


def test_an_absence_is_the_brokers_own_answer_of_now(house, port, fake):
    broker, _ = paced(house)
    for _ in range(3):
        assert broker.look(port, house.account_id, ["cm-9"]) == []
    names = [path for path in fake.reads if "by_client_order_id" in path]
    assert len(names) == 3


def test_an_order_older_than_the_listing_is_asked_for_by_its_client_id(house, fake):
    place(house, order_class=OrderClass.OTOCO, tif=Tif.GTC, **EXITS)
    fake.book.listing = lambda *_: []
    assert look(house).status is BrokerStatus.OPEN
    assert any("nested=true" in path and "/v2/orders/" in path for path in fake.reads)


def test_a_cancel_that_takes_its_time_is_not_asked_for_in_every_round(house, desk, fake):
    order_id = desk.buy()
    desk.work()
    fake.cancel_answers = ["ack"]
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(6)
    assert len(fake.changes) == 1
    assert desk.order(order_id).state is State.CANCEL_PENDING
    fake.end("canceled")
    desk.work()
    assert desk.order(order_id).state is State.CANCELLED


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
    ends = str(round(clock.now().timestamp() + 30))
    fake.quota = {
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": ends,
    }
    with pytest.raises(BrokerUnreachable, match="30 s"):
        broker.look(port, house.account_id, ["cm-1"])
    clock.advance(seconds=31)
    fake.quota = {}
    assert broker.look(port, house.account_id, ["cm-1"]) == []
