"""Market news on its way: stream or poll, the event log, the readers, the alerts."""

import asyncio
import io
import shutil
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.http.hub import Hub
from app.http.ws_client import Client
from app.live import TOPIC, Live
from app.live_frames import News, price_of, trace_of, trades_bytes, unpack
from app.live_poll import Watch
from app.wiring import build
from services.identity.user import LOCAL_TENANT
from services.kit.context import Principal, system_principal
from services.kit.environment import load_settings
from services.market.feed import Feed
from services.market.live import LiveBook
from services.market.quality_tables import dq_findings
from services.market.quote import Provenance
from services.market.stream_frame import Frame, StreamQuote, StreamTrade
from tests.conftest import NOW
from tests.unit.http.test_ws_client import HandLine

ME = Principal(tenant_id=LOCAL_TENANT, user_id="usr_owner", session_id="ses_1")
D = Decimal


def product_of(migrated_file, tmp_path, ports=None):
    shutil.copyfile(migrated_file, tmp_path / "cornerman.db")
    settings = load_settings({"CORNERMAN_HOME": str(tmp_path)})
    return build(settings, log_stream=io.StringIO(), ports=ports or {})


@pytest.fixture
def product(migrated_file, tmp_path):
    made = product_of(migrated_file, tmp_path)
    yield made
    made.close()


@pytest.fixture
def book():
    return LiveBook(provenance=Provenance.LIVE, source="massive")


async def reader_of(hub, channels, symbols):
    """A reader on a hand-held line, subscribed."""
    client = Client(HandLine(), ME)
    room = hub.join(client)
    client.offer(room.subscribe(client, channels, symbols))
    hub.wake(room)
    return client


async def until(client, fits):
    for _ in range(1500):
        found = [one for one in client.line.said if fits(one)]
        if found:
            return found[0]
        await asyncio.sleep(0.01)
    raise AssertionError(client.line.said)


async def test_a_polled_price_reaches_its_reader_and_a_second_one_at_once(product):
    hub = Hub(product)
    async with Live(product, hub).running():
        first = await reader_of(hub, ["price"], ["AAPL"])
        seen = await until(first, lambda one: one["type"] == "price")
        assert (seen["symbol"], seen["provenance"]) == ("AAPL", "SIMULATED")
        second = await reader_of(hub, ["price"], ["AAPL"])
        assert [one["symbol"] for one in second.line.said] == ["AAPL"]
        hub.leave(first)
        hub.leave(second)


def test_only_what_is_new_is_told_and_an_untold_symbol_again(product):
    watch = Watch(LOCAL_TENANT)

    def look(untold=(), symbols=("AAPL", "NOPE")):
        return product.runtime.read(
            system_principal(LOCAL_TENANT),
            lambda ctx: watch.look(ctx, symbols, trading=(), untold=untold),
        )

    first = dict(look())
    assert first["AAPL"].price
    assert b"SYMBOL_UNKNOWN" in first["NOPE"].fault
    quote = product.runtime.read(
        system_principal(LOCAL_TENANT), lambda ctx: ctx.port(Feed).quote(ctx, "AAPL")
    )
    again = dict(look(untold=("AAPL",)))
    assert quote.symbol == "AAPL"
    assert again["AAPL"].price
    assert "NOPE" not in again, "a fault is told once"


def frame(at=0, *, bid="99.99", last="100"):
    ts = NOW + timedelta(seconds=at)
    return Frame(
        received_at=ts,
        quotes=(StreamQuote("AAPL", D(bid), D("100.01"), D(100), D(200), ts, at),),
        trades=(
            StreamTrade("AAPL", D(last), D(5), ts, (), at, f"k{at}"),
            StreamTrade("MSFT", D(50), D(1), ts, (), at, f"m{at}"),
        ),
    )


async def test_a_streamed_frame_is_one_record_a_symbol_and_reaches_every_reader(
    migrated_file, tmp_path, book
):
    made = product_of(migrated_file, tmp_path, {LiveBook: book})
    try:
        instrument = made.runtime.read(
            system_principal(LOCAL_TENANT), lambda ctx: ctx.port(Feed).instrument(ctx, "AAPL")
        )
        book.enroll(instrument)
        book.ineligible = frozenset()
        hub = Hub(made)
        live = Live(made, hub)
        async with live.running(), live.log.consume(TOPIC, "test") as tap:
            reader = await reader_of(hub, ["price", "trades"], ["AAPL"])
            await until(reader, lambda one: one["type"] == "price")
            await asyncio.to_thread(book.note, frame(1, last="101"))
            price = await until(reader, lambda one: one.get("last") == "101")
            assert (price["provenance"], price["source"]) == ("LIVE", "massive")
            trades = await until(reader, lambda one: one["type"] == "trades")
            assert [one["price"] for one in trades["items"]] == ["101"]
            mine = [
                one
                for one in await tap.poll(100, 1)
                if one.key in ("AAPL", "MSFT") and one.traceparent
            ]
            assert {one.key for one in mine} == {"AAPL", "MSFT"}
            hub.leave(reader)
    finally:
        made.close()


