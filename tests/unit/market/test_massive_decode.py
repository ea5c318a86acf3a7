"""The decoder of Massive: shapes, units, emptiness and errors, on bodies of our own writing."""

import json
from datetime import date
from decimal import Decimal

import pytest

from services.kit.errors import Refusal
from services.market.decode import Given
from services.market.massive_decode import decode_massive, find_next_path


def decoded(kind, document, **given):
    return decode_massive(kind, json.dumps(document).encode(), Given(**given))


def refused(kind, document, **given):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(Refusal) as caught:
        decode_massive(kind, body, Given(**given))
    return caught.value.code


@pytest.mark.parametrize(
    "document",
    [
        {"status": "OK"},
        {"status": "OK", "results": None},
        {"status": "OK", "results": []},
        {"status": "OK", "results": "null", "ticker": "AAPL"},
    ],
)
def test_no_data_is_no_record(document):
    assert decoded("bar", document) == []


def test_a_body_without_an_envelope_is_no_answer():
    assert refused("bar", {}) == "PROVIDER_BODY_INVALID"
    assert refused("bar", "text") == "PROVIDER_BODY_INVALID"


def test_a_delayed_body_decodes_like_any_other():
    row = {"T": "AAPL", "o": 1, "h": 2, "l": 1, "c": 2, "v": 3, "t": 1651003200000}
    assert len(decoded("bar", {"status": "DELAYED", "results": [row]})) == 1


@pytest.mark.fault("F023")
@pytest.mark.parametrize("price", [None, "null", "", "abc", True])
def test_a_bar_without_a_price_is_refused(price):
    row = {"T": "AAPL", "o": 1, "h": 2, "l": 1, "c": price, "t": 1651003200000}
    assert refused("bar", {"status": "OK", "results": [row]}) == "PROVIDER_BODY_INVALID"


def test_stock_sizes_are_round_lots_and_option_sizes_are_contracts():
    sizes = {"bp": 1, "ap": 2, "bs": 3, "as": 4, "t": 1644506128351}
    stock = decoded("quote", [{"ev": "Q", "sym": "MSFT", **sizes}])[0]
    option = decoded("quote", [{"ev": "Q", "sym": "O:SPY241220P00720000", **sizes}])[0]
    assert (stock["bid_size"], stock["ask_size"]) == (300, 400)
    assert (option["bid_size"], option["ask_size"]) == (3, 4)


def test_the_last_nbbo_keeps_bid_and_ask_apart():
    row = {"T": "AAPL", "p": 10, "s": 1, "P": 11, "S": 2, "t": 1605195918306274001}
    quote = decoded("quote", {"status": "OK", "results": row})[0]
    assert (quote["bid"], quote["bid_size"], quote["ask"], quote["ask_size"]) == (10, 100, 11, 200)


def test_a_side_of_price_and_size_zero_is_nobody():
    row = {"T": "AAPL", "p": 10, "s": 1, "P": 0, "S": 0, "t": 1605195918306274001}
    quote = decoded("quote", {"status": "OK", "results": row})[0]
    assert (quote["ask"], quote["ask_size"], quote["bid"]) == (None, None, 10)


def test_a_decimal_size_wins_over_the_rounded_one():
    row = {"ev": "T", "sym": "AAPL", "p": 1, "s": 0, "ds": "0.25", "t": 1644506128351}
    assert decoded("trade", [row])[0]["size"] == Decimal("0.25")


def test_a_cleared_snapshot_is_absence_and_no_price_of_zero():
    zero = {"o": 0, "h": 0, "l": 0, "c": 0, "v": 0, "vw": 0}
    body = {"status": "OK", "ticker": {"ticker": "AAPL", "day": zero, "prevDay": {"c": 5}}}
    found = decoded("snapshot", body)[0]
    assert found["day"] == dict.fromkeys(("o", "h", "l", "c", "v", "vw"))
    assert found["prev"]["c"] == 5
    assert found["minute"]["t_open"] is None


def test_rows_with_an_error_and_currency_pairs_are_left_out():
    rows = [{"ticker": "AAPx", "error": "NOT_FOUND"}, {"ticker": "X:BTCUSD"}, {"ticker": "AAPL"}]
    found = decoded("snapshot", {"status": "OK", "results": rows})
    assert [one["symbol"] for one in found] == ["AAPL"]


