"""The stream's decoder: recorded frames, units of time, mixed arrays, and what can not be true."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.decode import Given, instant
from services.market.massive_decode import decode_massive
from services.market.stream_decode import decode_frame

NOW = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
RECORDED = Path(__file__).resolve().parents[4] / "shared" / "fixtures" / "massive" / "ws"
COMPARED = {
    "trade": "symbol price size ts",
    "quote": "symbol bid ask bid_size ask_size ts",
    "bar": "symbol t_open o h l c vw",
}
TRADE = {"ev": "T", "sym": "MSFT", "x": 4, "i": "12345", "p": 114.125, "s": 100, "t": MS, "q": 7}
QUOTE = {"ev": "Q", "sym": "MSFT", "bp": 9.71, "ap": 9.81, "bs": 3, "as": 4, "t": MS, "q": 1}
BAR = {
    "ev": "AM",
    "sym": "MSFT",
    "v": 4110,
    "vw": 10.5,
    "o": 10,
    "h": 12,
    "l": 9,
    "c": 11,
    "s": MS - 60_000,
    "e": MS,
}


def decoded(*rows, now=NOW):
    return decode_frame(json.dumps(rows).encode(), now)


def test_a_trade_keeps_every_digit_and_its_own_key():
    body = json.dumps([TRADE]).replace("114.125", "114.12500000000000000001").encode()
    trade = decode_frame(body, NOW).trades[0]
    assert trade.price == Decimal("114.12500000000000000001")
    assert (trade.symbol, trade.size, trade.ts, trade.seq) == ("MSFT", Decimal(100), NOW, 7)


def test_a_fraction_of_a_share_comes_from_its_exact_text():
    assert decoded(TRADE | {"ds": "100.25"}).trades[0].size == Decimal("100.25")


def test_sizes_of_stock_quotes_are_round_lots_and_of_options_contracts():
    stock, option = decoded(QUOTE, QUOTE | {"sym": "O:SPY241220P00720000"}).quotes
    assert (stock.bid_size, stock.ask_size) == (300, 400)
    assert (option.bid_size, option.ask_size) == (3, 4)


@pytest.mark.parametrize(("scale", "dropped"), [(1, {}), (1000, {}), (1_000_000, {})])
def test_a_time_is_read_by_its_magnitude(scale, dropped):
    frame = decoded(TRADE | {"t": MS * scale})
    assert (frame.trades[0].ts, dict(frame.dropped)) == (NOW, dropped)


def test_nanoseconds_are_cut_and_never_pass_through_a_float():
    frame = decoded(TRADE | {"t": 1536036818784123456})
    assert frame.trades[0].ts == datetime(2018, 9, 4, 4, 53, 38, 784123, UTC)


@pytest.mark.fault("F025")
@pytest.mark.parametrize("epoch", [MS // 1000, MS * 10, 0, -MS, 12, MS * 10**9])
def test_a_time_in_no_unit_of_the_provider_is_dropped_and_not_guessed(epoch):
    frame = decoded(TRADE | {"t": epoch}, QUOTE | {"t": epoch})
    assert (frame.trades, frame.quotes, dict(frame.dropped)) == ((), (), {"invalid": 2})


@pytest.mark.fault("F025")
@pytest.mark.parametrize("row", [TRADE, QUOTE], ids=["trade", "quote"])
def test_a_time_more_than_two_seconds_ahead_is_clock_skew(row):
    assert dict(decoded(row | {"t": MS + 2000}).dropped) == {}
    assert dict(decoded(row | {"t": MS + 2001}).dropped) == {"clock_skew": 1}
    assert dict(decoded(row | {"t": (MS + 3000) * 1000}).dropped) == {"clock_skew": 1}


@pytest.mark.fault("F025")
def test_a_bar_that_ends_in_the_future_is_clock_skew():
    ahead = decoded(BAR | {"s": MS, "e": MS + 60_000})
    assert (ahead.bars, dict(ahead.dropped)) == ((), {"clock_skew": 1})


def test_status_and_market_rows_share_an_array():
    frame = decoded({"ev": "status", "status": "success", "message": "subscribed to: T.A"}, TRADE)
    assert (frame.statuses[0].status, len(frame.trades), frame.has_values) == ("success", 1, True)


def test_one_strange_row_costs_itself_only():
    frame = decoded(TRADE, {"ev": "NOI", "T": "A"}, {"ev": "T"}, {"no": 1}, 5, QUOTE)
    assert (len(frame.trades), len(frame.quotes)) == (1, 1)
    assert dict(frame.dropped) == {"unknown": 1, "invalid": 3}


@pytest.mark.fault("F023")
@pytest.mark.parametrize("price", [0, -1, "NaN", "Infinity", "", None, True, 1e30, "1e-40"])
def test_an_impossible_price_never_leaves_the_decoder(price):
    frame = decoded(TRADE | {"p": price}, BAR | {"h": price})
    assert (frame.trades, frame.bars, sum(frame.dropped.values())) == ((), (), 2)


def test_a_side_without_a_price_is_absent_and_a_quote_without_sides_is_dropped():
    quote = decoded(QUOTE | {"bp": 0, "bs": 0}).quotes[0]
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, Decimal("9.81"))
    assert decoded(QUOTE | {"bp": None, "ap": 0}).quotes == ()


def test_a_bar_whose_high_is_below_its_low_is_dropped():
    assert dict(decoded(BAR | {"h": 8}).dropped) == {"invalid": 1}


def test_a_second_that_calls_itself_a_minute_is_a_second():
    bar = decoded(BAR | {"s": MS - 1000, "e": MS}).bars[0]
    assert (bar.span, bar.t_close - bar.t_open) == ("second", timedelta(seconds=1))


def test_an_index_bar_has_no_volume_and_takes_its_length_from_its_name():
    row = {key: BAR[key] for key in ("ev", "o", "h", "l", "c", "s")}
    bar = decoded(row | {"sym": "I:SPX", "e": BAR["s"]}).bars[0]
    assert (bar.v, bar.vw, bar.span, bar.t_close) == (0, None, "minute", NOW)


def test_values_and_bands_are_read():
    frame = decoded(
        {"ev": "V", "val": 3985.67, "T": "I:SPX", "t": MS},
        {"ev": "FMV", "fmv": 7.2, "sym": "O:SPY241220P00720000", "t": MS * 1_000_000},
        {"ev": "LULD", "T": "MSFT", "h": 218.96, "l": 198.11, "i": [21], "t": MS * 1000},
    )
    assert [one.kind for one in frame.values] == ["index", "fair"]
    assert (frame.bands[0].high, frame.bands[0].indicators) == (Decimal("218.96"), ("21",))


@pytest.mark.parametrize("symbol", ["", "A" * 41, "A\n", "Ä", "X:BTC-USD", "C:EURUSD"])
def test_a_symbol_that_is_none_of_ours_is_dropped(symbol):
    assert sum(decoded(TRADE | {"sym": symbol}).dropped.values()) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[", b'[{"ev":"T"', b"<html>", b"5", b'"text"', b"[" * 100_000, b"\xff\xfe[]"]
)
def test_a_message_that_is_no_list_of_events_is_refused(body):
    with pytest.raises(Refusal) as caught:
        decode_frame(body, NOW)
    assert caught.value.code == "PROVIDER_BODY_INVALID"


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_arbitrary_bytes_make_a_frame_or_the_one_refusal(body):
    try:
        frame = decode_frame(body, NOW)
    except Refusal as refusal:
        frame, code = None, refusal.code
    else:
        code = "PROVIDER_BODY_INVALID"
    assert code == "PROVIDER_BODY_INVALID"
    assert frame is None or not frame.has_values


def test_recorded_frames_give_what_the_case_decoder_gives():
    if not RECORDED.is_dir():
        pytest.skip("the recorded frames (../shared/fixtures/massive/ws) are not here")
    manifest = json.loads((RECORDED / "manifest.json").read_text())
    for name, entry in manifest.items():
        if entry["expect"] != "ok" or entry["kind"] not in ("trade", "quote", "bar"):
            continue
        body = (RECORDED / name).read_bytes()
        frame = decode_frame(body, NOW)
        found = {"trade": frame.trades, "quote": frame.quotes, "bar": frame.bars}[entry["kind"]]
        due = decode_massive(entry["kind"], body, Given(feed=entry["given"]["feed"]))
        assert len(found) == len(due)
        for have, want in zip(found, due, strict=True):
            for key in want.keys() & {*COMPARED[entry["kind"]].split()}:
                assert getattr(have, key) == want[key], (name, key)


def test_the_recorded_band_is_read_in_microseconds():
    frame = decoded({"ev": "LULD", "T": "MSFT", "h": 2, "l": 1, "t": 1601316752683746})
    assert frame.bands[0].ts == instant(1601316752683746)
