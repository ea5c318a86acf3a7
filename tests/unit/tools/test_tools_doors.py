"""One definition of a tool serves every door: the function, the model, HTTP, and the terminal."""

from __future__ import annotations

import itertools
import json
import shutil

import pytest
from typer.testing import CliRunner

from agent.intent import Intent
from agent.toolbox import Toolbox
from app.cli import app
from services.kit.context import SCOPES
from tests.unit.http.live import KEY, live_server
from tools.registry import DIGEST_MAX, Effect, all_tools

_count = itertools.count()


@pytest.fixture(scope="module")
def live(migrated_file, tmp_path_factory):
    home = tmp_path_factory.mktemp("doors")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    with live_server(home, f"sqlite:///{home / 'cornerman.db'}") as server:
        yield server


@pytest.fixture
def post(live):
    client = live.key(*SCOPES)
    return lambda name, args: client.post(
        f"/api/v1/tools/{name}",
        json={"args": args},
        headers={"idempotency-key": f"{KEY}{next(_count):06d}", "origin": str(client.base_url)},
    )


def test_the_model_is_offered_the_registered_tools():
    offered = {spec.name: spec for spec in Toolbox().specs(Intent.ORDER)}
    journal = {spec.name for spec in Toolbox().specs(Intent.JOURNAL)}
    alert = {spec.name for spec in Toolbox().specs(Intent.ALERT)}
    assert set(offered) | journal | alert == set(all_tools())
    for name, spec in offered.items():
        assert spec.parameters == all_tools()[name].parameters()
        assert spec.description == all_tools()[name].description


def test_http_lists_the_registered_tools_with_the_same_schema(live):
    items = live.key("read").get("/api/v1/tools").json()["items"]
    assert {item["name"]: item["schema"] for item in items} == {
        name: tool.parameters() for name, tool in all_tools().items()
    }


def test_the_terminal_lists_the_registered_tools():
    shown = CliRunner().invoke(app, ["tool"])
    assert [line.split()[0] for line in shown.output.splitlines()] == list(all_tools())


READS = {
    "quote": {"symbols": ["AAPL"]},
    "orders": {},
    "fills": {},
    "balances": {},
    "positions": {},
    "portfolio": {},
    "bars": {"symbol": "IBM", "timeframe": "1d", "count": 3},
    "journal_list": {},
    "help": {},
    "plan_check": {"symbol": "IBM", "side": "long", "stop": "3%"},
    "size": {"symbol": "IBM", "side": "long", "stop": "3%"},
}


@pytest.mark.parametrize("name", sorted(READS))
def test_http_runs_the_tool_itself(post, name):
    answer = post(name, READS[name])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body["result"]) == set(all_tools()[name].result.model_fields)
    assert body["digest"] == body["result"]["summary"][:DIGEST_MAX]


def test_a_refusal_is_the_same_code_at_every_door(post):
    answer = post("quote", {"symbols": ["TSLA"]})
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == "SYMBOL_UNKNOWN"
    extra = post("quote", {"symbols": ["AAPL"], "account_id": "x"})
    assert extra.json()["code"] == "ARGS_INVALID"
    assert post("frobnicate", {}).json()["code"] == "TOOL_UNKNOWN"


def test_a_proposing_tool_makes_one_card_per_key(live):
    client = live.key(*SCOPES)
    order = {"symbol": "IBM", "side": "buy", "quantity": "2", "type": "market", "tif": "day"}
    headers = {"idempotency-key": KEY + "card", "origin": str(client.base_url)}
    both = [
        client.post("/api/v1/tools/propose_order", json={"args": order}, headers=headers)
        for _ in range(2)
    ]
    ids = {json.loads(one.text)["result"]["proposal_id"] for one in both}
    assert len(ids) == 1
    assert all_tools()["propose_order"].effect is Effect.PROPOSE
