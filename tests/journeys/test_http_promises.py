"""Small promises over a real server: tickets, the paper portfolio, readers that leave, every door."""

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from agent.intent import Intent
from agent.toolbox import Toolbox
from app.wiring import build_feed
from services.identity.ticket import find_ticket
from services.identity.user import NOBODY
from services.kit.environment import SettingsInvalid, load_settings
from services.market.replay import ReplayFeed
from tests.unit.http.live import GENEROUS, KEY, as_principal, live_server
from tools.registry import all_tools

ROOT = Path(__file__).resolve().parents[2]
SITE = {"sec-fetch-site": "same-origin"}


def key(number):
    return {"idempotency-key": f"{KEY}{number}"}


@pytest.fixture
def home(migrated_file, tmp_path):
    shutil.copyfile(migrated_file, tmp_path / "cornerman.db")
    return tmp_path


def server(home, **environment):
    return live_server(
        home, f"sqlite:///{home / 'cornerman.db'}", environment={**GENEROUS, **environment}
    )


@pytest.fixture
def live(home):
    with server(home) as one:
        yield one


def until(check, wait_s=30.0):
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")


def proposed(page, number, **terms):
    answer = page.post(
        "/api/v1/portfolio/trade",
        headers=key(number),
        json={"symbol": "AAPL", "side": "buy", "quantity": "5", **terms},
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["result"]["proposal_id"]


def confirmed(page, proposal, number):
    card = page.get(f"/api/v1/proposals/{proposal}/challenge", headers=SITE).json()
    answer = page.post(
        f"/api/v1/proposals/{proposal}/confirm",
        headers=key(number),
        json={name: card[name] for name in ("token", "version", "order_hash")},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["order_id"]


def test_a_websocket_ticket_is_minted_over_http_for_its_caller(live):
    page, runtime = live.page(), live.product.runtime
    first, second = (page.post("/api/v1/auth/ws-token").json() for _ in range(2))
    assert first["expires_in_s"] == 30
    assert first["ticket"] != second["ticket"]
    with runtime.database.read(None) as db:
        holder = find_ticket(runtime.context(db, NOBODY), "ws", first["ticket"])
    assert holder is not None
    assert holder.user_id == page.get("/api/v1/auth/session").json()["user"]["id"]
    assert (
        first["ticket"].encode()
        not in (live.product.settings.cornerman_home / "cornerman.db").read_bytes()
    )


def test_a_paper_portfolio_opens_trades_and_reports(live):
    page = live.page()
    opened = page.post("/api/v1/portfolio/init", headers=key(1), json={"start_cash": "50000"})
    assert opened.status_code == 201, opened.text
    order = confirmed(page, proposed(page, 2), 3)
    until(lambda: page.get(f"/api/v1/broker/orders/{order}").json()["state"] == "FILLED")
    value = page.get("/api/v1/portfolio").json()["valuation"]
    assert [(one["symbol"], one["quantity"]) for one in value["holdings"]] == [("AAPL", "5")]
    assert float(value["equity"]) == pytest.approx(50000, abs=50)
    until(lambda: page.get("/api/v1/portfolio/history").json()["items"])
    performance = page.get("/api/v1/portfolio/performance").json()
    assert performance["equity"] is not None
    assert {"total_return", "max_drawdown", "closed", "flags"} <= set(performance)
    assert "win_rate" in performance["closed"]


def test_a_run_goes_on_when_its_reader_leaves(live):
    page = live.page()
    talk = page.post("/api/v1/coach/conversations", json={}).json()["id"]
    path = f"/api/v1/coach/conversations/{talk}"
    page.post(
        f"{path}/messages", json={"text": "plan AAPL long, stop 3% below, risk 1%"}, headers=key(1)
    )
    with page.stream("GET", f"{path}/events?after=1.0", timeout=30) as answer:
        assert next(line for line in answer.iter_lines() if line.startswith("event: "))
    page.close()
    other = live.page()
    said = until(
        lambda: [
            one
            for one in other.get(f"{path}/messages").json()["items"]
            if one["role"] == "assistant" and "Long AAPL" in one["text"]
        ]
    )
    assert len(said) == 1


@pytest.mark.parametrize(("trusted", "last"), [("true", 401), ("false", 429)])
def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(home, trusted, last):
    with server(home, TRUST_PROXY=trusted, LIMIT_READ="3/minute") as live:
        client = live.client()
        seen = [
            client.get(
                "/api/v1/proposals", headers={"x-forwarded-for": f"203.0.113.{number}"}
            ).status_code
            for number in range(4)
        ]
    assert seen == [401, 401, 401, last]


def test_the_log_level_keeps_quieter_lines_out(home):
    with server(home, LOG_LEVEL="error") as live:
        live.page().get("/api/v1/proposals")
        assert "http.request" not in live.lines()


def test_what_a_person_decides_is_in_the_audit_trail(live):
    page = live.page()
    taken, left = proposed(page, 1), proposed(page, 2, quantity="6")
    order = confirmed(page, taken, 3)
    page.post(f"/api/v1/proposals/{left}/decline", headers=key(4), json={"reason": "too much"})
    page.post("/api/v1/halt", headers=key(5), json={"reason": "enough"})

    def kinds(ref):
        items = page.get("/api/v1/audit/events", params={"ref": ref}).json()["items"]
        return [one["kind"] for one in items]

    assert "order.confirmed" in kinds(order)
    assert {"proposed", "declined"} <= set(kinds(left))
    assert "switch.changed" in kinds("tenant")


def test_reads_come_from_the_snapshots(live):
    page = live.page()
    page.post("/api/v1/portfolio/init", headers=key(1), json={})
    before = page.get("/api/v1/broker/balances").json()["cash"]["posted"]
    live.product.runtime.write(
        as_principal(live),
        lambda ctx: ctx.db.connection.execute(
            text("UPDATE cash_snapshots SET posted = posted + 7000000")
        ),
    )
    after = page.get("/api/v1/broker/balances").json()["cash"]["posted"]
    assert before != after
    assert str(after).replace("100007", "100000") == str(before)


def test_every_tool_is_one_definition_for_the_model_the_api_and_the_terminal(live, home):
    page = live.page()
    listed = {one["name"]: one["schema"] for one in page.get("/api/v1/tools").json()["items"]}
    offered = {spec.name: spec.parameters for intent in Intent for spec in Toolbox().specs(intent)}
    assert listed == {name: tool.parameters() for name, tool in all_tools().items()} == offered
    page.post("/api/v1/market/replay", json={"action": "pause"})
    environment = {"CORNERMAN_HOME": str(home), "PATH": "/usr/bin:/bin"}
    for name, args in (
        ("quote", {"symbols": ["AAPL"]}),
        ("plan_check", {"symbol": "AAPL", "side": "long", "entry": "410", "stop": "400"}),
    ):
        over_http = page.post(f"/api/v1/tools/{name}", json={"args": args}).json()["result"]
        done = subprocess.run(
            [sys.executable, str(ROOT / "cornerman.py"), "tool", name, "--json", json.dumps(args)],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        at_the_terminal = json.loads(done.stdout)["result"]
        for result in (over_http, at_the_terminal):
            result.pop("ref", None)
        assert over_http == at_the_terminal


def test_a_server_ends_its_loops_and_streams_calmly(home):
    with server(home) as live:
        page = live.page()
        stream = page.stream("GET", "/api/v1/coach/stream", timeout=30)
        answer = stream.__enter__()
        lines = answer.iter_lines()
        next(lines)
        began = time.monotonic()
        reader = threading.Thread(target=lambda: _read_out(lines))
        reader.start()
    reader.join(30)
    assert not reader.is_alive()
    assert time.monotonic() - began < 8
    assert "loop.failed" not in live.lines()
    assert '"level":"error"' not in live.lines()
    with pytest.raises(httpx.ConnectError):
        httpx.get(live.up.address, timeout=2)


def _read_out(lines):
    try:
        for _ in lines:
            pass
    except httpx.HTTPError:
        return


def test_forced_replay_is_for_staging_and_never_beside_live_trading():
    forced = load_settings({"FEATURE_MOCK_MODE": "true", "FEATURE_REPLAY_ENABLED": "false"})
    assert isinstance(build_feed(forced), ReplayFeed)
    with pytest.raises(SettingsInvalid, match="LIVE_TRADING"):
        load_settings({"FEATURE_MOCK_MODE": "true", "LIVE_TRADING": "true"})
