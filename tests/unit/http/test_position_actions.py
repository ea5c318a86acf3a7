"""Position actions over HTTP: the tool endpoint makes cards, a refusal changes nothing, stops list."""

from __future__ import annotations

import itertools
import time

import pytest

from services.kit.context import SCOPES
from tests.unit.http.live import KEY

_calls = itertools.count(1)
_WAIT_S = 20.0


@pytest.fixture(scope="module")
def page(live):
    page = live.page()
    assert post(page, "market/replay", {"action": "pause"}).status_code == 200
    for symbol, quantity in (("MSFT", "20"), ("AAPL", "5")):
        trade(page, {"symbol": symbol, "side": "buy", "quantity": quantity, "type": "market"})
    return page


def post(page, path, body):
    key = {"idempotency-key": f"{KEY}-pa-{next(_calls):06}"}
    return page.post(f"/api/v1/{path}", json=body, headers=key)


def act(page, **args):
    return post(page, "tools/position_action", {"args": args})


def trade(page, order):
    made = post(page, "portfolio/trade", order)
    assert made.status_code == 202, made.text
    return confirm(page, made.json()["result"]["proposal_id"])


def confirm(page, card):
    shown = page.get(f"/api/v1/proposals/{card}/challenge").json()
    body = {name: shown[name] for name in ("token", "version", "order_hash")}
    if shown["card"]["typed"]:
        body["typed"] = shown["card"]["typed"]["expected_hint"]
    done = post(page, f"proposals/{card}/confirm", body)
    assert done.status_code < 300, done.text
    order_id = done.json()["order_id"]
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        order = page.get(f"/api/v1/broker/orders/{order_id}").json()
        if order["state"] in ("FILLED", "WORKING", "CANCELLED"):
            return order
        post(page, "market/replay", {"action": "step", "seconds": 5})
        time.sleep(0.05)
    raise AssertionError(order)


def stops(page):
    return {one["symbol"]: one for one in page.get("/api/v1/broker/stops").json()["items"]}


def test_a_trim_answers_with_its_card_and_its_checklist(page):
    answer = act(page, action="trim", symbol="MSFT", share="half")
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    (card,) = result["cards"]
    assert (card["side"], card["quantity"], card["kind"]) == ("sell", "10", "order")
    assert [one["name"] for one in result["checks"]] == ["plan", "size", "risk", "orders", "data"]
    assert {one["verdict"] for one in result["checks"]} <= {"pass", "warn", "fail"}
    shown = page.get(f"/api/v1/proposals/{card['proposal_id']}").json()
    assert shown["status"] == "pending"
    assert "token" not in answer.text
    assert post(page, f"proposals/{card['proposal_id']}/decline", {}).status_code == 200


def test_a_moved_stop_is_listed_as_kept_and_as_working_once_its_card_is_confirmed(page):
    last = page.get("/api/v1/symbols/AAPL/price").json()["bid"]
    level = str(int(float(last)) - 4)
    answer = act(page, action="move_stop", symbol="AAPL", stop_price=level)
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert stops(page)["AAPL"] == {
        "listing": "XNAS:AAPL",
        "symbol": "AAPL",
        "stop": level,
        "stop_source": "position stop",
        "works": False,
    }
    order = confirm(page, result["cards"][0]["proposal_id"])
    assert order["state"] == "WORKING"
    assert stops(page)["AAPL"]["works"] is True
    assert stops(page)["AAPL"]["stop_source"] == order["id"]
    back = act(page, action="move_stop", symbol="AAPL", stop_price=str(int(level) - 1))
    assert back.status_code == 409
    assert back.json()["code"] == "STOP_LOOSENED"
    assert stops(page)["AAPL"]["stop"] == level


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"action": "trim", "symbol": "AAPL"}, "PARAM_INVALID"),
        ({"action": "trim", "symbol": "AAPL", "quantity": "1e3"}, "ARGS_INVALID"),
        ({"action": "trim", "symbol": "AAPL", "share": "100%"}, "ARGS_INVALID"),
        ({"action": "trim", "symbol": "AAPL", "quantity": "21"}, "INSUFFICIENT_POSITION"),
        ({"action": "move_stop", "symbol": "AAPL"}, "PARAM_INVALID"),
        ({"action": "move_stop", "symbol": "AAPL", "stop_price": "-1"}, "PRICE_NON_POSITIVE"),
        ({"action": "move_stop", "symbol": "AAPL", "stop_price": "99999"}, "STOP_AT_MARKET"),
        ({"action": "close"}, "PARAM_INVALID"),
        ({"action": "close", "symbol": "IBM"}, "POSITION_NONE"),
        ({"action": "roll", "symbol": "AAPL"}, "ROLL_UNAVAILABLE"),
        ({"action": "execute", "symbol": "AAPL"}, "ARGS_INVALID"),
    ],
)
def test_what_can_not_be_done_is_a_typed_refusal_that_says_what_to_do(page, args, code):
    before = len(page.get("/api/v1/proposals?status=pending").json()["items"])
    answer = act(page, **args)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code
    assert answer.json()["hint"]
    assert len(page.get("/api/v1/proposals?status=pending").json()["items"]) == before


def test_a_hedge_without_a_chain_says_why(page):
    result = act(page, action="hedge", symbol="AAPL").json()["result"]
    assert result["hedge"] is None
    assert result["cards"] == []
    assert "No hedge for AAPL" in result["summary"]


def test_a_key_that_may_only_read_prepares_nothing(live):
    reader = live.key("read")
    head = {"idempotency-key": KEY + "-reader", "origin": str(reader.base_url)}
    body = {"args": {"action": "close", "symbol": "AAPL"}}
    refused = reader.post("/api/v1/tools/position_action", json=body, headers=head)
    assert refused.status_code == 403
    assert live.key(*SCOPES).get("/api/v1/broker/stops").status_code == 200