async def found_of(product, who, code="DQ_SCALE_SUSPECT"):
    """The codes of the findings kept, once `code` is among them."""
    for _ in range(1500):
        found = product.runtime.read(who, lambda ctx: ctx.db.rows(select(dq_findings.c.code)))
        codes = {row.code for row in found}
        if code in codes:
            return codes
        await asyncio.sleep(0.01)
    raise AssertionError(codes)


async def test_no_streamed_price_is_told_before_its_earlier_close_was_looked_for(
    migrated_file, tmp_path, book
):
    made = product_of(migrated_file, tmp_path, {LiveBook: book})
    try:
        who = system_principal(LOCAL_TENANT)
        book.enroll(made.runtime.read(who, lambda ctx: ctx.port(Feed).instrument(ctx, "AAPL")))
        book.ineligible = frozenset()
        hub = Hub(made)
        live = Live(made, hub)
        async with live.log.consume(TOPIC, "test") as tap:
            book.listen(live.take)
            await asyncio.to_thread(book.note, frame(1, last="9000"))
            held = [one for one in await tap.poll(100, 1) if one.key == "AAPL"]
            assert [(unpack(one.value).price, unpack(one.value).trades) for one in held] == [
                (b"", b"")
            ]
            reader = await reader_of(hub, ["price"], ["AAPL"])
            await live._look(hub.rooms[0], whole=True)
            await asyncio.to_thread(book.note, frame(2, last="400"))
            told = [unpack(one.value) for one in await tap.poll(100, 1) if one.key == "AAPL"]
            assert b'"last":"400"' in told[-1].price
            assert told[-1].trades == b"", "nobody follows the trades"
            hub.leave(reader)
    finally:
        made.close()


async def test_what_was_told_to_a_room_is_forgotten_when_it_is_empty(product):
    hub = Hub(product)
    live = Live(product, hub)
    async with live.running():
        reader = await reader_of(hub, ["price"], ["AAPL"])
        await until(reader, lambda one: one["type"] == "price")
        assert list(live._watches) == [LOCAL_TENANT]
        hub.leave(reader)
        hub.asked.set()
        for _ in range(1500):
            if not live._watches:
                break
            await asyncio.sleep(0.01)
        assert not live._watches


async def test_a_streamed_price_that_can_not_be_true_is_told_to_nobody(
    migrated_file, tmp_path, book
):
    made = product_of(migrated_file, tmp_path, {LiveBook: book})
    try:
        who = system_principal(LOCAL_TENANT)
        book.enroll(made.runtime.read(who, lambda ctx: ctx.port(Feed).instrument(ctx, "AAPL")))
        book.ineligible = frozenset()
        hub = Hub(made)
        live = Live(made, hub)
        async with live.running():
            reader = await reader_of(hub, ["price", "trades"], ["AAPL"])
            polled = await until(reader, lambda one: one["type"] == "price")
            hundredfold = str(100 * D(polled["last"]))
            await asyncio.to_thread(book.note, frame(1, last=hundredfold))
            await asyncio.to_thread(book.note, frame(2, last="102", bid="100.50"))
            await asyncio.to_thread(book.note, frame(3, last="103"))
            await until(reader, lambda one: one["type"] == "price" and one["last"] == "103")
            said = [one for one in reader.line.said if one["type"] == "price"]
            assert [one["last"] for one in said] == [polled["last"], "103"]
            traded = [one for one in reader.line.said if one["type"] == "trades"]
            assert [item["price"] for one in traded for item in one["items"]] == ["102", "103"]
            assert await found_of(made, who) >= {"DQ_SCALE_SUSPECT"}
            await asyncio.to_thread(book.note, frame(4, last="102", bid="100.50"))
            assert await found_of(made, who, "DQ_CROSSED")
            hub.leave(reader)
    finally:
        made.close()


def test_news_is_packed_and_unpacked_and_a_trace_is_well_formed():
    news = News("ten_a", b'"type":"price"}', b"", b"")
    assert unpack(news.pack()) == news
    trace = trace_of("AAPL|1")
    assert (trace[:3], trace[-3:], len(trace)) == ("00-", "-01", 55)


def test_the_change_is_a_fraction_of_the_close_before(product):
    quote = product.runtime.read(
        system_principal(LOCAL_TENANT), lambda ctx: ctx.port(Feed).quote(ctx, "AAPL")
    )
    assert price_of(replace(quote, last=D(101)), D(100)).change_pct == D("0.01")
    assert price_of(quote).change_pct is None


def test_of_too_many_trades_the_newest_are_told_and_the_rest_counted():
    many = [StreamTrade("AAPL", D(at + 1), D(1), NOW) for at in range(503)]
    told = trades_bytes("AAPL", many, provenance="LIVE", source="massive")
    assert b'"left_out":3' in told
    assert b'"price":"503"' in told
    assert b'"price":"3"' not in told
    assert trades_bytes("AAPL", [], provenance="LIVE", source="massive") == b""
