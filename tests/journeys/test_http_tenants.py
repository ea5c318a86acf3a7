"""Three tenants on one server, both engines: nobody finds, lists, changes or hears another's."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import dataclass

import httpx
import pytest

from app.http.access import TABLE
from services.alerts import notification
from services.identity.user import LOCAL_TENANT
from services.kit.context import system_principal
from services.orders.freeze import freeze, list_freezes
from services.strategy.documents import store_document
from tests.journeys.test_http_trade import answer_to, card_of, ended, frames, say, until
from tests.unit.http.live import KEY, live_server

NAMES = (LOCAL_TENANT, "ten_eve", "ten_mallory")
PLAN = {"symbol": "AAPL", "side": "long", "entry": "410", "stop": "400"}
SHARED = ("/ideas/{id}", "/api/v1/instruments/{id}")
"""Ids that are nobody's own: a page without data, and the names of listings."""
BY_ID = [row for row in TABLE if "{id}" in row.path and not row.path.startswith(SHARED)]
LISTS = [
    row
    for row in TABLE
    if row.method == "GET"
    and "{" not in row.path
    and row.scope != "public"
    and row.group != "stream"
    and row.path != "/metrics"
]
BODIES = {
    "correct": {"reason": "a letter"},
    "clear": {"reason": "x"},
    "edit": {"quantity": "1"},
    "messages": {"text": "x"},
    "plans": {},
}
CHANGES = {"journal": {"text": "x"}, "alerts": {"note": "x"}}
"""What a change says of a family of routes; the others take a name."""
QUERIES = {
    "/api/v1/symbols": {"query": "a"},
    "/api/v1/symbols/metrics": {"symbols": "AAPL"},
    "/api/v1/news": {"symbols": "AAPL"},
    "/api/v1/earnings": {"symbols": "AAPL"},
    "/api/v1/options/chain": {"symbol": "AAPL"},
    "/api/v1/options/picks": {"symbol": "AAPL"},
    "/api/v1/options/expirations": {"symbol": "AAPL"},
}
"""What a list has to be asked with."""
_keys = itertools.count()


@dataclass
class Tenant:
    """One tenant's page and everything that belongs to it, by family of route."""

    name: str
    page: httpx.Client
    ids: dict[str, str]
    confirm: dict[str, object]

    @property
    def marks(self) -> set[str]:
        """What must never be seen by another tenant."""
        return {*self.ids.values(), f"note of {self.name}"}


def fresh():
    return {"idempotency-key": f"{KEY}{next(_keys)}"}


def made(page, path, body, **headers):
    """Post and return the document of the answer, which must be a good one."""
    answer = page.post(f"/api/v1/{path}", json=body, headers=headers)
    assert answer.is_success, (path, answer.status_code, answer.text)
    return answer.json()


def seen(page, path):
    """Get the document of a good answer."""
    answer = page.get(f"/api/v1/{path}")
    assert answer.status_code == 200, (path, answer.status_code, answer.text)
    return answer.json()


def trade(page, quantity):
    order = {"symbol": "AAPL", "side": "buy", "quantity": quantity}
    return made(page, "portfolio/trade", order, **fresh())["result"]["proposal_id"]


def frozen(live, name):
    """A freeze of a listing that nobody trades; return its id."""

    def act(ctx):
        freeze(ctx, f"note of {name}", subject="a test", scope="listing:none")
        notification.record(
            ctx, "info", f"note of {name}", topic="data", subject="a test", dedupe="a test"
        )
        return list_freezes(ctx)[0].id

    return live.product.runtime.write(system_principal(name), act)


def fitted(live, name):
    """A stored document of one tenant; return its hash."""

    def act(ctx):
        return store_document(ctx, "strategy/v1", "x", {"name": f"note of {name}"}).hash

    return live.product.runtime.write(system_principal(name), act)


