"""The stream of Massive against a real loopback socket that speaks the vendor's wire, and its faults."""

import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.kit.errors import refuse
from services.market.bar import Bar
from services.market.feed import BarSeries
from services.market.live import LiveBook
from services.market.quote import Provenance
from services.market.stream import Leadership, MassiveStream
from services.market.stream_link import StreamAccount
from services.market.stream_state import StreamTiming
from services.market.vendor_listing import us_listing
from tests.fakes.massive_stream import KEY, MassiveStreamServer, RealClock, StreamFault

OPEN_MARKET = datetime(2026, 3, 9, 15, 0, 30, tzinfo=UTC)
WEEKEND = datetime(2026, 3, 7, 15, 0, 30, tzinfo=UTC)
SHORT = StreamTiming(
    connect_s=15.0,
    greet_s=15.0,
    poll_s=0.01,
    silence_s=15.0,
    settled_s=0.1,
    backoff_s=0.1,
    backoff_s_max=0.1,
    crowded_s=0.5,
    lease_s=0.3,
    fill_after_s=0.0,
    close_s=0.2,
)
"""Quick where a test waits for it, patient where a busy machine must not look like a fault."""
QUICK_TO_DOUBT = {
    StreamFault.NO_WELCOME: replace(SHORT, greet_s=1.0),
    StreamFault.DEAF: replace(SHORT, silence_s=1.0),
}


def plain_bar(opens, price):
    c = Decimal(price)
    closes = opens + timedelta(minutes=1)
    return Bar(t_open=opens, t_close=closes, o=c, h=c, l=c, c=c, v=Decimal(7))


def minute_row(bar):
    ends = [int(at.timestamp() * 1000) for at in (bar.t_open, bar.t_close)]
    prices = dict.fromkeys("ohlc", float(bar.c))
    return {"ev": "AM", "sym": "AAPL", "v": 7, "s": ends[0], "e": ends[1], **prices}


