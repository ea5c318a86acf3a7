"""The live book: the newest by time stays, whatever the order, and its size has a bound."""

import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.bar import Bar
from services.market.live import LiveBook
from services.market.quote import Provenance
from services.market.stream_frame import Frame, StreamBar, StreamQuote, StreamTrade, StreamValue
from services.market.vendor_listing import us_listing

NOW = datetime(2026, 3, 9, 15, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
D = Decimal
AAPL = us_listing("XNAS", "AAPL", "Apple", "equity")


def book(**given):
    made = LiveBook(provenance=Provenance.LIVE, source="massive", **given)
    made.enroll(AAPL)
    return made


def quote(bid="9.99", ask="10.01", at=NOW, seq=1, symbol="AAPL"):
    sides = (None if bid is None else D(bid), None if ask is None else D(ask))
    return StreamQuote(symbol, *sides, D(300), D(400), at, seq)


def trade(price="10", at=NOW, seq=1, symbol="AAPL", conditions=()):
    return StreamTrade(symbol, D(price), D(5), at, conditions, seq, f"4:{seq}")


def frame(at=NOW, **parts):
    return Frame(received_at=at, **{name: tuple(rows) for name, rows in parts.items()})


def minute_bar(opens, close="10", symbol="AAPL"):
    c = D(close)
    return StreamBar(
        symbol=symbol, t_open=opens, t_close=opens + MINUTE, o=c, h=c, l=c, c=c, v=D(7)
    )


def test_a_quote_joins_both_sides_with_the_last_trade():
    made = book()
    made.note(frame(quotes=[quote()], trades=[trade("10.005")]))
    found = made.find_quote("AAPL")
    assert (found.instrument_id, found.bid, found.ask, found.last) == (
        "XNAS:AAPL",
        D("9.99"),
        D("10.01"),
        D("10.005"),
    )
    assert (found.provenance, found.source, found.dataset) == ("LIVE", "massive", "massive_stream")
    assert (found.bid_size, found.ask_size, found.ts) == (300, 400, NOW)


@pytest.mark.parametrize(
    "parts",
    [
        {"quotes": [quote()]},
        {"trades": [trade()]},
        {"quotes": [quote(bid=None)], "trades": [trade()]},
        {"quotes": [quote(symbol="MSFT")], "trades": [trade(symbol="MSFT")]},
    ],
    ids=["no trade", "no quote", "one side", "no listing"],
)
def test_a_quote_that_lacks_a_part_is_not_given(parts):
    made = book()
    made.note(frame(**parts))
    assert made.find_quote("AAPL") is None
    assert made.find_quote("MSFT") is None


@pytest.mark.fault("F024")
@given(
    st.lists(
        st.builds(
            lambda at, seq: quote(str(D(at + 1)), str(D(at + seq + 2)), NOW + at * MINUTE, seq),
            at=st.integers(0, 5),
            seq=st.integers(0, 5),
        ),
        min_size=1,
        max_size=20,
    ),
    st.data(),
)
def test_the_newest_quote_by_time_and_sequence_stays_in_any_order(quotes, data):
    made = book()
    for one in data.draw(st.permutations(quotes + quotes)):
        made.note(frame(quotes=[one], trades=[trade()]))
    newest = max(quotes, key=lambda one: (one.ts, one.seq))
    found = made.find_quote("AAPL")
    assert (found.ts, found.bid, found.ask) == (newest.ts, newest.bid, newest.ask)


def test_a_trade_under_an_excluded_condition_sets_no_last_price_and_no_bar():
    made = book()
    made.ineligible = frozenset({"2"})
    made.note(frame(quotes=[quote()], trades=[trade("10"), trade("99", seq=2, conditions=("2",))]))
    made.note(frame(at=NOW + 2 * MINUTE))
    assert made.find_quote("AAPL").last == 10
    assert made.recent_bars("AAPL")[0].h == 10


def test_time_that_goes_on_completes_a_minute_without_another_trade():
    made = book()
    made.note(frame(trades=[trade()]))
    assert made.recent_bars("AAPL") == ()
    made.note(frame(at=NOW + timedelta(seconds=32)))
    assert len(made.recent_bars("AAPL")) == 1
    assert made.indicators("AAPL").vwap == 10.0


def test_a_delayed_book_completes_minutes_fifteen_minutes_later():
    made = LiveBook(provenance=Provenance.DELAYED, source="massive", delay_s=900)
    made.note(frame(trades=[trade(at=NOW - 15 * MINUTE)]))
    made.note(frame(at=NOW + timedelta(seconds=31)))
    assert made.recent_bars("AAPL") == ()
    made.note(frame(at=NOW + timedelta(seconds=32)))
    assert len(made.recent_bars("AAPL")) == 1


def test_an_index_has_a_value():
    made = book()
    made.note(frame(values=[StreamValue("I:SPX", D(2), NOW)]))
    made.note(frame(values=[StreamValue("I:SPX", D(1), NOW - MINUTE)]))
    assert made.find_value("I:SPX").value == 2
    assert made.find_value("I:NDX") is None


def test_a_listener_hears_every_frame_until_it_is_removed():
    made, heard = book(), []
    remove = made.listen(heard.append)
    first = frame(quotes=[quote()])
    made.note(first)
    remove()
    remove()
    made.note(frame())
    assert heard == [first]


def test_a_gap_is_whole_again_once_the_provider_filled_it():
    made, opens = book(), NOW.replace(second=0)
    made.mark_gap(["AAPL"], NOW)
    rest = Bar(t_open=opens - MINUTE, t_close=opens, o=D(1), h=D(1), l=D(1), c=D(1), v=D(1))
    made.fill("AAPL", [rest], NOW)
    assert made.find_whole("AAPL") is None
    made.fill("AAPL", [rest], NOW + timedelta(seconds=8))
    assert made.find_whole("AAPL") == rest.t_open
    made.note(frame(at=NOW + MINUTE, bars=[minute_bar(opens)]))
    assert [bar.t_open for bar in made.recent_bars("AAPL")] == [opens - MINUTE, opens]
    made.mark_gap(["AAPL"], NOW + MINUTE)
    assert made.find_whole("AAPL") is None


def test_symbols_beyond_the_bound_are_counted_and_not_kept():
    made = book(symbols_max=2)
    rows = [quote(symbol=name) for name in ("A", "B", "C")]
    made.note(frame(quotes=rows, trades=[trade(symbol=one.symbol) for one in rows]))
    assert made.find_trade("C") is None
    assert made.counts["overflow"] == 2
    made.keep(frozenset({"A"}))
    made.note(frame(trades=[trade(symbol="C")]))
    assert made.find_trade("C") is not None
    assert made.find_trade("B") is None


def test_a_symbol_that_comes_back_builds_no_bar_from_half_a_minute():
    made, later = book(), NOW + timedelta(seconds=20)
    made.note(frame(trades=[trade()]))
    made.keep(frozenset())
    made.note(frame(at=later, trades=[trade(at=later, seq=2)]))
    made.note(frame(at=NOW + 2 * MINUTE, trades=[trade(at=NOW + MINUTE, seq=3)]))
    made.note(frame(at=NOW + 3 * MINUTE))
    assert [bar.t_open for bar in made.recent_bars("AAPL")] == [NOW.replace(second=0) + MINUTE]


def test_what_the_decoder_dropped_is_counted():
    made = book()
    made.note(Frame(received_at=NOW, dropped={"unknown": 2, "clock_skew": 1}))
    assert (made.counts["unknown"], made.counts["clock_skew"]) == (2, 1)


def test_readers_and_the_writer_do_not_disturb_each_other():
    made, stop, wrong = book(), threading.Event(), []

    def read():
        while not stop.is_set():
            found = made.find_quote("AAPL")
            if found is not None and found.ask - found.bid != 1:
                wrong.append(found)
            made.recent_bars("AAPL")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for seq in range(400):
        made.note(frame(quotes=[quote(seq, seq + 1, seq=seq)], trades=[trade(seq=seq)]))
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert made.find_quote("AAPL").bid == 399


def test_a_thousand_symbols_with_a_full_session_fit_into_two_hundred_bytes_a_bar():
    opens = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
    made, symbols, minutes = book(), [f"S{at}" for at in range(20)], range(390)
    tracemalloc.start()
    for minute in minutes:
        bars = [minute_bar(opens + minute * MINUTE, "123.4567", name) for name in symbols]
        made.note(frame(bars=bars))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(made.recent_bars("S7")) == 390
    assert size / (len(symbols) * len(minutes)) < 200
