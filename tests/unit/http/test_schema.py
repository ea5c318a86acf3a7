"""The OpenAPI document tells the truth: generated requests, typed answers, no server fault."""

from __future__ import annotations

import os
import time

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from app.http.access import API, TABLE
from app.http.answers import ANSWERS
from services.identity.user import LOCAL_TENANT
from services.kit.context import system_principal
from services.orders.freeze import freeze
from tests.unit.http.live import KEY

EXAMPLES = 200 if os.environ.get("CORNERMAN_PROVE") else 10
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
ROUTES = [row for row in TABLE if row.path.startswith(API) and row.group != "stream"]


@pytest.fixture(scope="module")
def schema(live):
    document = live.client().get("/openapi.json").json()
    return schemathesis.openapi.from_dict(document)


@pytest.fixture(scope="module")
def caller(live):
    page = live.page()
    return dict(page.headers)


def test_every_success_answer_has_a_type(live):
    document = live.client().get("/openapi.json").json()
    assert set(ANSWERS) == {f"{row.method} {row.path.removeprefix(API)}" for row in ROUTES}
    for row in ROUTES:
        answers = document["paths"][row.path][row.method.lower()]["responses"]
        success = next(answer for status, answer in answers.items() if status.startswith("2"))
        assert success["content"]["application/json"]["schema"], row
        assert "application/problem+json" in answers["default"]["content"], row
        assert "422" not in answers, row


def test_decimals_and_instants_are_text_in_the_document(live):
    schemas = live.client().get("/openapi.json").json()["components"]["schemas"]
    price = schemas["Price"]["properties"]
    assert [one["type"] for one in price["bid"]["anyOf"]] == ["string", "null"]
    assert price["as_of"]["format"] == "date-time"


