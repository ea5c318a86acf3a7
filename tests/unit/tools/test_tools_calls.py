"""Proves each tool through the registry on the replay feed: good, refused, and hostile."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from services.kit.errors import Kind
from services.market import replay
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from tools.registry import RESULT_MAX_BYTES, all_tools, call, get_tool

PLAN = {"symbol": "AAPL", "side": "long", "stop": "3%"}
ORDER = {"symbol": "IBM", "side": "buy", "quantity": "10", "type": "market", "tif": "day"}


@pytest.fixture
def use(runtime, owner):
    runtime.ports[Broker] = PaperBroker()
    runtime.write(owner, replay.resume_at_boot)

    def act(name, arguments):
        unit = runtime.write if name in all_tools() and get_tool(name).writes else runtime.read
        return unit(owner, lambda ctx: call(ctx, name, arguments))

    return act


def floats_in(item):
    if isinstance(item, dict):
        return [one for value in item.values() for one in floats_in(value)]
    if isinstance(item, (list, tuple)):
        return [one for value in item for one in floats_in(value)]
    return [item] if isinstance(item, float) else []


GOOD = {
    "quote": {"symbols": ["AAPL", "msft"]},
    "alert_list": {},
    "alert_set": {"symbol": "AAPL", "kind": "price_above", "level": "420"},
    "bars": {"symbol": "IBM", "timeframe": "1d", "count": 5},
    "plan_check": PLAN,
    "size": {**PLAN, "risk_pct": "0.5%"},
    "propose_order": ORDER,
    "propose_bracket": {**ORDER, "stop_loss": "150", "take_profit": "250"},
    "orders": {},
    "fills": {"limit": 5},
    "balances": {},
    "positions": {},
    "risk_state": {},
    "data_health": {"symbols": ["AAPL"]},
    "freeze_list": {},
    "backtest": {"strategy": "ema_cross", "symbols": ["IBM"]},
    "score": {},
    "untaken": {"limit": 5},
    "portfolio": {},
    "help": {"topic": "quote"},
    "journal_add": {"text": "waited"},
    "journal_list": {"limit": 5},
    "news": {"symbols": ["AAPL"]},
    "earnings": {"symbols": ["AAPL", "IBM"]},
    "chain": {"symbol": "AAPL", "strikes": 3, "right": "call"},
    "market_status": {},
    "picks": {"style": "swing"},
    "options_picks": {"symbol": "AAPL", "profile": "leaps_call"},
    "weekend_plan": {},
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_good_call_answers_in_words_and_exact_text(use, name):
    done = use(name, GOOD[name])
    assert done.ok, done.error
    assert done.result["summary"]
    assert floats_in(done.result) == []
    assert json.loads(done.for_model())["ref"] == done.ref
    assert len(done.for_model()) <= RESULT_MAX_BYTES


@pytest.mark.parametrize("name", ["quote", "bars", "plan_check", "size", "propose_order"])
def test_every_market_value_names_its_source_and_time(use, name):
    done = use(name, GOOD[name])
    assert done.source
    for source in done.source:
        assert source["provider"] == "replay"
        assert source["provenance"] in ("REPLAY", "SIMULATED")
        assert source["as_of"].startswith("2012-01-03T14:31")


def test_a_quote_tells_the_change_since_the_close_before(use):
    row = use("quote", {"symbols": ["AAPL"]}).result["quotes"][0]
    assert (row["last"], row["prev_close"], row["change"], row["change_pct"]) == (
        "409.2",
        "405",
        "4.2",
        "1.04",
    )


def test_bars_are_the_newest_complete_ones_oldest_first(use):
    done = use("bars", GOOD["bars"]).result
    assert [bar["t"][:10] for bar in done["bars"]] == [
        "2011-12-23",
        "2011-12-27",
        "2011-12-28",
        "2011-12-29",
        "2011-12-30",
    ]
    assert done["bars"][-1]["c"] == "183.88"


def test_a_plan_gives_every_figure_of_its_levels(use):
    done = use("plan_check", {**PLAN, "entry": "408", "stop": "398", "targets": ["423", "438"]})
    body = done.result
    assert (body["entry"], body["stop"], body["stop_distance"]) == ("408", "398", "10")
    assert [(one["price"], one["r"]) for one in body["targets"]] == [("423", "1.5"), ("438", "3")]
    assert done.ref.startswith("res_")
    assert body["errors"] == []


def test_an_unsound_plan_is_an_answer_with_errors_not_a_refusal(use):
    done = use("plan_check", {**PLAN, "stop": "500"})
    assert done.ok
    assert "STOP_WRONG_SIDE" in done.result["errors"]


def test_a_size_risks_what_the_budget_allows(use):
    body = use("size", {**PLAN, "entry": "100", "stop": "90", "risk_pct": "0.5%"}).result
    assert Decimal(body["one_r"]) <= Decimal(500) < Decimal(body["one_r"]) + Decimal("10.1")
    assert body["risk_pct"] == "0.5"
    assert body["binding"] == "risk"


def test_a_proposal_rests_on_the_size_it_names(use):
    sized = use("size", PLAN)
    done = use(
        "propose_order",
        {**ORDER, "symbol": "AAPL", "basis_ref": sized.ref, "quantity": sized.result["quantity"]},
    )
    assert done.ok
    assert done.result["basis_ref"] == sized.ref
    assert done.result["risk"]
    assert "token" not in json.dumps(done.result)


def test_the_trail_of_a_proposal_is_told(use):
    made = use("propose_order", ORDER)
    told = use("audit_trail", {"ref": made.result["proposal_id"]})
    assert [event["kind"] for event in told.result["events"]] == ["proposal.proposed"] or told.ok


def test_a_note_is_found_again(use):
    use("journal_add", {"text": "patience pays"})
    found = use("journal_list", {"query": "patience"})
    assert [entry["text"] for entry in found.result["entries"]] == ["patience pays"]
    assert found.tainted


REFUSED = [
    ("quote", {"symbols": ["TSLA"]}, "SYMBOL_UNKNOWN"),
    ("bars", {"symbol": "FB", "timeframe": "1d", "count": 5}, "SYMBOL_UNKNOWN"),
    ("plan_check", {**PLAN, "stop": "80%"}, "PARAM_INVALID"),
    ("size", {**PLAN, "stop": "500"}, "STOP_WRONG_SIDE"),
    ("size", {**PLAN, "risk_pct": "5%"}, "RISK_PCT_TOO_HIGH"),
    ("propose_order", {**ORDER, "quantity": "1000000"}, "INSUFFICIENT_CASH"),
    ("propose_order", {**ORDER, "side": "sell"}, "INSUFFICIENT_POSITION"),
    ("propose_order", {**ORDER, "type": "limit"}, "PARAM_INVALID"),
    ("propose_order", {**ORDER, "basis_ref": "res_0123456789abcdef"}, "PROVENANCE_REFUSED"),
    ("propose_order", {**ORDER, "quantity": "0"}, "QTY_INVALID"),
    ("cancel_order", {"order_id": "ord_nothing"}, "ORDER_UNKNOWN"),
    ("replace_order", {"order_id": "ord_nothing", "limit_price": "26"}, "ORDER_UNKNOWN"),
    ("audit_trail", {"ref": "ord_nothing"}, "AUDIT_REF_UNKNOWN"),
    ("journal_add", {"text": "  "}, "PARAM_INVALID"),
    ("frobnicate", {}, "TOOL_UNKNOWN"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    REFUSED,
    ids=[f"{name}-{code}-{at}" for at, (name, _, code) in enumerate(REFUSED)],
)
def test_a_refusal_is_an_error_result_with_its_code(use, name, arguments, code):
    done = use(name, arguments)
    assert not done.ok
    assert done.error["code"] == code, done.error
    assert done.error["message"]
    assert done.error["hint"]


def test_an_unknown_symbol_lists_the_three_nearest(use):
    assert len(use("quote", {"symbols": ["MSFTT"]}).error["facts"]["nearest"]) == 3


TEXTS = [
    "\ud800",
    "NaN",
    "Infinity",
    "1e1000000",
    "\uff11\uff12",
    "\u0663",
    "a\x00b",
    "9" * 5000,
    "",
    " ",
    "-1",
    "0x10",
    "1_000",
    "\u202eevil",
    "AAPL; DROP TABLE orders",
    "\u0410APL",
    "' OR 1=1 --",
    "../../etc/passwd",
    "A" * 10_000,
    "\ufeff",
    "1\n",
    "+1",
]
VALUES = [
    *TEXTS,
    0,
    -1,
    10**400,
    True,
    None,
    [],
    {},
    [[[[[[]]]]]],
    {"a": {"b": {}}},
    ["AAPL"] * 100,
    [None],
    Decimal("1e1000000"),
    Decimal("NaN"),
]


@pytest.mark.fault("F091")
@pytest.mark.parametrize("name", sorted(all_tools()))
def test_hostile_values_are_refused_on_every_field(use, name):
    by_id = {"order_id": "ord_x1"}, {"alert_id": "al_x1"}
    others = {"cancel_order": by_id[0], "alert_update": by_id[1], "alert_delete": by_id[1]}
    others["plan"] = {"symbol": "AAPL"}
    others["replace_order"] = {**by_id[0], "limit_price": "26.10"}
    others["replay"] = {"ref": "plan_0123456789abcdef"}
    others["position_action"] = {"action": "close", "symbol": "AAPL"}
    good = {**GOOD, **others, "audit_trail": {"ref": "abc"}}[name]
    fields = all_tools()[name].parameters()["properties"]
    for field in fields:
        for value in VALUES:
            done = use(name, {**good, field: value})
            if not done.ok:
                assert done.error["kind"] != Kind.INTERNAL, (field, value, done.error)
                assert done.error["code"] != "INTERNAL", (field, value)
                json.dumps(done.error).encode()
            else:
                done.for_model().encode()
    extra = use(name, {**good, "account_id": "acc_other"})
    assert extra.error["code"] == "ARGS_INVALID"


@pytest.mark.parametrize(
    "text",
    [
        '{"symbols": ["AAPL"], "symbols": ["IBM"]}',
        '{"symbols": [NaN]}',
        '{"symbols": Infinity}',
        "[]",
        '"x"',
        "null",
        "{",
        '{"symbols": [' * 5000,
        "[" * 100_000,
        '{"a":' * 3000 + "1" + "}" * 3000,
        '{"symbols": ["' + "A" * 20_000 + '"]}',
        '{"symbols": "\\ud800"}',
        '{"symbols": 1e400}',
        '{"symbols": ' + "9" * 6000 + "}",
        "\x00",
        "{'symbols': ['AAPL']}",
    ],
)
def test_hostile_argument_text_is_refused(use, text):
    done = use("quote", text)
    assert not done.ok
    assert done.error["code"] == "ARGS_INVALID"


def test_numbers_are_taken_where_decimal_text_is_due(use):
    assert use("plan_check", '{"symbol":"AAPL","side":"long","entry":400,"stop":390.5}').ok


def test_null_is_the_same_as_left_out(use):
    assert use("size", {**PLAN, "entry": None, "risk_pct": None}).ok


def test_text_from_the_journal_is_a_quotation_of_one_piece(use):
    use("journal_add", {"text": 'I bought "50" AAPL. Sold 3. Done!\nReally'})
    said = use("journal_list", {}).result["summary"]
    line = said.split("\n")[-1]
    assert line.count('"') == 2
    assert ". " not in line.split(": ", 1)[1]
