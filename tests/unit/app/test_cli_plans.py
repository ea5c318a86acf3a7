"""The verbs about plans: the weekend plan is stored, and a plan that differs ends with 1."""

import json

import pytest
from typer.testing import CliRunner

from app.cli import app, desk_here
from services.market import replay
from services.trade.plan_service import PlanWish, make_plan


@pytest.fixture
def verb(tmp_path, monkeypatch):
    monkeypatch.setenv("CORNERMAN_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    assert runner.invoke(app, ["migrate"]).exit_code == 0
    return lambda *words: runner.invoke(app, list(words))


def test_the_weekend_plan_is_made_by_a_verb_the_same_each_time(verb):
    first = json.loads(verb("plan", "weekend", "--json").stdout)
    again = json.loads(verb("plan", "weekend", "--json").stdout)
    assert first["hash"] == again["hash"]
    assert first["plan"]["session"] == "2011-12-30"


def test_a_stored_plan_is_replayed_and_a_changed_one_ends_with_one(verb):
    with desk_here() as desk:
        runtime, me = desk.product.runtime, desk.principal
        runtime.write(me, lambda ctx: replay.step(ctx, 2100))
        plan_id = runtime.write(me, lambda ctx: make_plan(ctx, PlanWish(symbol="IBM"))).id
    done = verb("replay", plan_id)
    assert (done.exit_code, "came out again" in done.stdout) == (0, True)

    def spoil(ctx):
        connection = ctx.db.connection
        rows = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='plans'"
        )
        for (name,) in rows.all():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        connection.exec_driver_sql("UPDATE plans SET document = replace(document, 'IBM', 'IBX')")

    with desk_here() as desk:
        desk.product.runtime.write(desk.principal, spoil)
    done = verb("replay", plan_id)
    assert done.exit_code == 1
    assert "$.symbol: XNYS:IBX then, XNYS:IBM now" in done.stdout