def test_a_frame_gives_only_the_events_asked_for():
    frame = [
        {"ev": "status", "status": "success", "message": "subscribed to: T.A"},
        {"ev": "T", "sym": "A", "p": 1, "s": 1, "t": 1644506128351},
        {"ev": "XT", "pair": "BTC-USD", "p": 1, "s": 1, "t": 1644506128351},
    ]
    assert [one["symbol"] for one in decoded("trade", frame)] == ["A"]


@pytest.mark.parametrize("feed", ["crypto", "forex", "launchpad", "business"])
def test_feeds_outside_the_product_are_unsupported(feed):
    frame = [{"ev": "AM", "sym": "A", "o": 1, "h": 1, "l": 1, "c": 1, "s": 1644506128351}]
    assert refused("bar", frame, feed=feed) == "PROVIDER_UNSUPPORTED"


def test_a_daily_bar_knows_its_date_and_a_minute_does_not():
    prices = {"T": "A", "o": 1, "h": 1, "l": 1, "c": 1}
    rows = [{**prices, "t": 1577941200000}, {**prices, "t": 1577975400000}]
    dates = [bar["date"] for bar in decoded("bar", {"status": "OK", "results": rows})]
    assert dates == [date(2020, 1, 2), None]


@pytest.mark.fault("F028")
@pytest.mark.parametrize(
    ("status", "body", "due"),
    [
        (401, b'{"status":"ERROR","error":"Unknown API Key"}', "PROVIDER_UNAUTHORIZED"),
        (403, b'{"status":"NOT_AUTHORIZED","message":"upgrade"}', "PROVIDER_NOT_ENTITLED"),
        (403, b"<html>blocked</html>", "PROVIDER_UNAVAILABLE"),
        (404, b'{"status":"NOT_FOUND"}', "PROVIDER_NOT_FOUND"),
        (404, b'{"status":"NOT_FOUND","message":"Ticker not found."}', "SYMBOL_UNKNOWN"),
        (400, b'{"status":"ERROR","error":"bad timespan"}', "PROVIDER_BAD_REQUEST"),
        (429, b"", "PROVIDER_RATE_LIMITED"),
        (429, b"<html></html>", "PROVIDER_RATE_LIMITED"),
        (500, b"{}", "PROVIDER_UNAVAILABLE"),
        (504, b"<html></html>", "PROVIDER_UNAVAILABLE"),
        (302, b"", "PROVIDER_UNAVAILABLE"),
        (200, b'{"status":"ERROR","error":"odd"}', "PROVIDER_BAD_REQUEST"),
        (200, b'{"status":"NOT_AUTHORIZED","message":"no"}', "PROVIDER_NOT_ENTITLED"),
        (200, b'{"status":"ERROR","error":"Unknown API Key"}', "PROVIDER_UNAUTHORIZED"),
        (200, b'{"status":"OK"}', "PROVIDER_BODY_INVALID"),
    ],
)
def test_each_error_has_its_refusal(status, body, due):
    assert refused("error", body, http_status=status) == due


@pytest.mark.parametrize(
    ("status", "message", "due"),
    [
        ("max_connections", "Maximum number exceeded", "PROVIDER_CONNECTION_LIMIT"),
        ("auth_failed", "authentication failed", "PROVIDER_UNAUTHORIZED"),
        ("auth_timeout", "too slow", "PROVIDER_UNAVAILABLE"),
        ("error", "not authorized to subscribe", "PROVIDER_NOT_ENTITLED"),
        ("error", "unknown parameter", "PROVIDER_BAD_REQUEST"),
    ],
)
def test_each_bad_word_of_the_stream_has_its_refusal(status, message, due):
    assert refused("stream_status", [{"ev": "status", "status": status, "message": message}]) == due


@pytest.mark.parametrize(
    ("address", "due"),
    [
        ("https://evil.example:443/v3/trades/A?cursor=x", "/v3/trades/A?cursor=x"),
        ("https://api.example/v3/trades/A", None),
        (None, None),
        (7, None),
    ],
)
def test_the_next_page_keeps_path_and_cursor_and_never_the_host(address, due):
    assert find_next_path({"next_url": address}) == due