def watching(page, name):
    """An alert, a list, a job run and a backtest of one tenant; return their ids by family."""
    terms = {"symbol": "AAPL", "kind": "price_above", "level": "9000", "confirm_far": True}
    asked = {
        "alerts": terms | {"note": f"note of {name}"},
        "watchlists": {"name": f"note of {name}"[:20], "symbols": ["AAPL"]},
        "task-runs": {"job": "snapshot_lkg"},
        "backtests": {"strategy": "ma_cross", "symbols": ["IBM"]},
    }
    return {family: made(page, family, body)["id"] for family, body in asked.items()}


def settled(live, name):
    """A tenant with one of everything: a filled order, a pending card, a talk, a note, a key."""
    page = live.page(tenant=name)
    bought = trade(page, "5")
    card = answer_to(card_of(page, bought))
    order = made(page, f"proposals/{bought}/confirm", card, **fresh())["order_id"]
    until(lambda: seen(page, f"broker/orders/{order}")["state"] == "FILLED")
    talk = made(page, "coach/conversations", {"title": f"note of {name}"})["id"]
    run = say(page, talk, "what's AAPL doing", next(_keys))
    frames(page, f"/api/v1/coach/conversations/{talk}/events?after=1.0", ended)
    note = made(page, "journal", {"text": f"note of {name}"})["id"]
    key = made(page, "auth/keys", {"name": "k", "scopes": ["read"]})["id"]
    pending = trade(page, "6")
    ids = {
        "proposals": pending,
        "orders": order,
        "fills": seen(page, "broker/fills")["items"][0]["id"],
        "conversations": talk,
        "runs": run,
        "journal": note,
        "keys": key,
        "sessions": seen(page, "auth/sessions")["items"][0]["id"],
        "portfolios": seen(page, "portfolios")["items"][0]["id"],
        "plans": made(page, "plan/validate", PLAN)["ref"],
        "freezes": frozen(live, name),
        "documents": fitted(live, name),
        **watching(page, name),
    }
    return Tenant(name, page, ids, answer_to(card_of(page, pending)))


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def url(request, tmp_path_factory):
    """One database for the module: these tests only look, or are refused."""
    if request.param == "sqlite":
        target = tmp_path_factory.mktemp("tenants") / "c.db"
        shutil.copyfile(request.getfixturevalue("migrated_file"), target)
        yield f"sqlite:///{target}"
        return
    from tests import postgres

    server = request.getfixturevalue("postgres_server")
    runtime_url, _ = postgres.fresh_database(server, "tenants_matrix")
    yield runtime_url
    postgres.drop_database(server, "tenants_matrix")


@pytest.fixture(scope="module")
def tenants(url, tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("home"), url) as live:
        yield [settled(live, name) for name in NAMES]


def test_a_split_that_one_tenant_recorded_is_its_own(tenants):
    split = {"ex_date": "2012-01-04", "ratio_from": 1, "ratio_to": 2, "note": "note of mine"}
    path = "/api/v1/instruments/XNYS:IBM/actions"
    first, *others = tenants
    assert first.page.post(path, json=split, headers=fresh()).status_code in {200, 201}
    assert "note of mine" in first.page.get(path).text
    assert all("note of mine" not in one.page.get(path).text for one in others)


def pairs(tenants):
    return list(itertools.permutations(tenants, 2))


def body_of(row, family, owner):
    leaf = row.path.rsplit("/", 1)[-1]
    if leaf == "confirm":
        return owner.confirm
    if row.method == "PATCH":
        return CHANGES.get(family, {"name": "x"})
    return BODIES.get(leaf, {})


