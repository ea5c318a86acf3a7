"""The routes of backtests: asked, run beside the requests, read with a report that needs nobody."""

import json
import re
import subprocess
import sys
import time

import pytest

from services.kit.context import SCOPES
from services.research.trade_log import GENESIS
from tests.house.tree import ROOT
from tests.unit.http.live import GENEROUS, live_server
from tools.registry import get_tool

API = "/api/v1"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    home = tmp_path_factory.mktemp("backtests")
    quiet = {**GENEROUS, "JOBS_EMBEDDED": "false"}
    with live_server(home, f"sqlite:///{home / 'c.db'}", environment=quiet) as server:
        yield server


@pytest.fixture(scope="module")
def door(live):
    return live.key(*SCOPES)


def asked(door, body, status=202):
    answer = door.post(f"{API}/backtests", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def finished(door, backtest_id):
    for _ in range(600):
        found = door.get(f"{API}/backtests/{backtest_id}").json()
        if found["backtest"]["status"] in ("done", "failed"):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.fixture(scope="module")
def done(door):
    made = asked(door, {"strategy": "ema_cross", "symbols": ["GOOG", "IBM"]})
    assert made["status"] in ("queued", "running")
    return finished(door, made["id"])


def test_a_backtest_is_queued_and_its_report_comes_with_its_id(done):
    backtest, report = done["backtest"], done["report"]
    assert (backtest["status"], backtest["done"], backtest["total"]) == ("done", 2, 2)
    assert report["schema"] == "backtest/v1"
    assert backtest["run_hash"] == report["run_hash"]
    assert backtest["summary"]["trades"] == len(report["trades"]) > 10
    assert report["trades"][0]["prev_hash"] == GENESIS
    assert "trades" in done["words"]


def test_no_bar_of_a_backtest_is_later_than_the_markets_time(door, done):
    now = door.get(f"{API}/market/replay").json()["as_of"]
    assert all(row["exit_ts"] <= now for row in done["report"]["trades"])
    assert done["backtest"]["data_until"] <= now


def test_a_backtest_is_listed_without_its_report(door, done):
    body = door.get(f"{API}/backtests").json()
    found = {row["id"]: row for row in body["items"]}[done["backtest"]["id"]]
    assert "report" not in found
    assert {"setups", "orb", "ema_cross"} <= set(body["strategies"])


def test_the_page_opens_without_a_network_and_runs_nothing(door, done):
    answer = door.get(f"{API}/backtests/{done['backtest']['id']}/page").json()
    page = answer["html"]
    assert answer["file"].endswith(".html")
    assert "default-src 'none'" in page
    assert page.count("<svg") >= 3
    assert not re.search(r"<script|<link|<img|https?://|url\(|@import", page)
    assert done["report"]["run_hash"] in page


def test_the_same_question_twice_is_the_same_answer(door, done):
    again = finished(door, asked(door, {"strategy": "ema_cross", "symbols": ["GOOG", "IBM"]})["id"])
    assert again["backtest"]["config_hash"] == done["backtest"]["config_hash"]
    assert again["report"]["data_hashes"].keys() == done["report"]["data_hashes"].keys()
    if again["report"]["data_hashes"] == done["report"]["data_hashes"]:
        assert again["report"]["run_hash"] == done["report"]["run_hash"]


def test_a_stored_strategy_runs_dry_over_other_symbols(door, done):
    digest = done["backtest"]["strategy_hash"]
    body = asked(door, {"strategy": digest, "symbols": ["AAPL"], "timeframe": "1d"})
    found = finished(door, body["id"])
    assert found["backtest"]["strategy_hash"] == digest
    assert found["report"]["config"]["rule"] == done["report"]["config"]["rule"]
    assert found["report"]["config"]["symbols"] == ["AAPL"]


def test_who_approved_which_strategy_is_an_audited_record(live, door, done):
    from services.audit_export import export_lines
    from services.identity.user import LOCAL_TENANT, principal_of
    from services.kit.context import Surface
    from services.kit.errors import Refusal
    from services.strategy.documents import approve_document

    digest = done["backtest"]["strategy_hash"]
    user = live.user(LOCAL_TENANT, "owner")
    person = principal_of(user, Surface.WEB, "ses_test")
    with pytest.raises(Refusal, match="SCOPE_MISSING"):
        live.product.runtime.write(person.as_agent(), lambda ctx: approve_document(ctx, digest))
    live.product.runtime.write(person, lambda ctx: approve_document(ctx, digest))
    assert door.get(f"{API}/backtests").json()["approved"]["ema_cross"] == digest
    lines = live.product.runtime.read(person, lambda ctx: list(export_lines(ctx)))
    told = [json.loads(line) for line in lines if digest in line]
    assert any("document.approved" in json.dumps(row) for row in told)


def test_folds_and_their_embargo_are_part_of_the_question_at_every_door(door, done):
    folds = {"train_months": 24, "test_months": 6, "embargo_days": 45}
    body = {"strategy": "setups", "symbols": ["GOOG", "IBM"], "folds": folds}
    made = asked(door, body)
    assert made["total"] == 4
    found = finished(door, made["id"])
    assert (found["backtest"]["status"], found["backtest"]["done"]) == ("done", 4)
    walked = found["report"]["walk_forward"]
    assert len(walked["folds"]) > 10
    assert found["report"]["config"]["folds"] == {**folds, "step_months": 6}
    assert "test windows" in found["words"]
    page = door.get(f"{API}/backtests/{made['id']}/page").json()["html"]
    assert page.count(" past setups</td>") == len(walked["folds"])
    args = {"args": {"strategy": "setups", "symbols": ["GOOG", "IBM"], **folds}}
    told = door.post(f"{API}/tools/backtest", json=args).json()["result"]
    finished(door, told["id"])
    read = door.post(f"{API}/tools/backtest", json={"args": {"id": told["id"]}}).json()["result"]
    assert read["out_of_sample"]["folds"] == len(walked["folds"])
    assert read["out_of_sample"]["trades"] == walked["n"]
    assert read["stated"]["trades"] == walked["calibration"]["n"]


def test_an_embargo_below_the_longest_trade_fails_with_its_length(door):
    body = {"strategy": "ema_cross", "symbols": ["GOOG"], "folds": {"embargo_days": 2}}
    found = finished(door, asked(door, body)["id"])["backtest"]
    assert found["status"] == "failed"
    assert "EMBARGO_TOO_SHORT" in found["error"]
    assert "longest trade" in found["error"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "PARAM_INVALID"),
        ({"strategy": "orb", "symbols": ["GOOG"], "folds": {"train_months": 0}}, "BODY_INVALID"),
        ({"strategy": "moon", "symbols": ["GOOG"]}, "PARAM_INVALID"),
        ({"strategy": "orb", "symbols": []}, "PARAM_INVALID"),
        ({"strategy": "orb", "symbols": ["NOPE"]}, "SYMBOL_UNKNOWN"),
        (
            {"config": {"name": "x", "kind": "rule", "symbols": ["GOOG"], "speed": 1}},
            "PARAM_INVALID",
        ),
        ({"config": {"name": "x", "kind": "luck", "symbols": ["GOOG"]}}, "PARAM_INVALID"),
        (
            {"config": {"name": "x", "kind": "rule", "symbols": ["GOOG"], "rule": {"fast": 50}}},
            "PARAM_INVALID",
        ),
    ],
)
def test_what_can_not_be_run_is_refused_at_the_door(door, body, code):
    assert asked(door, body, status=422)["code"] == code


