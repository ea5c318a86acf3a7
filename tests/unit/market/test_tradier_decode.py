"""The decoder of Tradier: one-or-many, clocks, order words and errors, on bodies of our own."""

import json
from datetime import datetime

import pytest

from services.kit.errors import Refusal
from services.market.decode import Given
from services.market.tradier_decode import decode_tradier


def decoded(kind, document, **given):
    return decode_tradier(kind, json.dumps(document).encode(), Given(**given))


def refused(kind, document, **given):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(Refusal) as caught:
        decode_tradier(kind, body, Given(**given))
    return caught.value


ORDER = {"id": 1, "status": "open", "symbol": "A", "class": "equity", "side": "buy"}


@pytest.mark.parametrize(
    ("orders", "count"),
    [
        ("null", 0),
        (None, 0),
        ({}, 0),
        ({"order": None}, 0),
        ({"order": ORDER}, 1),
        ({"order": [ORDER, ORDER]}, 2),
    ],
)
def test_one_or_many_orders_are_a_list(orders, count):
    assert len(decoded("order", {"orders": orders})) == count


def test_a_body_that_is_about_something_else_is_not_an_empty_list():
    assert refused("order", {}).code == "PROVIDER_BODY_INVALID"
    assert refused("order", {"profile": {}}).code == "PROVIDER_BODY_INVALID"


@pytest.mark.parametrize(
    ("word", "due"),
    [
        ("ok", "pending"),
        ("partially_filled", "partially_filled"),
        ("canceled", "cancelled"),
        ("error", "rejected"),
        ("calculated", "filled"),
        ("brand_new_word", "unknown"),
    ],
)
def test_order_words_become_ours(word, due):
    assert decoded("order", {"order": {**ORDER, "status": word}})[0]["status"] == due


def test_legs_are_orders_of_their_own():
    body = {"orders": {"order": {**ORDER, "class": "otoco", "leg": {**ORDER, "id": 2}}}}
    assert [leg["broker_order_id"] for leg in decoded("order", body)[0]["legs"]] == ["2"]


def test_stock_sizes_are_hundreds_and_contracts_are_not():
    sides = {"bid": 1, "ask": 2, "bidsize": 3, "asksize": 4}
    rows = [{"symbol": "A", **sides}, {"symbol": "A270115C00010000", "type": "option", **sides}]
    found = decoded("quote", {"quotes": {"quote": rows}})
    assert [one["bid_size"] for one in found] == [300, 3]


def test_the_time_of_a_quote_is_the_newer_side():
    row = {"symbol": "A", "bid_date": 1705072235000, "ask_date": 1705072236000}
    quote = decoded("quote", {"quotes": {"quote": row}})[0]
    assert quote["ts"] == datetime.fromisoformat("2024-01-12T15:10:36Z")


@pytest.mark.fault("F017")
def test_only_unknown_symbols_are_refused_by_name():
    refusal = refused("quote", {"quotes": {"unmatched_symbols": {"symbol": ["ZZZ", "YYY"]}}})
    assert (refusal.code, refusal.facts["value"]) == ("SYMBOL_UNKNOWN", "ZZZ, YYY")


def test_a_short_day_is_an_early_close():
    days = [
        {"date": "2024-07-03", "status": "open", "open": {"start": "09:30", "end": "13:00"}},
        {"date": "2024-07-04", "status": "closed"},
        {"date": "2024-07-05", "status": "open", "open": {"start": "09:30", "end": "16:00"}},
    ]
    found = decoded("calendar_day", {"calendar": {"days": {"day": days}}})
    assert [one["status"] for one in found] == ["early_close", "closed", "open"]
    assert found[0]["close"] == datetime.fromisoformat("2024-07-03T17:00:00Z")
    assert found[1]["open"] is None


def test_the_average_price_of_an_option_is_per_share():
    rows = [
        {"symbol": "A", "quantity": -2, "cost_basis": -30},
        {"symbol": "A270115C00010000", "quantity": 1, "cost_basis": 250},
    ]
    found = decoded("position", {"positions": {"position": rows}})
    assert [one["avg_price"] for one in found] == [15, 2.5]


@pytest.mark.parametrize(
    ("status", "body", "due"),
    [
        (400, b"order already in finalized state: filled", "BROKER_ORDER_FINAL"),
        (400, b"Invalid parameter, duration: pre market no longer available", "BROKER_REJECTED"),
        (400, b"Invalid parameter, interval: must be one of", "PROVIDER_BAD_REQUEST"),
        (400, b'{"errors":{"error":["a","b"]}}', "BROKER_REJECTED"),
        (401, b"Unauthorized Account: VA1", "BROKER_ACCOUNT"),
        (401, b'{"fault":{"faultstring":"Invalid Access Token"}}', "PROVIDER_UNAUTHORIZED"),
        (429, b"", "PROVIDER_RATE_LIMITED"),
        (500, b'{"fault":{"faultstring":"Datastore Error"}}', "PROVIDER_UNAVAILABLE"),
        (502, b"<html></html>", "PROVIDER_UNAVAILABLE"),
        (200, b'{"fault":{"faultstring":"Datastore Error"}}', "PROVIDER_UNAVAILABLE"),
        (200, b'{"fault":{"faultstring":"Quota Violation 1"}}', "PROVIDER_RATE_LIMITED"),
        (200, b'{"errors":{"error":"Sell order is for more shares"}}', "BROKER_REJECTED"),
        (200, b"<quotes/>", "PROVIDER_BODY_INVALID"),
        (200, b'{"orders":null}', "PROVIDER_BODY_INVALID"),
    ],
)
def test_each_error_has_its_refusal(status, body, due):
    assert refused("error", body, http_status=status).code == due


def test_an_order_that_was_rejected_inside_a_200_is_refused():
    body = {"order": {"id": 1, "status": "ok", "errors": {"error": "InitialMargin"}}}
    assert refused("order_ack", body).code == "BROKER_REJECTED"


@pytest.mark.parametrize("event", ["fill", "position", "balance", None])
def test_account_events_that_the_broker_does_not_document_are_dropped(event):
    assert decoded("account_event", {"event": event}) == []