def test_the_real_answers_of_a_day_at_the_desk_have_their_documented_shape(live):
    page = live.page()
    document = page.get("/openapi.json").json()
    checked = []

    def ask(method, path, body=None, **ids):
        url = API + path.format(**ids)
        headers = {"idempotency-key": f"{KEY}-day-{len(checked):04}"}
        answer = (
            page.get(url, params={"symbol": "AAPL"} if path.startswith("/options/") else None)
            if method == "GET"
            else page.request(method, url, json=body or {}, headers=headers)
        )
        assert answer.status_code < 300, (method, path, answer.text)
        operation = document["paths"][API + path][method.lower()]
        success = operation["responses"][str(answer.status_code)]
        schema = success["content"]["application/json"]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": document["components"]})
        checked.append(f"{method} {path}")
        return answer.json()

    order = {"symbol": "AAPL", "side": "buy", "quantity": "3"}
    ask("POST", "/resume", {"reason": "a new day"})
    ask("POST", "/portfolio/init")
    made = ask("POST", "/portfolio/trade", order)["result"]["proposal_id"]
    shown = ask("GET", "/proposals/{id}/challenge", id=made)
    confirmed = {name: shown[name] for name in ("token", "version", "order_hash")}
    placed = ask("POST", "/proposals/{id}/confirm", confirmed, id=made)["order_id"]
    end = time.monotonic() + 30
    while ask("GET", "/broker/orders/{id}", id=placed)["state"] != "FILLED":
        assert time.monotonic() < end
        time.sleep(0.02)
    bought = ask("GET", "/broker/fills")["items"][0]
    assert bought["corrected"] == ""
    mended = {"reason": "the broker's letter", "price": "409.00"}
    ask("POST", "/broker/fills/{id}/correct", mended, id=bought["id"])
    assert ask("GET", "/broker/fills")["items"][0]["corrected"] == "corrected to 409"
    other = ask("POST", "/portfolio/trade", {**order, "quantity": "4"})["result"]["proposal_id"]
    ask("POST", "/proposals/{id}/edit", {"quantity": "2"}, id=other)
    pending = ask("GET", "/proposals")["items"][0]["id"]
    ask("POST", "/proposals/{id}/decline", id=pending)
    ask("GET", "/proposals/{id}", id=pending)
    plan = {"symbol": "AAPL", "side": "long", "entry": "410", "stop": "400"}
    ref = ask("POST", "/plan/validate", plan)["ref"]
    ask("GET", "/plans/{id}", id=ref)
    ask("POST", "/sizing/suggest", plan)
    ask("POST", "/tools/{name}", {"args": {"symbols": ["AAPL"]}}, name="quote")
    talk = ask("POST", "/coach/conversations")["id"]
    said = ask("POST", "/coach/conversations/{id}/messages", {"text": "what's AAPL"}, id=talk)
    ask("POST", "/coach/runs/{id}/cancel", id=said["run_id"])
    ask("GET", "/coach/conversations/{id}/messages", id=talk)
    note = ask("POST", "/journal", {"text": "a note"})["id"]
    ask("PATCH", "/journal/{id}", {"text": "another"}, id=note)
    ask("GET", "/journal/{id}", id=note)
    ask("DELETE", "/journal/{id}", id=note)
    followed = ask("POST", "/watchlists", {"name": "Tech", "symbols": ["AAPL"]})["id"]
    ask("PATCH", "/watchlists/{id}", {"name": "Big tech"}, id=followed)
    watched = {"symbol": "AAPL", "kind": "price_above", "level": "500", "note": "a gap"}
    alert = ask("POST", "/alerts", watched)["id"]
    ask("POST", "/alerts/rules", {"text": "AAPL > 510", "dry_run": False})
    ask("PATCH", "/alerts/{id}", {"note": "two gaps"}, id=alert)
    ask("GET", "/alerts/{id}/triggers", id=alert)
    ask("POST", "/notifications/read", {"up_to": 0})
    mine = ask("POST", "/portfolios", {"name": "second"})["id"]
    ask("PATCH", "/portfolios/{id}", {"name": "2nd"}, id=mine)
    ask("GET", "/portfolios/{id}", id=mine)
    ask("POST", "/auth/ws-token")
    key = ask("POST", "/auth/keys", {"name": "k", "scopes": ["read"]})["id"]
    ask("DELETE", "/auth/keys/{id}", id=key)
    ask("PUT", "/settings", {"values": {"theme": "dark"}})
    ask("GET", "/settings/{name}", name="theme")
    for leaf in ("price", "history"):
        ask("GET", "/symbols/{symbol}/" + leaf, symbol="AAPL")
    split = {"ex_date": "2012-01-04", "ratio_from": 1, "ratio_to": 2, "note": "a letter"}
    ask("POST", "/instruments/{id}/actions", split, id="XNAS:AAPL")
    ask("POST", "/instruments/{id}/actions", {**split, "ratio_to": 1}, id="XNAS:AAPL")
    ask("GET", "/instruments/{id}/actions", id="XNAS:AAPL")
    ask("POST", "/market/replay", {"action": "pause"})
    ask("POST", "/market/replay", {"action": "resume"})
    ask("POST", "/market/replay", {"action": "step", "seconds": 2100})
    ask("POST", "/plans", {"symbol": "IBM"})
    ask("GET", "/plans")
    ask("GET", "/plans/schema")
    tested = ask("POST", "/backtests", {"strategy": "ma_cross", "symbols": ["IBM"]})["id"]
    end = time.monotonic() + 30
    while ask("GET", "/backtests/{id}", id=tested)["backtest"]["status"] != "done":
        assert time.monotonic() < end
        time.sleep(0.05)
    ask("GET", "/backtests/{id}/page", id=tested)
    ask("POST", "/documents")
    fitted = ask("GET", "/documents")["items"][0]["hash"]
    ask("GET", "/documents/{id}", id=fitted)
    ask("POST", "/documents/{id}/approve", id=fitted)
    for row in ROUTES:
        if row.method == "GET" and "{" not in row.path:
            ask("GET", row.path.removeprefix(API))
    live.product.runtime.write(
        system_principal(LOCAL_TENANT), lambda ctx: freeze(ctx, "a test", subject="x")
    )
    ask("DELETE", "/watchlists/{id}", id=followed)
    ask("DELETE", "/alerts/{id}", id=alert)
    stands = ask("GET", "/freezes")["items"][0]["id"]
    ask("POST", "/freezes/{id}/clear", {"reason": "looked at it"}, id=stands)
    ask("POST", "/task-runs", {"job": "ingest_eod"})
    ask("POST", "/halt", {"reason": "the end of the day"})
    ask("POST", "/resume", {"reason": "the next day"})
    ask("POST", "/auth/logout")
    rest = set(ANSWERS) - set(checked)
    assert rest == {
        "POST /auth/login", "DELETE /auth/sessions/{id}", "POST /broker/orders/{id}/cancel"
    }  # fmt: skip


@pytest.mark.fault("F107")
@pytest.mark.parametrize("row", ROUTES, ids=lambda row: f"{row.method} {row.path}")
def test_generated_requests_never_bring_a_route_down_and_answers_keep_their_type(
    schema, live, caller, row
):
    operation = schema[row.path][row.method]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case):
        headers = {**caller, "idempotency-key": KEY} if row.mutates else caller
        response = case.call(base_url=live.up.address, headers=headers)
        case.validate_response(response, checks=CHECKS)

    run()