def test_an_unknown_backtest_is_missing(door):
    answer = door.get(f"{API}/backtests/bt_nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "BACKTEST_UNKNOWN")


def test_the_tool_starts_a_backtest_and_reads_it_by_its_id(door, done):
    assert get_tool("backtest").writes
    args = {"strategy": "ma_cross", "symbols": ["IBM"]}
    started = door.post(f"{API}/tools/backtest", json={"args": args}).json()["result"]
    assert started["status"] in ("queued", "running")
    finished(door, started["id"])
    read = door.post(f"{API}/tools/backtest", json={"args": {"id": started["id"]}}).json()["result"]
    assert read["status"] == "done"
    assert read["run_hash"].startswith("sha256:")
    assert [row["setup_id"] for row in read["by_setup"]] == ["ma_cross"]


def test_the_verb_runs_a_config_and_writes_a_page(tmp_path):
    config = {
        "name": "cross", "kind": "rule", "symbols": ["GOOG"],
        "rule": {"fast": 10, "slow": 30, "side": "both"}, "costs": {"slippage_bps": "1"},
    }  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(config))
    command = [sys.executable, str(ROOT / "cornerman.py"), "backtest", "--config", "c.json"]
    runs = [
        subprocess.run(
            [*command, "--json", "--html", f"{at}.html"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )
        for at in range(2)
    ]  # fmt: skip
    assert runs[0].returncode == 0, runs[0].stderr
    assert "1 of 1: GOOG" in runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
    assert json.loads(runs[0].stdout)["config"]["name"] == "cross"
    assert (tmp_path / "0.html").read_bytes() == (tmp_path / "1.html").read_bytes()
    (tmp_path / "g.json").write_text(json.dumps({"fast": [5, 10], "slow": [20, 30]}))
    swept = subprocess.run(
        [*command, "--grid", "g.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "4 sets were tried" in swept.stdout
    walked = subprocess.run(
        [*command, "--grid", "g.json", "--folds", "12/3/200", "--html", "w.html"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert walked.returncode == 0, walked.stderr
    assert "4 of 4: GOOG" in walked.stderr
    assert "test windows" in walked.stdout
    assert "Out of sample" in (tmp_path / "w.html").read_text()
    refused = subprocess.run(
        [*command, "--folds", "12"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "PARAM_INVALID" in refused.stderr
