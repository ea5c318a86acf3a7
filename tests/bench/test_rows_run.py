"""Every row's code runs, at a tiny size; no figure is judged here."""

import asyncio
import json

import pytest

from tests.bench import (
    alert_rules,
    backtest_speed,
    cold_start,
    fan_out,
    frame_to_decision,
    gates,
    idle_memory,
    ledger_post,
    order_path,
    parameter_sweep,
    plan_speed,
    reconcile_pass,
    redeems,
    report,
    watchlist,
)
from tests.bench.agent_loop import compare, scripted_model
from tests.bench.bare_app import build_app
from tests.bench.confirm_to_fill import measure as measure_fills
from tests.bench.guarded_endpoint import measure as measure_guard
from tests.bench.measure import FULL, TINY, Outcome, not_run, percentile, run_json


def test_our_turns_make_three_calls_in_both_shapes():
    with scripted_model() as url:
        ours = run_json("-m", "tests.bench.coach_turns", url, TINY.turns, TINY.warm)
    assert {shape: len(found["wall"]) for shape, found in ours["shapes"].items()} == {
        "par3": 2,
        "seq3": 2,
    }


def test_the_fastest_peer_is_the_one_compared_with():
    def run(ms):
        return {"shapes": {"par3": {"wall": [ms], "cpu": [ms]}}}

    line = compare("par3", {"cornerman": [run(6)], "slow": [run(30)], "quick": [run(12), run(10)]})
    assert (line[0].ratio, line[0].met, line[0].peer) == (0.6, True, "quick 10.0 ms")


def test_the_statements_of_a_post_replay_on_the_raw_driver():
    [found] = [ledger_post._on_sqlite(TINY)]
    assert found.ratio > 0
    assert "statements a post" in found.note


def test_a_card_pressed_from_many_threads_makes_one_order():
    found = [one for one in redeems.measure(TINY) if one.ours != "not run"]
    assert [one.met for one in found if one.goal == "1 each round"] == [True] * (len(found) // 2)
    assert found[0].note == "answers of all rounds: TOKEN_USED 7, ok 1"
    assert all(one.ratio > 0 for one in found if one.peer)


def test_old_orders_cost_a_new_one_nothing():
    took, steps = order_path.measure(TINY)
    assert "statements propose" in took.note
    assert steps.met, steps


def test_a_reconciliation_settles_what_differs_and_tells_the_rest():
    quiet, flat, memory, news = reconcile_pass.measure(TINY)
    assert quiet.ratio > 0
    assert flat.ratio > 0
    assert memory.met, memory
    assert news.met, news
    assert "3 fills, 3 in doubt, 2 foreign" in news.metric


@pytest.mark.parametrize("row", [measure_fills, gates.measure, measure_guard])
def test_rows_on_a_real_server_run(row):
    found = row(TINY)
    assert found
    assert all(one.ours and one.goal for one in found)


@pytest.mark.parametrize("row", [alert_rules.measure, frame_to_decision.measure])
def test_rows_of_loops_run(row):
    found = row(TINY)
    assert all(one.ours and one.peer and one.goal and one.ratio > 0 for one in found)


def test_the_rows_of_backtests_run_and_their_trades_agree():
    found = [*backtest_speed.measure(TINY), *parameter_sweep.measure(TINY)]
    assert [one.row for one in found] == ["P8", "P8", "P9"]
    assert found[1].met, found[1]
    assert all(one.goal or one.note for one in found)


@pytest.fixture(scope="module")
def gated():
    return {one.metric: one for one in gates.measure(TINY)}


def test_the_rows_of_plans_and_scans_run():
    found = plan_speed.measure(TINY)
    assert [one.row for one in found] == ["P6", "P6", "P7"]
    assert all(one.ratio or "ours" in one.note for one in found)


def test_alerts_are_told_within_the_gate(gated):
    assert gated["alert, its bar to the feed, p95"].met, gated


def test_quotes_come_within_the_gate(gated):
    assert gated["quote, p95"].met, gated


def test_the_rows_of_live_prices_run_and_a_short_watch_loses_nothing():
    fanned = fan_out.measure(TINY)
    assert [one.row for one in fanned] == ["P4", "P5", "P4"]
    assert all(one.ratio for one in fanned)
    [watch] = watchlist.measure(TINY)
    assert watch.ours == "20,000 of 20,000 updates told"


@pytest.mark.prove
def test_a_minute_of_a_thousand_symbols_is_told_whole_in_flat_memory():
    [watch] = watchlist.measure(FULL)
    assert watch.ours == "600,000 of 600,000 updates told", watch.note
    assert "1000 of 1000 minute bars" in watch.note
    assert watch.met, watch.note


def test_a_ready_server_has_imported_nothing_early():
    found = {one.metric: one for one in cold_start.measure(TINY)}
    assert found["modules that must be absent when ready"].met, found


def test_the_memory_row_names_its_peer_or_says_that_there_is_none(monkeypatch):
    monkeypatch.setattr(idle_memory, "present_peers", dict)
    [found] = idle_memory.measure(TINY)
    assert found.note == "peers are not installed"
    assert found.ours.endswith(" MB")


def test_the_bare_endpoint_answers_the_same_body():
    body = {"user": {"id": "u"}, "scopes": ["read"], "csrf": "none"}
    sent = []

    async def ask():
        scope = {"type": "http", "method": "GET", "path": "/api/v1/auth/session",
                 "query_string": b"", "headers": []}  # fmt: skip

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        await build_app(body)(scope, receive, send)

    asyncio.run(ask())
    assert json.loads(sent[1]["body"]) == body


def test_a_run_is_appended_behind_the_runs_before(tmp_path):
    path = tmp_path / "benchmarks.md"
    report.append([Outcome("P1", "turn", "5 ms", "peer 10 ms", 0.5, "<= 0.6x", met=True)], path)
    report.append([not_run("P2", "rules", "not built")], path)
    text = path.read_text()
    assert text.startswith("# Benchmarks")
    assert text.count("\n## ") == 2
    assert "| P1 | turn | 5 ms | peer 10 ms | 0.50 | <= 0.6x | met |" in text
    assert "- P2, rules: not built" in text


def test_a_percentile_is_the_nearest_rank():
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(range(1, 201), 0.99) == 199
