"""The decoder of Alpaca: words of orders, signs, sessions, sizes and errors, on our own bodies."""

import json
from datetime import date
from decimal import Decimal

import pytest

from services.kit.errors import Refusal
from services.market.alpaca_decode import decode_alpaca
from services.market.decode import Given

D = Decimal
ORDER = {
    "id": "id-1",
    "client_order_id": "cm-1",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "qty": "10",
    "filled_qty": "4",
    "filled_avg_price": "190.05",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "status": "partially_filled",
}


def decoded(kind, document, **given):
    return decode_alpaca(kind, json.dumps(document).encode(), Given(**given))


def refused(document, kind="order", **given):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(Refusal) as caught:
        decode_alpaca(kind, body, Given(**given))
    return caught.value.code


def test_an_order_says_what_remains():
    (order,) = decoded("order", ORDER)
    assert (order["remaining_quantity"], order["avg_fill_price"]) == (D(6), D("190.05"))
    assert (order["class"], order["tif"], order["legs"]) == ("equity", "gtc", [])


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("accepted", "pending"),
        ("held", "pending"),
        ("new", "open"),
        ("pending_cancel", "open"),
        ("pending_replace", "open"),
        ("done_for_day", "open"),
        ("canceled", "cancelled"),
        ("replaced", "replaced"),
        ("never_heard_of", "unknown"),
    ],
)
def test_only_a_final_word_is_an_end(word, status):
    (order,) = decoded("order", {**ORDER, "status": word})
    assert order["status"] == status


def test_a_bracket_is_one_order_with_its_legs():
    leg = {**ORDER, "id": "id-2", "side": "sell", "status": "held", "order_class": "bracket"}
    (order,) = decoded("order", {**ORDER, "order_class": "bracket", "legs": [leg, leg]})
    assert order["class"] == "otoco"
    assert [one["status"] for one in order["legs"]] == ["pending", "pending"]


@pytest.mark.parametrize("quantity", ["5", "-5"])
def test_a_short_position_has_a_negative_quantity_and_cost(quantity):
    row = {"symbol": "AAPL", "qty": quantity, "side": "short", "cost_basis": "500"}
    (held,) = decoded("position", [row])
    assert (held["quantity"], held["cost_basis"]) == (D(-5), D(-500))


def test_coins_are_outside_the_product():
    assert decoded("position", [{"symbol": "BTCUSD", "qty": "1", "asset_class": "crypto"}]) == []
    assert decoded("order", [{**ORDER, "asset_class": "crypto"}]) == []
    assert refused({"bars": {"BTC/USD": []}}, "bar") == "PROVIDER_UNSUPPORTED"


def test_a_purchase_costs_and_a_sale_brings():
    fill = {"activity_type": "FILL", "id": "1", "symbol": "AAPL", "qty": "2", "price": "10"}
    rows = [{**fill, "side": "buy"}, {**fill, "side": "sell"}, {**fill, "net_amount": "7"}]
    assert [one["amount"] for one in decoded("account_activity", rows)] == [D(-20), D(20), D(7)]


def test_a_shorter_day_closes_early():
    days = [
        {"date": "2026-11-27", "open": "09:30", "close": "13:00"},
        {"date": "2026-11-30", "open": "09:30", "close": "16:00"},
    ]
    found = decoded("calendar_day", days)
    assert [one["status"] for one in found] == ["early_close", "open"]
    assert found[0]["close"].isoformat() == "2026-11-27T18:00:00+00:00"


def test_a_daily_bar_belongs_to_its_session_and_an_hour_to_none():
    bar = {"o": 1, "h": 2, "l": 1, "c": 2, "v": 5}
    rows = [{**bar, "t": "2024-03-12T04:00:00Z"}, {**bar, "t": "2024-03-12T14:00:00Z"}]
    found = decoded("bar", {"bars": rows, "symbol": "SPY"})
    assert [one["date"] for one in found] == [date(2024, 3, 12), None]
    assert found[0]["symbol"] == "SPY"


def test_a_side_without_price_and_size_is_no_quote():
    row = {"t": "2024-03-12T14:00:00Z", "bp": 0, "bs": 0, "ap": 5, "as": 1}
    (quote,) = decoded("quote", {"quote": row, "symbol": "SPY"})
    assert (quote["bid"], quote["bid_size"], quote["ask"]) == (None, None, D(5))


