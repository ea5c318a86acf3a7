"""The quick way of a trade into the live book: the same book as with all care, only sooner."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market.live import LiveBook
from services.market.quote import Provenance
from services.market.stream_decode import decode_frame
from services.market.stream_frame import Frame, StreamBar
from services.market.stream_tick import Bids, PriceTexts, TickPrice, Ticks
from services.market.vendor_listing import us_listing

OPEN = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
MS = int(OPEN.timestamp() * 1000)
D = Decimal

prices = st.sampled_from(["10", "10.01", "10.02", "9.99", "10.0001", "10.00000001", "11.5"])
steps = st.tuples(
    st.sampled_from(["A", "B"]),
    prices,
    st.sampled_from([0, 0, 0, 100, 5_000, 20_000, 45_000]),
    st.sampled_from([0, 0, 0, 0, 0, -300, -70_000, -200_000]),
    st.sampled_from([{"s": 100}, {"s": 7}, {"s": 0}, {"ds": "0.25"}, {"ds": "30"}, {}]),
    st.sampled_from([[], [], [14, 41], [2], [14, 2]]),
)


def trade(symbol="A", price="10", at=0, number=1, **more):
    row = {"ev": "T", "sym": symbol, "x": 4, "i": str(number), "p": "@", "t": MS + at, "q": number}
    return json.dumps(row | {"s": 100} | more).replace('"@"', price)


def quote(symbol="A", ask="10.01", at=0, number=1, **more):
    row = {"ev": "Q", "sym": symbol, "bp": 9, "ap": "@", "bs": 1, "as": 2, "t": MS + at}
    return json.dumps(row | {"q": number} | more).replace('"@"', ask)


def body(*rows):
    return f"[{','.join(rows)}]".encode()


def frame(*rows, at=0):
    made = decode_frame(body(*rows), OPEN + timedelta(milliseconds=at))
    assert isinstance(made.trades, Ticks)
    return made


def with_care(given_):
    """The same frame, its trades as objects, which take no quick way."""
    return Frame(received_at=given_.received_at, trades=tuple(given_.trades))


def book():
    made = LiveBook(provenance=Provenance.LIVE, source="massive")
    made.ineligible = frozenset({"2"})
    return made


def state(made):
    return [(made.find_trade(name), made.recent_bars(name), made.indicators(name)) for name in "AB"]


def frames_of(told, cuts, again):
    """Frames of trades whose time goes on, some of them late and some sent twice."""
    clock, rows = 0, []
    for number, (symbol, price, on, late, size, conditions) in enumerate(told):
        clock += on
        row = trade(symbol, price, max(0, clock + late), number + 1, c=conditions, **size)
        rows.append((row, clock))
    rows += [(rows[at % len(rows)][0], clock) for at in again]
    return [
        frame(*(row for row, _ in rows[at : at + cuts]), at=rows[at : at + cuts][-1][1])
        for at in range(0, len(rows), cuts)
    ]


@pytest.mark.fault("F024")
@settings(max_examples=300)
@given(
    st.lists(steps, min_size=1, max_size=60),
    st.integers(1, 9),
    st.lists(st.integers(0, 99), max_size=6),
    st.booleans(),
)
def test_the_quick_way_leaves_the_same_book_as_all_care(told, cuts, again, looked_at):
    quick, careful = book(), book()
    for one in frames_of(told, cuts, again):
        quick.note(one)
        careful.note(with_care(one))
        if looked_at:
            assert state(quick) == state(careful)
    for made in (quick, careful):
        made.note(Frame(received_at=OPEN + timedelta(hours=1)))
    assert state(quick) == state(careful)


@pytest.mark.fault("F024")
@given(
    st.lists(
        st.tuples(st.sampled_from("AB"), st.integers(0, 3), st.integers(0, 3), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_the_newest_quote_stays_whichever_way_quotes_come(told):
    quick, careful = book(), book()
    for at, (symbol, on, number, as_object) in enumerate(told):
        one = frame(quote(symbol, f"10.{at + 10}", on, number), trade(symbol), at=9)
        assert isinstance(one.quotes, Bids)
        quick.note(replace(one, quotes=tuple(one.quotes)) if as_object else one)
        careful.note(replace(one, quotes=tuple(one.quotes)))
    for made in (quick, careful):
        for name in "AB":
            made.enroll(us_listing("XNAS", name, name, "equity"))
    assert [quick.find_quote(name) for name in "AB"] == [careful.find_quote(name) for name in "AB"]
    assert quick.counts == careful.counts


def test_trades_in_order_are_one_exact_bar():
    made = book()
    rows = [trade(price=price, at=at, number=at + 1) for at, price in enumerate(["10.1"] * 10)]
    made.note(frame(*rows, trade(price="10.30000001", at=11, number=12), at=11))
    made.note(Frame(received_at=OPEN + timedelta(seconds=62)))
    [bar] = made.recent_bars("A")
    assert (bar.o, bar.h, bar.l, bar.c) == (D("10.1"), D("10.30000001"), D("10.1"), bar.h)
    assert (bar.v, bar.n, bar.vw * 11) == (1100, 11, D("111.30000001"))


def test_the_quick_way_ends_with_the_last_millisecond_of_the_minute():
    made = book()
    rows = [trade(at=at, number=at + 1) for at in (0, 1, 59_999, 60_000, 60_001)]
    made.note(frame(*rows, at=60_001))
    made.note(Frame(received_at=OPEN + timedelta(minutes=3)))
    assert [bar.n for bar in made.recent_bars("A")] == [3, 2]


def test_the_bar_of_the_provider_ends_the_quick_way_of_its_minute():
    made, end = book(), OPEN + timedelta(minutes=1)
    made.note(frame(trade(), trade(at=1, number=2), at=1))
    ten = D(10)
    own = StreamBar(symbol="A", t_open=OPEN, t_close=end, o=ten, h=ten, l=ten, c=ten, v=D(7))
    made.note(Frame(received_at=end, bars=(own,)))
    made.note(frame(trade(price="99", at=2, number=3), at=61_000))
    made.note(Frame(received_at=end + timedelta(minutes=1)))
    assert [(bar.h, bar.v) for bar in made.recent_bars("A")] == [(10, 7)]
    assert made.find_trade("A").price == 99


def test_a_symbol_that_is_no_longer_kept_takes_no_trade_by_the_quick_way():
    made = book()
    made.note(frame(trade(), trade(at=1, number=2), at=1))
    made.keep(frozenset())
    assert made.find_trade("A") is None
    made.note(frame(trade(price="11", at=2, number=3), at=2))
    made.note(Frame(received_at=OPEN + timedelta(minutes=2)))
    assert (made.find_trade("A").price, made.recent_bars("A")) == (11, ())


numbers = st.decimals("0.00000001", "99999999", places=8).map(lambda one: f"{one.normalize():f}")
longer = st.from_regex(r"[1-9][0-9]{0,9}\.[0-9]{1,12}", fullmatch=True)


@given(st.lists(st.tuples(numbers | longer, st.integers(-9, 2500)), min_size=1, max_size=8))
def test_a_message_reads_the_same_quickly_and_row_by_row(told):
    made = enumerate(told)
    rows = [make("A", price, at, number) for number, (price, at) in made for make in (trade, quote)]
    quick = decode_frame(body(*rows), OPEN)
    slow = decode_frame(body(*rows, '{"ev":"NOI"}'), OPEN)
    assert not isinstance(slow.trades, Ticks)
    assert (tuple(quick.trades), tuple(quick.quotes)) == (slow.trades, slow.quotes)
    assert {**quick.dropped, "unknown": 1} == slow.dropped


sizes = st.one_of(
    st.decimals("0", "10000", places=3).map(str),
    st.sampled_from(["1e2", "-0", "1e-30", "1e16", "-1", "NaN", "Infinity", "x", "", "1_0", " 7"]),
    st.integers(-1, 10**16) | st.floats(0, 1e6).map(lambda one: round(one, 3)),
    st.sampled_from([None, True, [], {}]),
)


@given(st.lists(sizes, min_size=1, max_size=6))
def test_an_exact_size_reads_the_same_quickly_and_row_by_row(told):
    rows = [trade(at=number, number=number, ds=size) for number, size in enumerate(told)]
    quick, slow = decode_frame(body(*rows), OPEN), decode_frame(body(*rows, '{"ev":"NOI"}'), OPEN)
    assert not isinstance(slow.trades, Ticks)
    assert tuple(quick.trades) == slow.trades
    assert {**quick.dropped, "unknown": 1} == slow.dropped


def test_messages_with_exact_sizes_stay_quick():
    made = frame(trade(ds="100"), trade(at=1, number=2, ds="0.5"), trade(at=2, number=3, ds=2.25))
    assert [one.size for one in made.trades] == [100, D("0.5"), D("2.25")]


def test_a_sequence_number_that_64_bits_do_not_hold_is_taken_with_care():
    made, last = book(), 2**63
    made.note(frame(trade(), trade(at=1, number=last - 1), at=1))
    for _ in range(2):
        made.note(decode_frame(body(trade(price="11", at=2, number=last)), OPEN))
    made.note(frame(trade(at=1, number=last - 1), at=3))
    made.note(Frame(received_at=OPEN + timedelta(minutes=2)))
    [bar] = made.recent_bars("A")
    assert (bar.n, bar.c, made.find_trade("A").seq) == (3, 11, last)


def test_other_rows_leave_the_trades_of_their_message_quick():
    bar = {"ev": "A", "sym": "A", "o": 1, "h": 1, "l": 1, "c": 1, "s": MS - 1000}
    made = frame(trade(), quote("A", "10.01"), json.dumps(bar), trade(at=1, number=2), at=1)
    assert (len(made.trades), made.trades[1].seq, made.quotes[0].ask) == (2, 2, D("10.01"))
    assert (made.quotes[0].bid, made.quotes[0].ask_size, len(made.bars)) == (9, 200, 1)


@pytest.mark.parametrize("text", ["1.2345678901234567", "1e-9", "0.123456789", "1e999", "0.0"])
def test_a_price_without_a_float_of_its_own_stays_a_decimal(text):
    assert PriceTexts()[text] == D(text)


def test_each_text_of_a_price_is_read_once_and_few_are_kept():
    texts = PriceTexts()
    assert texts["10.10"] == TickPrice(10.1, 1_010_000_000, D("10.10"))
    assert texts["10.10"] is texts["10.10"]
    for number in range(40_000):
        assert texts[f"{number}.5"].number == number + 0.5
    assert len(texts) <= 32_768
