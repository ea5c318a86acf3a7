"""Halts: told by the stream, a closed market for the symbol, never an outage, and over in time."""

import json
from datetime import timedelta

import pytest

from services.kit.errors import Refusal
from services.market.halts import HALT, RESUME, Halts
from services.market.live import LiveBook
from services.market.live_reading import LiveReading
from services.market.quality import look
from services.market.quote import Provenance
from services.market.stream_channel import channels_of
from services.market.stream_decode import decode_frame
from services.orders import propose
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from tests.conftest import build_runtime
from tests.fakes.massive_server import MassiveServer
from tests.fakes.massive_stream import MassiveStreamServer
from tests.fakes.order_desk import draft
from tests.unit.market.massive_account import NOW, open_account
from tests.unit.market.test_massive import snapshot
from tests.unit.market.test_stream import Desk, until
from tools.data_health import DataHealthArgs, data_health

MINUTE = timedelta(minutes=1)


def micros(at):
    return int(at.timestamp() * 1_000_000)


def band(at, *indicators, symbol="AAPL"):
    limits = {"h": 200.5, "l": 180.25, "z": 3, "q": 1}
    return {"ev": "LULD", "T": symbol, "i": [*map(int, indicators)], "t": micros(at), **limits}


def trade(at, price=190.05):
    ms = int(at.timestamp() * 1000)
    return {"ev": "T", "sym": "AAPL", "p": price, "s": 10, "i": str(ms), "q": ms, "t": ms}


@pytest.fixture
def book():
    return LiveBook(provenance=Provenance.LIVE, source="massive")


@pytest.fixture
def halts(book):
    return Halts(book)


@pytest.fixture
def hear(book):
    """Let the book take rows as they come over the wire."""
    return lambda *rows: book.note(
        decode_frame(json.dumps(rows).encode(), NOW + timedelta(hours=30))
    )


def test_a_halt_lasts_until_the_resumption(halts, hear):
    assert not halts.is_halted("AAPL", NOW)
    hear(band(NOW, HALT))
    assert halts.is_halted("AAPL", NOW + 4 * MINUTE)
    assert not halts.is_halted("MSFT", NOW)
    hear(band(NOW + 5 * MINUTE, RESUME))
    assert not halts.is_halted("AAPL", NOW + 5 * MINUTE)


def test_price_bands_alone_and_older_messages_change_nothing(halts, hear):
    hear(band(NOW, 21))
    assert not halts.is_halted("AAPL", NOW)
    hear(band(NOW + MINUTE, HALT), band(NOW + 2 * MINUTE, 21), band(NOW - MINUTE, RESUME))
    assert halts.is_halted("AAPL", NOW + 2 * MINUTE)


def test_a_trade_well_after_the_halt_ends_it_and_a_late_report_does_not(halts, hear):
    hear(band(NOW, HALT), trade(NOW + timedelta(seconds=20)))
    assert halts.is_halted("AAPL", NOW + MINUTE)
    hear(trade(NOW + 6 * MINUTE))
    assert not halts.is_halted("AAPL", NOW + 6 * MINUTE)


def test_a_halt_ends_with_its_day_in_new_york(halts, hear):
    hear(band(NOW, HALT))
    assert halts.is_halted("AAPL", NOW + timedelta(hours=13))
    assert not halts.is_halted("AAPL", NOW + timedelta(hours=14, minutes=1))


def test_halts_are_followed_only_where_the_plan_has_them():
    none = frozenset()
    assert channels_of(["A"], "stocks", none, halts=True) == ["T.A", "Q.A", "AM.A", "LULD.A"]
    assert "LULD.A" not in channels_of(["A"], "stocks", frozenset({"LULD"}), halts=True)
    assert channels_of(["I:SPX"], "indices", none, halts=True) == ["V.I:SPX", "AM.I:SPX"]


def test_a_halt_comes_over_the_wire_of_an_account_that_has_them():
    with MassiveStreamServer() as server:
        desk = Desk(server, halts=True)
        halts = Halts(desk.book)
        desk.stream.watch(frozenset({"AAPL"}))
        desk.stream.start()
        try:
            until(lambda: "LULD.AAPL" in server.subscribed())
            now = desk.clock.now()
            server.push(band(now, HALT))
            until(lambda: halts.is_halted("AAPL", now))
        finally:
            desk.stream.stop()


@pytest.fixture
def account(owner, clock, book, halts):
    clock.set(NOW)
    with MassiveServer() as server:
        server.list_ticker("AAPL")
        server.snapshots["AAPL"] = snapshot()
        made = open_account(server, owner, clock=clock)
        made.feed.live, made.feed.halts = LiveReading(book), halts
        yield made
        made.feed.close()


@pytest.mark.fault("F031")
def test_an_order_for_a_halted_symbol_is_refused_and_data_health_says_so(
    database, clock, settings, owner, account, hear
):
    runtime = build_runtime(database, clock, settings)
    runtime.ports.update({**account.ports, Broker: PaperBroker()})

    def health():
        return runtime.read(owner, lambda ctx: data_health(ctx, DataHealthArgs(symbols=["AAPL"])))

    assert health().rows[0].level != "red"
    hear(band(NOW - timedelta(seconds=1), HALT))
    clock.advance(minutes=3)
    said = health()
    assert said.rows[0].level == "red"
    assert [one.code for one in said.rows[0].findings] == ["DQ_SESSION"]
    assert "trading is halted: closed for this symbol" in said.summary
    assert "It ends when trading resumes." in said.summary
    with pytest.raises(Refusal) as told:
        runtime.write(owner, lambda ctx: propose.propose(ctx, draft()))
    assert (told.value.code, told.value.facts["finding"]) == ("DQ_BLOCK", "DQ_SESSION")
    assert "halted" in told.value.hint
    hear(band(clock.now(), RESUME))
    account.server.snapshots["AAPL"] = snapshot(at=clock.now())
    clock.advance(seconds=2)
    [seen] = runtime.read(owner, lambda ctx: look(ctx, ["AAPL"]))
    assert seen.critical == ()
