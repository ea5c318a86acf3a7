"""Every answer with a value of the market says of what time, how real and from where it is."""

import time

import pytest

from app.http.access import API, TABLE

LABEL = {"as_of", "provenance", "source"}
VALUES = {
    "price", "bid", "ask", "last", "mid", "equity", "worst_price", "avg_price", "market_value",
    "entry", "o", "pnl", "unrealised", "reference_mid"}  # fmt: skip
RECORDS = {"/plans/schema", "/audit/events", "/tools", "/settings", "/portfolios"}
"""Answers about other things; an audit event holds its facts as they were hashed."""
ALERT = {"symbol": "AAPL", "kind": "price_above", "level": "500"}
READS = [
    row.path.removeprefix(API)
    for row in TABLE
    if row.method == "GET" and row.path.startswith(API) and row.group != "stream"
]


@pytest.fixture(scope="module")
def desk(live):
    """A page whose account holds a fill, an open order, an open card and a checked plan."""
    page, made = live.page(), []

    def post(path, body=None):
        made.append(path)
        key = {"idempotency-key": f"labels-{len(made):010}"}
        answer = page.post(API + path, json=body or {}, headers=key)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def place(**terms):
        order = {"symbol": "AAPL", "side": "buy", "quantity": "3", **terms}
        card = post("/portfolio/trade", order)["result"]["proposal_id"]
        shown = page.get(f"{API}/proposals/{card}/challenge").json()
        terms = {name: shown[name] for name in ("token", "version", "order_hash")}
        return post(f"/proposals/{card}/confirm", terms)["order_id"]

    post("/resume", {"reason": "a new day"})
    post("/portfolio/init")
    order = place()
    end = time.monotonic() + 30
    while page.get(f"{API}/broker/orders/{order}").json()["state"] != "FILLED":
        assert time.monotonic() < end
        time.sleep(0.02)
    card = post("/portfolio/trade", {"symbol": "IBM", "side": "buy", "quantity": "1"})
    plan = post("/plan/validate", {"symbol": "AAPL", "side": "long", "entry": "410", "stop": "400"})
    tested = post("/backtests", {"strategy": "ma_cross", "symbols": ["IBM"]})["id"]
    while page.get(f"{API}/backtests/{tested}").json()["backtest"]["status"] != "done":
        assert time.monotonic() < end + 20
        time.sleep(0.05)
    ids = {
        "/broker/orders/{id}": order,
        "/proposals/{id}": card["result"]["proposal_id"],
        "/proposals/{id}/challenge": card["result"]["proposal_id"],
        "/plans/{id}": plan["ref"],
        "/portfolios/{id}": page.get(f"{API}/portfolio").json()["portfolio"]["id"],
        "/journal/{id}": page.get(f"{API}/journal").json()["items"][0]["id"],
        "/coach/conversations/{id}/messages": post("/coach/conversations")["id"],
        "/alerts/{id}/triggers": post("/alerts", ALERT)["id"],
        "/instruments/{id}/actions": "XNAS:AAPL",
        "/documents/{id}": page.get(f"{API}/documents").json()["items"][0]["hash"],
        **dict.fromkeys(("/backtests/{id}", "/backtests/{id}/page"), tested),
    }
    return page, ids


def unlabelled(value, *, covered):
    """Return the names of market values that no object around them labels."""
    if isinstance(value, list):
        return [one for item in value for one in unlabelled(item, covered=covered)]
    if not isinstance(value, dict):
        return []
    covered = covered or all(value.get(name) for name in LABEL)
    bare = [name for name in VALUES & value.keys() if value[name] is not None and not covered]
    return bare + [one for item in value.values() for one in unlabelled(item, covered=covered)]


def has_values(value):
    if isinstance(value, list):
        return any(map(has_values, value))
    return isinstance(value, dict) and (
        bool(VALUES & value.keys()) or any(map(has_values, value.values()))
    )


@pytest.mark.parametrize("path", [path for path in READS if path not in RECORDS])
def test_every_market_value_of_an_answer_is_labelled(desk, path):
    page, ids = desk
    answer = page.get(
        API
        + path.replace("{symbol}", "AAPL")
        .replace("{name}", "theme")
        .replace("{id}", ids.get(path, "")),
        params={"symbol": "AAPL"} if path.startswith("/options/") else None,
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert unlabelled(body, covered=False) == []
    if has_values(body):
        assert body.keys() >= LABEL


def test_the_walk_sees_the_values_it_is_about(desk):
    page, ids = desk
    seen = {
        path
        for path in READS
        if path not in RECORDS
        and has_values(
            page.get(
                API
                + path.replace("{symbol}", "AAPL")
                .replace("{name}", "theme")
                .replace("{id}", ids.get(path, ""))
            ).json()
        )
    }
    assert seen >= {
        "/proposals", "/proposals/{id}", "/broker/orders", "/broker/orders/{id}", "/broker/fills",
        "/broker/positions", "/broker/balances", "/symbols/{symbol}/price",
        "/symbols/{symbol}/history", "/plans/{id}", "/portfolio", "/portfolios/{id}",
        "/portfolio/performance", "/journal", "/journal/{id}"}  # fmt: skip
    assert unlabelled({"items": [{"price": "1"}]}, covered=False) == ["price"]


def test_the_history_is_flat_and_names_its_portfolio(desk):
    page, ids = desk
    body = page.get(f"{API}/portfolio/history").json()
    assert body["portfolio_id"] == ids["/portfolios/{id}"]
    assert (type(body["items"]), type(body["trades"])) == (list, list)
    assert body["source"] == "ledger"


def test_a_note_has_no_label_because_it_tells_no_value(desk):
    page, _ = desk
    made = page.post(
        f"{API}/journal", json={"text": "waited"}, headers={"idempotency-key": "labels-note-000001"}
    ).json()
    assert {made[name] for name in LABEL} == {None}
