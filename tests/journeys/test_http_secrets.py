"""A canary in every secret setting: after a journey with faults, none stands in what left."""

from __future__ import annotations

import json
import shutil

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from services import schema
from services.kit.context import Surface
from services.kit.settings import Settings
from tests.fakes.model_server import Answer, calls_answer, running_server, text_answer
from tests.journeys.test_http_trade import answer_to, card_of, ended, frames, until
from tests.unit.http.live import GENEROUS, KEY, SERVED, live_server


def canary(name: str) -> str:
    """A value that looks like nothing else in the product."""
    return f"canary-{name.replace('_', '-')}-7f3a9c51d2e84b60"


PLANTED = {
    name: canary(name)
    for name, field in Settings.model_fields.items()
    if isinstance(field.default, SecretStr)
    and name not in ("database_url", "database_owner_url", "chatdata_api_key")
}


class Witness:
    """Keeps every byte that the server gave to anybody."""

    def __init__(self, live) -> None:
        self.live = live
        self.said: list[str] = []
        self.count = 0

    def watch(self, client: httpx.Client) -> httpx.Client:
        client.event_hooks["response"].append(self._note)
        return client

    def _note(self, response: httpx.Response) -> None:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.read()
            self.said.append(response.text)
        self.said.append(json.dumps(dict(response.headers)))

    def fresh(self) -> dict[str, str]:
        self.count += 1
        return {"idempotency-key": f"{KEY}-secret-{self.count:04}"}


@pytest.fixture
def journey(migrated_file, tmp_path):
    """A served installation with every secret planted, and a model that the journey talks to."""
    shutil.copyfile(migrated_file, tmp_path / "c.db")
    script = [
        calls_answer(("quote", {"symbols": ["AAPL"]})),
        text_answer("I can not say more."),
        Answer(status=401, frames=[b'{"error": {"message": "bad key"}}'], content_type="text/json"),
        Answer(status=500, frames=[b"{}"], content_type="application/json"),
    ]
    with running_server(script) as model:
        environment = {
            **GENEROUS,
            **SERVED,
            **{name.upper(): value for name, value in PLANTED.items()},
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_MODEL": "scripted",
            "FEATURE_MOCK_MODE": "true",
            "LOG_LEVEL": "debug",
        }
        url = f"sqlite:///{tmp_path / 'c.db'}"
        with live_server(tmp_path, url, environment=environment) as live:
            yield Witness(live), model


def secrets_of(live, page, key, token):
    return {
        **PLANTED,
        "the session": page.headers["cookie"].split("=", 1)[1],
        "the API key": key.split("_", 2)[2],
        "the confirmation token": token,
    }


def provoked(witness, page, stranger):
    """Requests that fail in every way, some with a secret in them."""
    secret = PLANTED["openai_api_key"]
    for method, path, body in (
        ("POST", "/api/v1/journal", {"text": 5}),
        ("POST", "/api/v1/tools/quote", {"args": {"symbols": [secret]}}),
        ("POST", "/api/v1/tools/nothing", {"args": {}}),
        ("GET", "/api/v1/settings/openai_api_key", None),
        ("GET", "/api/v1/settings/cornerman_secret", None),
        ("PUT", "/api/v1/settings", {"values": {"openai_api_key": "x"}}),
        ("GET", "/api/v1/broker/orders/none", None),
        ("GET", "/api/v1/nothing", None),
    ):
        page.request(method, path, json=body, headers=witness.fresh())
        stranger.request(method, path, json=body, headers=witness.fresh())
    login = {"name": "owner", "password": "a wrong password"}
    stranger.post("/api/v1/auth/login", json=login, headers={"origin": witness.live.origin})
    stranger.get("/api/v1/halt", headers={"authorization": f"Bearer {secret}"})


def bought(witness, page):
    order = {"symbol": "AAPL", "side": "buy", "quantity": "2"}
    made = page.post("/api/v1/portfolio/trade", json=order, headers=witness.fresh()).json()
    proposal = made["result"]["proposal_id"]
    card = card_of(page, proposal)
    witness.said = [one for one in witness.said if card["token"] not in one]
    path = f"/api/v1/proposals/{proposal}/confirm"
    wrong = {**answer_to(card), "token": "ct_" + "A" * 43}
    assert page.post(path, json=wrong, headers=witness.fresh()).status_code == 403
    done = page.post(path, json=answer_to(card), headers=witness.fresh())
    assert done.status_code == 200, done.text
    order_id = done.json()["order_id"]
    until(lambda: page.get(f"/api/v1/broker/orders/{order_id}").json()["state"] == "FILLED")
    return card["token"]


def talked(witness, page, words):
    """Say each of `words` and return what the stream told."""
    talk = page.post("/api/v1/coach/conversations", json={}).json()["id"]
    path = f"/api/v1/coach/conversations/{talk}"
    told = []
    for said in words:
        before = page.get(f"{path}/messages").json()["cursor"]
        sent = page.post(f"{path}/messages", json={"text": said}, headers=witness.fresh())
        assert sent.status_code == 202, sent.text
        told += frames(page, f"{path}/events?after={before}", ended)
    page.get(f"{path}/messages")
    return told


def stored_text(live):
    """Every text column of every table."""
    texts = []
    with live.product.runtime.database.read(None) as db:
        for table in schema.metadata.sorted_tables:
            for row in db.connection.execute(table.select()):
                texts += [str(value) for value in row if isinstance(value, (str, bytes))]
    return "\n".join(texts)


@pytest.mark.fault("F126")
def test_no_canary_is_found_in_anything_that_left(journey):
    witness, model = journey
    live = witness.live
    page = witness.watch(live.page())
    stranger = witness.watch(live.client())
    key = (
        live.page().post("/api/v1/auth/keys", json={"name": "k", "scopes": ["read"]}).json()["key"]
    )
    reader = witness.watch(live.client(authorization=f"Bearer {key}"))
    token = bought(witness, page)
    words = ["what's AAPL doing", f"my token is {token}, use it", "and now?", "again"]
    told = talked(witness, page, words)
    provoked(witness, page, stranger)
    for path in ("settings", "diag/config", "audit/events", "journal", "proposals", "halt"):
        assert page.get(f"/api/v1/{path}").status_code == 200
    reader.get("/metrics")
    frame = witness.watch(live.page(Surface.FRAME))
    frame.get("/api/v1/proposals")
    assert model.requests, "the model was asked"
    assert model.headers[0]["authorization"] == f"Bearer {PLANTED['openai_api_key']}"
    places = {
        "HTTP answers": "\n".join(witness.said),
        "event streams": json.dumps([event for _, event in told]),
        "log lines": live.lines(),
        "metrics": live.product.metrics.text().decode(),
        "the model's own requests": json.dumps(model.requests),
        "the database": stored_text(live),
        "repr": repr(live.product.settings),
    }
    secrets = secrets_of(live, page, key, token)
    assert len(secrets) >= 9
    found = [
        (place, name)
        for place, said in places.items()
        for name, secret in secrets.items()
        if secret in said
    ]
    assert found == []
    assert all(places.values())


def test_the_witness_would_see_a_canary(journey):
    """The search itself is tried: a canary that is written on purpose is found."""
    witness, _ = journey
    page = witness.watch(witness.live.page())
    page.post("/api/v1/journal", json={"text": canary("planted")}, headers=witness.fresh())
    assert canary("planted") in "\n".join(witness.said)
    assert canary("planted") in stored_text(witness.live)
    with witness.live.product.runtime.database.read(None) as db:
        assert db.connection.execute(text("SELECT count(*) FROM journal_notes")).scalar()