@pytest.mark.fault("F104")
@pytest.mark.parametrize("row", BY_ID, ids=lambda row: f"{row.method} {row.path}")
def test_the_id_of_another_tenant_is_unknown_on_every_route(tenants, row):
    family = row.path.split("/{id}")[0].rsplit("/", 1)[-1]
    for stranger, owner in pairs(tenants):
        assert family in owner.ids, f"give the matrix an id for {row.path}"
        path = row.path.replace("{id}", owner.ids[family])
        answer = (
            stranger.page.request(
                row.method, path, headers=fresh(), json=body_of(row, family, owner)
            )
            if row.mutates
            else stranger.page.get(path)
        )
        assert answer.status_code == 404, (stranger.name, owner.name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.fault("F104")
@pytest.mark.parametrize("row", LISTS, ids=lambda row: row.path)
def test_no_list_holds_a_row_of_another_tenant(tenants, row):
    for stranger in tenants:
        answer = stranger.page.get(row.path, params=QUERIES.get(row.path))
        assert answer.status_code == 200, answer.text
        foreign = set().union(*(one.marks for one in tenants if one is not stranger))
        assert [mark for mark in foreign if mark in answer.text] == []


def test_each_tenant_sees_its_own(tenants):
    for one in tenants:
        seen = "".join(one.page.get(row.path, params=QUERIES.get(row.path)).text for row in LISTS)
        missing = {name for name, mark in one.ids.items() if mark not in seen}
        assert missing <= {"runs", "plans"}, "these have no list"
        assert f"note of {one.name}" in seen


@pytest.mark.fault("F104")
def test_the_id_of_another_tenant_in_a_query_or_an_argument_finds_nothing(tenants):
    for stranger, owner in pairs(tenants):
        ids = owner.ids
        for path in ("broker/positions", "broker/balances", "portfolio", "portfolio/history"):
            answer = stranger.page.get(
                f"/api/v1/{path}", params={"portfolio_id": ids["portfolios"]}
            )
            assert answer.status_code == 404, (path, answer.text)
        for mark in ids.values():
            trail = stranger.page.get("/api/v1/audit/events", params={"ref": mark}).json()
            assert trail["items"] == []
        for name, args in (
            ("cancel_order", {"order_id": ids["orders"]}),
            ("replace_order", {"order_id": ids["orders"], "limit_price": "1.00"}),
            ("audit_trail", {"ref": ids["proposals"]}),
        ):
            done = stranger.page.post(f"/api/v1/tools/{name}", json={"args": args}, headers=fresh())
            assert done.status_code == 404 or owner.name not in done.text, done.text
            assert "AAPL" not in done.text, done.text


@pytest.mark.fault("F104")
def test_reading_ones_own_notifications_leaves_those_of_the_others_unread(tenants):
    def feeds():
        return [one.page.get("/api/v1/notifications").json() for one in tenants]

    before = feeds()
    every = [{row["id"] for row in one["items"]} for one in before]
    assert all(one["unread"] for one in before)
    newest = max(set().union(*every))
    said = tenants[0].page.post(
        "/api/v1/notifications/read", json={"up_to": newest}, headers=fresh()
    )
    assert said.json() == {"unread": 0}
    assert [one["unread"] for one in feeds()][1:] == [one["unread"] for one in before][1:]


@pytest.mark.fault("F104")
def test_the_desk_stream_tells_each_tenant_of_its_own_only(tenants):
    for stranger in tenants:
        told = frames(
            stranger.page,
            "/api/v1/coach/stream?after=1.0",
            lambda event, mine=stranger.ids["proposals"]: event.get("proposal_id") == mine,
        )
        heard = json.dumps([event for _, event in told])
        for owner in tenants:
            if owner is not stranger:
                assert [mark for mark in owner.marks if mark in heard] == []


def test_after_every_attempt_the_owner_finds_everything_as_it_was(tenants):
    for one in tenants:
        card = one.page.get(f"/api/v1/proposals/{one.ids['proposals']}").json()
        assert (card["status"], card["version"]) == ("pending", one.confirm["version"])
        note = one.page.get(f"/api/v1/journal/{one.ids['journal']}").json()
        assert f"note of {one.name}" in json.dumps(note)
        assert [row["id"] for row in one.page.get("/api/v1/alerts").json()["items"]] == [
            one.ids["alerts"]
        ]
        assert one.page.get("/api/v1/audit/verify").json()["ok"] is True
