"""The tools of alerts: set, list, change and delete through the registry on the replay feed."""

import json

import pytest

from agent.intent import Intent, allows
from services.alerts import store
from services.ledger import portfolio
from services.market import replay
from services.trade.risk_store import StoredRisk, save_risk
from tools.registry import call, get_tool

LEVEL = {"symbol": "AAPL", "kind": "price_above", "level": "420"}


@pytest.fixture
def use(runtime, owner):
    runtime.write(owner, replay.resume_at_boot)

    def act(name, arguments):
        unit = runtime.write if get_tool(name).writes else runtime.read
        return unit(owner, lambda ctx: call(ctx, name, arguments))

    return act


def test_an_alert_is_set_in_canonical_words_and_listed(use):
    done = use("alert_set", {**LEVEL, "note": "earnings gap"})
    assert done.ok, done.error
    assert done.result["summary"].startswith(
        'The alert is set: "Alert once when AAPL trades at or above 420.00 (minute bars), until '
    )
    listed = use("alert_list", {})
    assert [(one["id"], one["level"], one["note"]) for one in listed.result["alerts"]] == [
        (done.result["id"], "420", "earnings gap")
    ]
    assert listed.tainted, "a note may hold words of others"


def test_the_same_alert_again_says_that_it_stands(use):
    first = use("alert_set", LEVEL)
    again = use("alert_set", LEVEL)
    assert again.result["id"] == first.result["id"]
    assert again.result["flags"] == ["DUPLICATE"]
    assert again.result["summary"].startswith("This alert stands already")


def test_an_alert_is_changed_and_deleted_by_its_id(use, runtime, owner):
    made = use("alert_set", LEVEL).result["id"]
    changed = use("alert_update", {"alert_id": made, "level": "430"})
    assert changed.result["level"] == "430"
    gone = use("alert_delete", {"alert_id": made})
    assert gone.result["id"] == made
    assert runtime.read(owner, store.list_alerts) == []
    assert use("alert_delete", {"alert_id": made}).error["code"] == "ALERT_UNKNOWN"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": "AAPK"}, "SYMBOL_UNKNOWN"),
        ({"level": "-1"}, "ALERT_LEVEL_INVALID"),
        ({"level": "4200"}, "ALERT_LEVEL_FAR"),
        ({"level": None}, "ALERT_LEVEL_INVALID"),
        ({"kind": "price_sideways"}, "ARGS_INVALID"),
        ({"order": "buy 10"}, "ARGS_INVALID"),
    ],
)
def test_a_bad_alert_is_refused_with_what_to_do(use, change, code):
    done = use("alert_set", {**LEVEL, **change})
    assert done.error["code"] == code
    assert done.error["hint"]


def test_an_unknown_symbol_names_the_three_nearest(use):
    assert len(use("alert_set", {**LEVEL, "symbol": "AAPK"}).error["facts"]["nearest"]) == 3


def test_a_distance_below_the_vwap_needs_no_level(use):
    done = use("alert_set", {"symbol": "MSFT", "kind": "vwap_cross", "distance_pct": "-2"})
    assert done.ok, done.error
    assert "closes 2% or more below VWAP" in done.result["summary"]


@pytest.mark.parametrize("name", ["alert_set", "alert_update", "alert_delete"])
def test_only_a_turn_about_alerts_may_change_them(name):
    effect = get_tool(name).effect.value
    assert [one for one in Intent if allows(one, name, effect)] == [Intent.ALERT]


def test_no_alert_tool_can_carry_an_order():
    for name in ("alert_set", "alert_update", "alert_delete"):
        fields = set(get_tool(name).parameters()["properties"])
        assert not fields & {"side", "quantity", "order", "limit_price", "stop_price"}
        assert "propose" not in json.dumps(get_tool(name).parameters())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"basis": "close"}, "AAPL closes at or above 420.00 (minute bars)"),
        ({"timeframe": "day"}, "AAPL closes at or above 420.00 (daily bars)"),
        ({"threshold_pct": "0.5"}, "AAPL trades at or above 420.00 by 0.5%"),
        ({"often": "each_time"}, "Alert each time when AAPL"),
        ({"until": "2 days"}, "until 2012-01-05 09:31 EST"),
        ({"until": "2012-02-01 16:00 EST"}, "until 2012-02-01 16:00 EST"),
    ],
)
def test_the_coach_sets_basis_end_and_threshold_too(use, more, words):
    done = use("alert_set", {**LEVEL, **more})
    assert done.ok, done.error
    assert words in done.result["summary"]


def test_an_alert_on_the_risk_is_set_listed_and_changed(use):
    done = use("alert_set", {"kind": "risk", "risk_state": "breach", "often": "once"})
    assert done.ok, done.error
    assert '"Alert once when risk is at breach or worse, until' in done.result["summary"]
    (listed,) = use("alert_list", {}).result["alerts"]
    assert (listed["kind"], listed["symbol"], listed["state"]) == ("risk", "", "armed")
    changed = use("alert_update", {"alert_id": done.result["id"], "until": "3 days"})
    assert changed.ok, changed.error


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"kind": "price_above", "level": "420"}, "ARGS_INVALID"),
        ({"kind": "plan_event"}, "ARGS_INVALID"),
        ({"kind": "plan_event", "plan_id": "plan_0123456789abcdef"}, "PLAN_UNKNOWN"),
        ({"kind": "risk", "level": "3"}, "ARGS_INVALID"),
        ({**LEVEL, "risk_state": "warn"}, "ARGS_INVALID"),
        ({**LEVEL, "until": "next week"}, "ALERT_RULE_UNREAD"),
        ({**LEVEL, "until": "2011-01-01"}, "ALERT_EXPIRED"),
    ],
)
def test_arguments_that_do_not_fit_the_kind_are_refused(use, arguments, code):
    refused = use("alert_set", arguments)
    assert (refused.ok, refused.error["code"]) == (False, code)


def test_the_risk_of_an_account_is_told_with_its_figures(use, runtime, owner):
    runtime.write(owner, lambda ctx: portfolio.get_portfolio(ctx, None))
    found = use("risk_state", {})
    assert found.ok, found.error
    body = found.result
    assert (body["state"], body["open_risk"], body["one_r"]) == ("ok", "0.00", "1000.00")
    assert {one["name"] for one in body["limits"]} >= {"day_loss", "week_loss", "open_risk"}
    assert body["summary"].startswith("Risk is inside its limits. Open risk is 0.00 USD (0 R)")
    assert found.source[0]["provider"] == "cornerman"


def test_near_a_limit_half_of_the_usual_risk_is_sized_and_said(use, runtime, owner):
    levels = {"symbol": "AAPL", "side": "long", "entry": "409.00", "stop": "359.00"}
    whole = use("size", levels).result
    book = runtime.write(owner, lambda ctx: portfolio.get_portfolio(ctx, None))
    runtime.write(owner, lambda ctx: save_risk(ctx, at_warn(ctx, book.id), known=False))
    half = use("size", levels).result
    assert int(whole["quantity"]) // 2 == int(half["quantity"])
    assert "RISK_NEAR_LIMIT" in half["flags"]
    assert "A limit of your risk is near, so half" in half["summary"]


def at_warn(ctx, portfolio_id):
    return StoredRisk(portfolio_id=portfolio_id, state="warn", reason="open risk", since=ctx.now,
                      session="2012-01-03", body={}, told={}, as_of=ctx.now, at=ctx.now,
                      changes=1)  # fmt: skip
