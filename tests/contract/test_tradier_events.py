"""Owns what an event of the account at Tradier may do: make us ask sooner, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.broker import BrokerLink, BrokerRecord
from app.broker_stream import build_events, listening, start_broker_events
from app.http.health import _events
from services.identity.user import LOCAL_TENANT
from services.kit.bus.port import Bus
from services.kit.clock import Clock
from services.kit.errors import refuse
from services.market.stream_state import StreamTiming
from services.orders.broker_routes import BrokerRoutes
from services.orders.order import State
from services.orders.order_client import OrderClient, WireLimits
from services.orders.paper import PaperBroker
from services.orders.tradier import TradierBroker
from services.orders.tradier_events import EVENT_HOSTS, Hints, Pace
from services.orders.tradier_scan import TradierReader
from services.orders.tradier_seat import build_seat
from tests.contract.houses import FAST, TradierHouse
from tests.fakes.massive_stream import RealClock
from tests.fakes.tradier_broker import ACCOUNT, TradierBrokerage
from tests.fakes.tradier_events import SESSION, TradierEventsServer

QUICK = StreamTiming(poll_s=0.02, backoff_s=0.02, backoff_s_max=0.05, silence_s=60, lease_s=60)
FREE = Pace(rest_s=0, minute_max=100_000)


class SlowHouse(TradierHouse):
    """A house whose listing answers polls for two seconds of a clock that stands still."""

    @staticmethod
    def broker_at(base_url: str, clock: Clock, limits: WireLimits = FAST) -> BrokerRoutes:
        seat = build_seat("sandbox", ACCOUNT)
        wire = OrderClient(base_url, TradierBrokerage(clock).headers, clock, limits=limits)
        broker = TradierBroker(seat, wire, TradierReader(seat, wire, clock))
        return BrokerRoutes(PaperBroker(), {seat.account_id: broker})


def until(fact: Callable[[], Any], wait_s: float = 5.0) -> None:
    end = time.monotonic() + wait_s
    while not fact():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def house(database, settings):
    made = SlowHouse(database, settings)
    yield made
    made.close()


@pytest.fixture
def server(house):
    with TradierEventsServer(house.fake) as made:
        yield made


@pytest.fixture
def told():
    return []


def product_of(house, told, clock: Clock | None = None) -> Any:
    runtime = house.desk.runtime
    bus = SimpleNamespace(publish=lambda topic, key: told.append((topic, key)))
    now = clock or runtime.clock
    return SimpleNamespace(runtime=runtime, clock=now, ids=runtime.ids, bus=bus)


def link_of(house, *, on: bool = True, checked: bool = True) -> BrokerLink:
    record = BrokerRecord(name="tradier", on=on, why="", account_id=house.account_id)
    return BrokerLink(record, broker=house.broker, wire=house.broker._wire, checked=checked)


@pytest.fixture
def start(house, server, told):
    """Return how to start a stream; the test ends it."""
    begun = []

    def begin(timing: StreamTiming = QUICK, pace: Pace = FREE, clock: Clock | None = None) -> Any:
        stream = build_events(
            product_of(house, told, clock),
            link_of(house),
            ws_base=server.ws_base,
            timing=timing,
            pace=pace,
        )
        begun.append(stream)
        stream.start()
        until(lambda: server.listeners and told)
        told.clear()
        return stream

    yield begin
    for stream in begun:
        stream.stop()


def working(house) -> str:
    order_id = house.desk.buy(type="limit", limit_price="189.00")
    house.desk.work(2)
    assert house.desk.order(order_id).state is State.WORKING
    return order_id


# What a hint does.


def test_an_event_shows_a_fill_without_waiting_for_the_poll(house, server, start, told):
    start()
    order_id = working(house)
    house.fake.fill("10", "189.00")
    house.desk.work(3)
    assert house.desk.order(order_id).state is State.WORKING
    server.order(house.fake.only, "filled")
    until(lambda: told)
    assert told == [("orders", LOCAL_TENANT)]
    house.desk.work()
    assert house.desk.order(order_id).state is State.FILLED


def test_what_an_event_names_is_never_believed(house, server, start, told):
    start()
    order_id = working(house)
    for status in ("filled", "canceled", "rejected", "expired"):
        told.clear()
        server.order(house.fake.only, status)
        until(lambda: told)
        house.desk.work()
    order = house.desk.order(order_id)
    assert (order.state, order.filled_quantity, house.desk.held()) == (State.WORKING, 0, 0)


def test_an_event_asks_for_the_session_by_its_form_and_at_its_own_host(server, start):
    start()
    (asked,) = server.asked
    assert asked == {"events": ["order"], "sessionid": "session-1", "excludeAccounts": []}
    assert EVENT_HOSTS["sandbox"] == "wss://sandbox-ws.tradier.com"


# What changes nothing.


def test_foreign_accounts_heartbeats_and_repeats_wake_nobody(house, server, start, told):
    stream = start()
    order_id = working(house)
    house.fake.fill("10", "189.00")
    server.order(house.fake.only, "filled", account="VA999999")
    server.heartbeat()
    until(lambda: stream.events.counts["foreign"] == 1)
    assert told == []
    for _ in range(3):
        server.order(house.fake.only, "open")
    until(lambda: stream.events.counts["repeated"] == 2)
    until(lambda: told)
    assert (len(told), stream.events.counts["events"]) == (1, 1)
    house.desk.work()
    assert house.desk.order(order_id).state is State.FILLED


GARBAGE = [
    "garbage",
    b"\xff\xfe",
    "[]",
    '{"event":',
    '{"event":"order"}x',
    '{"event":{"a":1}}',
    "[" * 5000,
    "{}",
    '{"event":"trade","id":1}',
]


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_changes_nothing(house, server, start, told, body):
    stream = start()
    order_id = working(house)
    house.fake.fill("10", "189.00")
    server.push_raw(body)
    server.push_raw("")
    server.heartbeat()
    until(lambda: stream.phase == "live")
    house.desk.work()
    assert told == []
    assert house.desk.order(order_id).state is State.WORKING


def test_garbage_without_an_end_ends_the_connection_and_another_one_hears(server, start, told):
    stream = start()
    for _ in range(3):
        server.push_raw("garbage")
    until(lambda: server.opened == 2 and server.listeners)
    assert stream.reconnects == 1


def test_many_events_in_one_frame_are_one_hint(house, server, start, told):
    start(pace=Pace(rest_s=0.2), clock=RealClock(house.feed.time))
    rows = [{"event": "order", "id": number, "account": ACCOUNT} for number in range(50)]
    server.push(*rows)
    until(lambda: told)
    time.sleep(0.1)
    assert len(told) == 1


# Pace.


def test_a_storm_of_events_asks_at_a_bounded_pace_and_loses_none():
    told: list[int] = []
    hints = Hints(lambda: told.append(1), Pace(rest_s=1, minute_max=3))
    at = 0.0
    for _ in range(100):
        hints.note()
        hints.flush(at)
        at += 0.1
    assert len(told) == 3
    assert not hints.flush(59.9)
    assert hints.flush(60.0)
    assert not hints.flush(200.0)


# The line.


@pytest.mark.parametrize("fault", ["cut", "close"])
def test_a_lost_line_is_opened_again_and_hints_once_in_case_something_was_missed(
    server, start, told, fault
):
    server.plan(fault)
    stream = start()
    assert (server.opened, stream.reconnects) == (2, 1)


def test_a_line_without_heartbeats_is_left(house, server, start, told):
    server.plan("", "deaf")
    timing = StreamTiming(poll_s=0.02, backoff_s=0.02, silence_s=0.15, lease_s=60)
    stream = start(timing=timing, clock=RealClock(house.feed.time))
    until(lambda: server.opened >= 3)
    assert stream.reconnects >= 2


@pytest.mark.parametrize(
    "answer", [{"stream": "null"}, {"fault": {"faultstring": "Invalid Access Token"}}, []]
)
def test_without_a_session_it_waits_and_tries_again(house, server, told, answer):
    good = house.fake.documents[SESSION]
    house.fake.documents[SESSION] = answer
    stream = build_events(
        product_of(house, told), link_of(house), ws_base=server.ws_base, timing=QUICK, pace=FREE
    )
    stream.start()
    until(lambda: stream.reconnects >= 2)
    assert (server.opened, told) == (0, [])
    house.fake.documents[SESSION] = good
    until(lambda: server.listeners)
    stream.stop()


def test_a_server_that_knows_no_session_is_asked_for_another(house, server, told):
    house.fake.documents[SESSION] = {"stream": {"sessionid": "old", "url": "x"}}
    stream = build_events(
        product_of(house, told), link_of(house), ws_base=server.ws_base, timing=QUICK, pace=FREE
    )
    stream.start()
    until(lambda: server.opened >= 2)
    stream.stop()
    assert {one["sessionid"] for one in server.asked} == {"old"}
    assert server.listeners == 0


def test_a_second_listener_elsewhere_makes_it_wait_a_minute(server, start):
    stream = start()
    server.push({"error": "too many sessions"})
    until(lambda: stream.phase == "waiting")
    assert stream.reason == "the session was refused: PROVIDER_CONNECTION_LIMIT"
    time.sleep(0.1)
    assert server.opened == 1


def test_with_the_line_down_polling_goes_on(house, server, start):
    stream = start()
    stream.stop()
    order_id = working(house)
    house.fake.fill("10", "189.00")
    house.desk.work()
    assert house.desk.order(order_id).state is State.WORKING
    house.desk.runtime.clock.advance(seconds=4)
    house.desk.work()
    assert house.desk.order(order_id).state is State.FILLED


def test_one_process_listens_and_the_next_takes_over(house, server, start, told):
    first = start()
    second = build_events(
        product_of(house, told), link_of(house), ws_base=server.ws_base, timing=QUICK, pace=FREE
    )
    second.start()
    until(lambda: second.phase == "not_leader")
    assert server.opened == 1
    first.stop()
    second.stop()
    second.start()
    until(lambda: server.opened == 2)
    second.stop()


def test_a_lease_that_can_not_be_read_is_no_leadership_until_it_can(house, server, told):
    product, busy = product_of(house, told), [True]
    runtime = house.desk.runtime

    def write(*given: Any) -> Any:
        if busy[0]:
            raise refuse("DATABASE_BUSY")
        return runtime.write(*given)

    product.runtime = SimpleNamespace(write=write)
    timing = replace(QUICK, lease_s=0.3)
    clock = RealClock(house.feed.time)
    product.clock = clock
    stream = build_events(product, link_of(house), ws_base=server.ws_base, timing=timing, pace=FREE)
    stream.start()
    stream.start()
    until(lambda: stream.phase == "not_leader")
    assert server.opened == 0
    busy[0] = False
    until(lambda: server.listeners == 1)
    busy[0] = True
    stream.stop()
    assert stream.phase == "off"


# Its care.


@pytest.mark.parametrize(
    ("phase", "reason", "said"),
    [
        ("live", "", {"on": True, "why": "live"}),
        ("waiting", "no heartbeat came", {"on": False, "why": "waiting: no heartbeat came"}),
        ("not_leader", "elsewhere", {"on": False, "why": "not leader: elsewhere"}),
    ],
)
def test_the_page_says_whether_events_are_heard(house, phase, reason, said):
    link = link_of(house)
    link.events = SimpleNamespace(phase=phase, reason=reason)
    assert _events(link) == {"name": "tradier account events", "todo": "", **said}


def test_it_listens_once_the_account_was_checked_and_ends_with_the_server(house, server, told):
    link = link_of(house, checked=False)
    product = product_of(house, told)
    stream = build_events(product, link, ws_base=server.ws_base, timing=QUICK, pace=FREE)

    async def run() -> None:
        async with listening(product, link, stream):
            await asyncio.sleep(0.05)
            assert stream.phase == "off"
            link.checked = True
            for _ in range(400):
                await asyncio.sleep(0.005)
                if server.listeners:
                    break
            assert server.listeners == 1

    asyncio.run(run())
    assert stream.phase == "off"
    until(lambda: server.listeners == 0)


@pytest.mark.parametrize(
    ("on", "base_url"), [(False, ""), (True, "http://127.0.0.1:1")], ids=["off", "stand-in"]
)
def test_it_is_not_started_where_it_is_switched_off_or_the_host_is_a_stand_in(
    house, server, told, on, base_url
):
    product = product_of(house, told)
    product.settings = SimpleNamespace(feature_tradier_events=on, tradier_base_url=base_url)
    product.brokers = SimpleNamespace(links=[link_of(house)])

    async def run() -> None:
        async with start_broker_events(product):
            await asyncio.sleep(0.05)

    asyncio.run(run())
    assert server.asked == []


def test_a_hint_reaches_the_loop_that_waits_for_orders(house, server, told):
    bus = house.desk.runtime.ports[Bus]
    product = product_of(house, told)
    product.bus = bus
    stream = build_events(product, link_of(house), ws_base=server.ws_base, timing=QUICK, pace=FREE)

    async def run() -> str | None:
        async with bus.subscribe("orders") as wakes:
            stream.start()
            return await wakes.next(5)

    key = asyncio.run(run())
    stream.stop()
    assert key == LOCAL_TENANT


def test_an_end_is_logged_with_its_reason_and_no_session(house, server, start):
    with capture_logs() as logs:
        server.plan("close")
        start()
    (ended,) = [line for line in logs if line["event"] == "broker.events_ended"]
    assert "closed the connection (1011)" in ended["reason"]
    assert "session-" not in str(logs)