def test_a_snapshot_has_its_parts():
    bar = {"o": 1, "h": 2, "l": 1, "c": 2, "v": 5, "t": "2024-03-12T14:00:00Z"}
    row = {"latestTrade": {"p": 2, "t": "2024-03-12T14:00:00Z"}, "dailyBar": bar}
    (found,) = decoded("snapshot", {"SPY": row})
    assert (found["symbol"], found["last"], found["day"]["h"]) == ("SPY", D(2), D(2))
    assert found["prev"]["c"] is None


def test_a_split_has_its_ratio_and_no_cash():
    split = {"symbol": "NVDA", "old_rate": 1, "new_rate": 10, "ex_date": "2024-06-10", "rate": 3}
    body = {"corporate_actions": {"forward_splits": [split], "spin_offs": [{"symbol": "X"}]}}
    (found,) = decoded("corporate_action", body)
    assert (found["type"], found["ratio_from"], found["ratio_to"]) == ("split", D(1), D(10))
    assert found["cash_amount"] is None


def test_an_update_of_the_stream_speaks_of_one_order():
    event = {"stream": "trade_updates", "data": {"event": "fill", "order": ORDER, "price": "1"}}
    (found,) = decoded("account_event", event)
    assert (found["type"], found["broker_order_id"], found["remaining_quantity"]) == (
        "order",
        "id-1",
        D(6),
    )
    assert decoded("account_event", {"stream": "listening", "data": {"streams": []}}) == []


@pytest.mark.parametrize(
    ("status", "document", "code"),
    [
        (401, {"code": 40110000, "message": "request is not authorized"}, "PROVIDER_UNAUTHORIZED"),
        (403, {"message": "forbidden."}, "PROVIDER_UNAUTHORIZED"),
        (403, {"code": 40310000, "message": "insufficient buying power"}, "BROKER_REJECTED"),
        (
            403,
            {"message": "subscription does not permit querying recent SIP data"},
            "PROVIDER_NOT_ENTITLED",
        ),
        (404, {"code": 40410000, "message": "order not found"}, "PROVIDER_NOT_FOUND"),
        (404, {"code": 40410000, "message": "asset not found for X"}, "SYMBOL_UNKNOWN"),
        (422, {"code": 42210000, "message": "order is not cancelable"}, "BROKER_ORDER_FINAL"),
        (422, {"code": 40010001, "message": "client_order_id must be unique"}, "BROKER_REJECTED"),
        (422, {"message": "invalid timeframe"}, "PROVIDER_BAD_REQUEST"),
        (429, {"code": 42910000, "message": "rate limit exceeded"}, "PROVIDER_RATE_LIMITED"),
        (504, b"<html><body></body></html>", "PROVIDER_UNAVAILABLE"),
        (200, b"<html><body></body></html>", "PROVIDER_UNAVAILABLE"),
        (200, {"code": 40310000, "message": "insufficient qty"}, "BROKER_REJECTED"),
        (200, b"{", "PROVIDER_BODY_INVALID"),
        (200, [1], "PROVIDER_BODY_INVALID"),
        (200, {"status": "new"}, "PROVIDER_BODY_INVALID"),
    ],
)
def test_an_error_is_named_by_its_number_its_words_and_its_status(status, document, code):
    assert refused(document, http_status=status) == code


def test_a_single_row_may_stand_under_its_symbol_or_alone():
    row = {"t": "2024-01-24T14:02:09Z", "p": 0.06, "s": 1}
    (under,) = decoded("trade", {"trade": {"AAPL240126P00050000": row}})
    (alone,) = decoded("trade", {"trade": row, "symbol": "AAPL"})
    assert (under["symbol"], alone["symbol"]) == ("AAPL240126P00050000", "AAPL")


def test_one_contract_or_many_are_a_list():
    row = {"symbol": "AAPL231103C00170000", "underlying_symbol": "AAPL", "size": "100"}
    assert len(decoded("option_contract", row)) == 1
    assert len(decoded("option_contract", {"option_contracts": [row, row]})) == 2


def test_an_acknowledgement_without_an_order_is_none_that_was_taken():
    rows = [{"symbol": "A", "status": 200, "body": {"id": "x"}}, {"symbol": "B", "status": 500}]
    found = decoded("order_ack", rows)
    assert [(one["broker_order_id"], one["accepted"]) for one in found] == [
        ("x", True),
        (None, False),
    ]


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("account_config", {"id": "x", "status": "ACTIVE"}),
        ("order", {"id": "x", "status": "ACTIVE"}),
        ("snapshot", {"bars": {"AAPL": []}, "AAPL": {"t": 1}}),
    ],
)
def test_a_body_of_another_kind_is_refused(kind, document):
    assert refused(document, kind) == "PROVIDER_BODY_INVALID"
