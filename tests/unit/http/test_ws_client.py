"""A reader of /ws: numbered without a gap, conflated by key, bounded, and never a dropped order."""

import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import EVENTS
from app.http import ws_frames, ws_frames_dts
from app.http.room import Room
from app.http.wire import dump
from app.http.ws_client import SLOW_CODE, Client
from app.http.ws_frames import FRAMES, TYPES, Heartbeat, Price, encode, fields_of
from app.http.ws_line import framed
from services.kit.context import Principal
from services.kit.errors import InvariantBroken
from tests.conftest import NOW

ME = Principal(tenant_id="ten_local", user_id="usr_owner", session_id="ses_1")


class HandLine:
    """A line that is paused and resumed by hand."""

    def __init__(self):
        self.paused, self.is_open, self.heard_at = False, True, 0.0
        self.on_resume = None
        self.said, self.ended = [], None

    def write(self, payloads):
        self.said += [json.loads(one) for one in payloads]

    def end(self, code, reason):
        self.is_open, self.ended = False, code

    def resume(self):
        self.paused = False
        self.on_resume()


def client(**given):
    return Client(HandLine(), ME, **given)


def body(kind, value):
    return f'"type":"{kind}","v":{value}}}'.encode()


def price(symbol, value):
    return ("price", symbol), body("price", value)


def test_frames_are_numbered_from_one_without_a_gap():
    reader = client()
    reader.send(body("welcome", 0), body("subscribed", 0))
    reader.offer([price("AAPL", 1), price("MSFT", 2)])
    assert [one["seq"] for one in reader.line.said] == [1, 2, 3, 4]


@pytest.mark.fault("F110")
def test_a_slow_reader_gets_the_newest_price_and_is_told_how_many_it_missed():
    reader = client()
    reader.line.paused = True
    for value in range(5):
        reader.offer([price("AAPL", value), price("MSFT", 10 + value)])
    assert (reader.line.said, reader.waiting) == ([], 2)
    reader.line.resume()
    assert [(one["seq"], one["skipped"], one["v"]) for one in reader.line.said] == [
        (1, 4, 4),
        (2, 4, 14),
    ]


@pytest.mark.fault("F110")
def test_a_slow_reader_misses_no_order_and_too_many_waiting_ones_end_it():
    reader = client(kept_max=3)
    reader.line.paused = True
    reader.send(body("orders", 1), body("orders", 2))
    reader.offer([price("AAPL", 9)])
    reader.send(body("orders", 3))
    assert reader.line.ended is None
    reader.line.resume()
    assert [one["v"] for one in reader.line.said] == [1, 2, 9, 3]
    reader.line.paused = True
    for value in range(4):
        reader.send(body("orders", value))
    assert (reader.line.ended, reader.waiting) == (SLOW_CODE, 0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.sampled_from("ABC")),
        st.tuples(st.just("send"), st.just("")),
        st.tuples(st.just("pause"), st.just("")),
        st.tuples(st.just("resume"), st.just("")),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_the_line_does_kept_frames_come_in_order_and_each_key_ends_at_its_newest(steps):
    reader, newest, kept, offered = client(), {}, [], 0
    for value, (step, symbol) in enumerate(steps):
        if step == "offer":
            newest[symbol] = value
            offered += 1
            reader.offer([price(symbol, value)])
        elif step == "send":
            kept.append(value)
            reader.send(body("orders", value))
        elif step == "pause":
            reader.line.paused = True
        else:
            reader.line.resume()
    reader.line.resume()
    said = reader.line.said
    assert [one["seq"] for one in said] == list(range(1, len(said) + 1))
    assert [one["v"] for one in said if one["type"] == "orders"] == kept
    prices = [one for one in said if one["type"] == "price"]
    assert {one["v"] for one in prices} >= set(newest.values())
    assert len(prices) + sum(one.get("skipped", 0) for one in prices) == offered


def test_a_symbol_that_nobody_follows_is_forgotten():
    room, reader = Room("ten_local"), client()
    room.enter(reader)
    room.subscribe(reader, ["price", "trades"], ["AAPL", "MSFT"])
    room.market.tell([("price", "AAPL", body("price", 1)), ("price", "IBM", body("price", 2))])
    assert [one["v"] for one in reader.line.said] == [1]
    assert room.market.unknown() == {"MSFT"}
    room.unsubscribe(reader, ["price"], ["AAPL"])
    assert (room.market.watched(), room.market.watched("trades")) == ({"MSFT"}, {"AAPL", "MSFT"})
    room.leave(reader)
    assert (room.market.watched(), room.market.watched("trades"), room.market.unknown()) == (
        set(),
        set(),
        set(),
    )


def test_who_comes_later_gets_the_price_that_is_known():
    room, first, second = Room("ten_local"), client(), client()
    for one in (first, second):
        room.enter(one)
    room.subscribe(first, ["price"], ["AAPL"])
    room.market.tell([("price", "AAPL", body("price", 7))])
    assert room.subscribe(second, ["price"], ["AAPL"]) == [price("AAPL", 7)]
    room.market.tell_fault("AAPL", body("error", 0))
    assert room.subscribe(second, ["price"], ["AAPL"]) == [(("error", "AAPL"), body("error", 0))]


def test_who_left_or_gave_up_while_a_snapshot_was_read_gets_none():
    room, gone, bored = Room("ten_local"), client(), client()
    for one in (gone, bored):
        room.enter(one)
        room.subscribe(one, ["orders"], [])
    waiting = room.desk.take_fresh()
    room.leave(gone)
    room.unsubscribe(bored, ["orders"], [])
    room.desk.settle(waiting, {("orders", ME.user_id): body("orders", 1)})
    room.desk.tell([("orders", body("orders", 2))])
    assert gone.line.said == bored.line.said == []


def test_a_message_is_framed_as_the_protocol_says():
    assert framed(b"hi") == b"\x81\x02hi"
    assert framed(b"x" * 125)[:2] == b"\x81\x7d"
    assert framed(b"x" * 126)[:4] == b"\x81\x7e\x00\x7e"
    assert framed(b"x" * 65_535)[:4] == b"\x81\x7e\xff\xff"
    assert framed(b"x" * 65_536)[:10] == b"\x81\x7f" + (65_536).to_bytes(8, "big")


def test_only_types_of_the_list_leave():
    assert {
        "welcome", "subscribed", "price", "trades", "risk", "alert", "alerts", "orders",
        "positions", "resync", "error", "pong", "heartbeat",
    } == TYPES  # fmt: skip
    assert encode(Heartbeat(at=NOW)).startswith(b'"type":"heartbeat",')
    with pytest.raises(InvariantBroken):
        encode(EVENTS[0]())


def test_the_declaration_of_the_frames_is_current_and_names_each_type_once():
    text = ws_frames_dts.declaration()
    assert ws_frames_dts.TARGET.read_text(encoding="utf-8") == text
    for frame in FRAMES:
        assert text.count(f'  type: "{frame.type}";') == 1
    assert f'"{ws_frames.PROTOCOL}"' in text


amounts = st.none() | st.decimals(allow_nan=False, allow_infinity=False)
moments = st.datetimes(timezones=st.just(UTC))


@given(amounts, amounts, moments, st.text(max_size=8))
def test_a_price_has_the_bytes_that_the_plain_way_of_writing_gives(last, change, ts, symbol):
    price = Price(
        symbol=symbol, last=last, bid=last, ask=change, bid_size=None, ask_size=last,
        currency="USD", ts=ts, provenance="LIVE", source="massive", change_pct=change,
    )  # fmt: skip
    assert encode(price) == dump({"type": "price", **fields_of(price)})[1:]