class Minutes:
    """The provider's minutes over REST: one bar a minute, counted, with a refusal to switch on."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = []
        self.refusals = []
        opens = OPEN_MARKET.replace(second=0)
        self.known = [plain_bar(opens - timedelta(minutes=ago), 1) for ago in (2, 1)]

    def instrument(self, symbol):
        return us_listing("XNAS", symbol, symbol, "equity")

    def ineligible(self):
        return frozenset({"2"})

    def minutes(self, symbol, count):
        self.asked.append((symbol, count))
        if self.refusals:
            raise self.refusals.pop(0)
        as_of = self.clock.now() + timedelta(seconds=10)
        return BarSeries(symbol, "1m", tuple(self.known), Provenance.LIVE, "massive", as_of, "hash")


class Desk:
    """A stream with its book, its clock and who leads."""

    def __init__(self, server, *, key=KEY, start=OPEN_MARKET, timing=SHORT, **account):
        self.clock = RealClock(start)
        self.book = LiveBook(provenance=Provenance.LIVE, source="massive")
        self.minutes = Minutes(self.clock)
        self.leads, self.led, self.released = True, 0, 0
        given = {"base_url": server.base_url, "cluster": "stocks", "delayed": False, **account}
        self.stream = MassiveStream(
            StreamAccount(key=key, **given),
            self.book,
            self.clock,
            source=self.minutes,
            leadership=Leadership(take=self.take, release=self.release),
            chance=lambda: 0.0,
            timing=timing,
        )

    def take(self):
        self.led += 1
        return self.leads

    def release(self):
        self.released += 1

    @property
    def phase(self):
        return self.stream.state().phase

    def row(self, ev="T", sym="AAPL", **fields):
        at = int(self.clock.now().timestamp() * 1000)
        base = {"T": {"p": 10, "s": 1, "i": str(at), "q": at, "t": at}}
        base["Q"] = {"bp": 9.5, "ap": 10.5, "bs": 1, "as": 2, "q": at, "t": at}
        base["A"] = {"o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "s": at - 1000, "e": at}
        return {"ev": ev, "sym": sym, **base[ev], **fields}


@contextmanager
def running(server, symbols=("AAPL",), **given):
    desk = Desk(server, **given)
    desk.stream.watch(frozenset(symbols))
    desk.stream.start()
    try:
        yield desk
    finally:
        desk.stream.stop()


def until(holds, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.003)


@pytest.fixture
def server():
    with MassiveStreamServer() as started:
        yield started


def flows(server, desk):
    """Push a trade until the book has it: the connection that is open now works."""

    def holds():
        row = desk.row()
        server.push(row)
        time.sleep(0.005)
        found = desk.book.find_trade("AAPL")
        return found is not None and found.seq == row["q"]

    until(holds)


def test_a_subscribed_symbol_has_a_quote_in_the_book(server):
    with running(server) as desk:
        until(lambda: "Q.AAPL" in server.subscribed() and desk.minutes.asked)
        server.push(desk.row("Q"), desk.row("T", p=10.125))
        until(lambda: desk.book.find_quote("AAPL") is not None)
        found = desk.book.find_quote("AAPL")
        assert (found.last, found.bid_size, found.ask_size) == (Decimal("10.125"), 100, 200)
        assert server.subscribed() == {"A.SPY", "AM.AAPL", "Q.AAPL", "T.AAPL"}
        assert desk.phase == "live"
        assert desk.stream.state().last_frame_at is not None
        assert desk.stream.capability().on


def test_symbols_are_followed_and_left_while_connected(server):
    with running(server) as desk:
        until(lambda: "T.AAPL" in server.subscribed())
        desk.stream.watch(frozenset({"MSFT", "O:SPY241220P00720000", "I:SPX"}))
        until(lambda: server.subscribed() == {"A.SPY", "T.MSFT", "Q.MSFT", "AM.MSFT"})
        assert (desk.stream.state().symbols, server.connections) == (1, 1)


def test_a_thousand_symbols_are_asked_for_in_batches(server):
    with running(server, [f"S{at:04d}" for at in range(1100)]):
        until(lambda: len(server.subscribed()) == 3001)
        assert max(len(params.split(",")) for params in server.sent("subscribe")) == 100


def test_nothing_watched_is_no_connection(server):
    with running(server, ()) as desk:
        until(lambda: desk.stream.state().reason == "nothing is watched")
        desk.stream.watch(frozenset({"AAPL"}))
        until(lambda: desk.phase == "live")
        desk.stream.watch(frozenset())
        until(lambda: desk.phase == "off")
        assert server.connections == 1


def test_a_refused_key_ends_it_and_says_what_to_do(server):
    with running(server, key="wrong") as desk:
        until(lambda: desk.phase == "refused")
        state = desk.stream.state()
        assert (state.reason, state.reconnects) == ("Massive refused the key", 0)
        assert "MASSIVE_API_KEY" in state.todo
        time.sleep(0.1)
        assert (server.connections, desk.stream.supervise()) == (1, False)
        assert desk.stream.capability().on is False
    assert desk.stream.state().phase == "refused"


@pytest.mark.fault("F027")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (StreamFault.AUTH_TIMEOUT, "the sign-in took too long"),
        (StreamFault.NO_WELCOME, "the server did not answer the sign-in"),
        (StreamFault.SLOW_READER, "the server cut the connection off: read too slowly (1008)"),
        (StreamFault.CLEAN_CLOSE, "the server closed the connection (1000)"),
        (StreamFault.CUT, "the connection broke off"),
        (StreamFault.DEAF, "no data in an open market while the connection answers"),
        (StreamFault.CROWDED, "another process uses this key"),
    ],
    ids=lambda one: one.name if isinstance(one, StreamFault) else "",
)
def test_it_recovers_by_itself(server, fault, reason):
    server.plan(fault)
    said = []
    with running(server, timing=QUICK_TO_DOUBT.get(fault, SHORT)) as desk:
        until(lambda: said.append(desk.stream.state().reason) or reason in said)
        flows(server, desk)
        state = desk.stream.state()
        assert (desk.phase, server.connections) == ("live", 2)
        assert (state.reconnects, state.reason) == (1, "")


@pytest.mark.fault("F027")
def test_a_crowded_account_is_told_and_forgotten_once_data_have_flowed(server):
    server.plan(StreamFault.CROWDED)
    with running(server) as desk:
        until(lambda: desk.phase == "waiting" and desk.stream.state().crowded)
        state = desk.stream.state()
        assert "other process" in state.todo
        until(lambda: server.connections == 2)
        assert desk.clock.now() - state.since >= timedelta(seconds=SHORT.crowded_s)
        assert desk.stream.state().crowded
        until(lambda: flows(server, desk) or not desk.stream.state().crowded)


@pytest.mark.fault("F027")
def test_reconnects_without_data_grow_apart(server):
    server.plan(*[StreamFault.CLEAN_CLOSE] * 100)
    slow = StreamTiming(poll_s=0.01, backoff_s=0.05, backoff_s_max=10, fill_after_s=9, close_s=0.2)
    with running(server, timing=slow) as desk:
        until(lambda: desk.stream.state().reconnects >= 3)
        time.sleep(0.3)
        assert server.connections <= 6


@pytest.mark.fault("F027")
def test_a_gap_is_marked_and_its_minutes_are_asked_for_once_per_symbol(server):
    with running(server, ["AAPL", "MSFT"]) as desk:
        flows(server, desk)
        until(lambda: desk.book.find_whole("AAPL") is not None)
        before = len(desk.minutes.asked)
        server.close_all(1000)
        until(lambda: server.connections == 2)
        until(lambda: len(desk.minutes.asked) == before + 2)
        time.sleep(0.05)
        assert sorted(desk.minutes.asked[before:]) == [("AAPL", 390), ("MSFT", 390)]
        state = desk.stream.state()
        assert state.gap_from is not None
        assert state.gap_from < state.gap_until
        assert len(desk.book.recent_bars("MSFT")) == 2


@pytest.mark.fault("F027")
def test_after_a_storm_of_disconnects_every_minute_equals_the_source(server):
    """The line drops after every third minute and loses one each time; REST has them all."""
    with running(server) as desk:
        until(lambda: "AM.AAPL" in server.subscribed())
        first = OPEN_MARKET.replace(second=0) - timedelta(minutes=30)
        source = [plain_bar(first + timedelta(minutes=at), at + 1) for at in range(24)]
        desk.minutes.known = source[:0]
        for at, bar in enumerate(source):
            desk.minutes.known = source[: at + 1]
            if at % 4 == 3:
                drops = server.connections
                server.close_all(1000)
                until(lambda before=drops: "AM.AAPL" in server.subscribed(after=before))
                continue
            server.push(minute_row(bar))
            until(lambda due=bar: due in desk.book.recent_bars("AAPL"))
        until(lambda: desk.book.recent_bars("AAPL") == tuple(source))
        assert desk.stream.state().reconnects == 6


def test_a_limited_provider_is_asked_again_for_the_minutes_later(server):
    with running(server, ()) as desk:
        desk.minutes.refusals = [
            refuse("PROVIDER_RATE_LIMITED", provider="Massive", retry_after_s=0),
            refuse("PROVIDER_RATE_LIMITED", provider="Massive", retry_after_s=0),
        ]
        desk.stream.watch(frozenset({"AAPL"}))
        until(lambda: desk.book.find_whole("AAPL") is not None)
        assert len(desk.minutes.asked) == 3


def test_an_unknown_symbol_is_not_asked_for_again(server):
    with running(server, ()) as desk:
        desk.minutes.refusals = [refuse("SYMBOL_UNKNOWN", kind="symbol", value="AAPL")]
        desk.stream.watch(frozenset({"AAPL"}))
        until(lambda: desk.minutes.asked)
        time.sleep(0.05)
        assert len(desk.minutes.asked) == 1


def test_a_message_that_can_not_be_read_is_a_gap_and_no_end(server):
    with running(server) as desk:
        flows(server, desk)
        before = len(desk.minutes.asked)
        server.push_raw('[{"ev":"T","sym":"AAPL"')
        until(lambda: desk.book.counts["undecodable"] == 1)
        until(lambda: len(desk.minutes.asked) > before)
        flows(server, desk)
        assert server.connections == 1


def test_three_messages_that_can_not_be_read_end_the_connection(server):
    with running(server) as desk:
        flows(server, desk)
        for _ in range(3):
            server.push_raw(b"\x00\xff")
        until(lambda: server.connections == 2)
        flows(server, desk)


def test_a_message_beyond_the_size_limit_ends_the_connection(server):
    with running(server) as desk:
        flows(server, desk)
        server.push_raw(b"[" + b" " * 8_000_001 + b"]")
        until(lambda: server.connections == 2)
        flows(server, desk)


def test_a_channel_outside_the_plan_is_a_capability_and_no_outage(server):
    server.denied = frozenset({"Q"})
    with running(server) as desk:
        until(lambda: desk.stream.state().denied == ("Q",))
        flows(server, desk)
        server.close_all()
        until(lambda: server.connections == 2)
        flows(server, desk)
        assert "Q.AAPL" in ",".join(server.sent("subscribe")[:1])
        assert "Q.AAPL" not in ",".join(server.sent("subscribe")[1:])
        assert "not in the plan: Q" in desk.stream.capability().why


def test_a_plan_without_any_channel_is_refused(server):
    server.denied = frozenset({"T", "Q", "A", "AM"})
    with running(server) as desk:
        until(lambda: desk.phase == "refused")
        assert desk.stream.state().reason == "the plan does not include this stream"


@pytest.mark.fault("F025")
def test_rows_from_the_future_are_dropped_and_statuses_may_stand_among_rows(server):
    with running(server) as desk:
        flows(server, desk)
        ahead = int((desk.clock.now() + timedelta(seconds=30)).timestamp() * 1000)
        status = {"ev": "status", "status": "success", "message": "subscribed to: T.X"}
        server.push(status, desk.row(t=ahead, p=99), desk.row("Q"))
        until(lambda: desk.book.find_quote("AAPL") is not None)
        assert desk.book.counts["clock_skew"] == 1
        assert desk.book.find_trade("AAPL").price == 10


def test_silence_on_a_weekend_is_no_fault(server):
    with running(server, start=WEEKEND, timing=replace(SHORT, silence_s=0.15)) as desk:
        until(lambda: desk.phase == "live")
        time.sleep(0.3)
        assert (server.connections, desk.phase) == (1, "live")


def test_a_quiet_symbol_is_no_silence_while_the_canary_sings(server):
    with running(server, timing=replace(SHORT, silence_s=1.0)) as desk:
        until(lambda: "A.SPY" in server.subscribed())
        ends = time.monotonic() + 1.3
        while time.monotonic() < ends:
            server.push(desk.row("A", sym="SPY"))
            time.sleep(0.03)
        assert (server.connections, desk.book.find_trade("AAPL")) == (1, None)


def test_only_the_leader_connects(server):
    with running(server, ()) as desk:
        until(lambda: desk.led)
        desk.leads = False
        until(lambda: not desk.stream._leads())
        desk.stream.watch(frozenset({"AAPL"}))
        until(lambda: desk.phase == "not_leader")
        assert server.connections == 0
        desk.leads = True
        until(lambda: desk.phase == "live")
        desk.leads = False
        until(lambda: desk.phase == "not_leader")
        assert desk.stream.state().reconnects == 0


def test_the_leadership_is_given_back_at_the_end(server):
    with running(server) as desk:
        until(lambda: desk.phase == "live")
    assert (desk.released, desk.phase) == (1, "off")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_that_died_of_a_fault_is_started_again(server):
    with running(server) as desk:
        flows(server, desk)

        def broken(_frame):
            raise RuntimeError("a listener with a fault")

        remove = desk.book.listen(broken)
        server.push(desk.row())
        until(desk.stream.supervise)
        remove()
        until(lambda: server.connections == 2)
        flows(server, desk)
        assert desk.stream.supervise() is False


def test_a_delayed_cluster_says_so(server):
    with running(server, delayed=True) as desk:
        until(lambda: desk.phase == "live")
        assert desk.stream.capability().why == "live, 15 minutes delayed"


def test_the_key_is_never_logged_nor_shown(server, caplog):
    with caplog.at_level(logging.DEBUG), running(server, key="wrong-secret") as desk:
        until(lambda: desk.phase == "refused")
    assert "wrong-secret" not in caplog.text
    account = StreamAccount(base_url="ws://x", cluster="stocks", key="wrong-secret", delayed=False)
    assert "wrong-secret" not in repr(account) + account.url + account.lease_name
