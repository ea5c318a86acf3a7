"""The plan's hash: what is left out, key order, ticks, floats."""

import json
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.trade.option_risk import OptionTrade, option_stop_estimate
from services.trade.plan_document import canonical_text, plan_hash

PLAN = {
    "schema": "plan/v1",
    "symbol": "XNYS:KO",
    "side": "short",
    "entry": {"lo": "70.9", "hi": "71"},
    "stop": "71.8",
    "targets": [{"n": 1, "price": "70.1", "fraction": "0.6"}],
    "citations": [{"provider": "massive", "bar_hash": "sha256:00", "retrieved_at": "then"}],
    "trade_detail": {"size_hint": None},
}


def test_ids_links_and_fetch_times_do_not_change_the_hash():
    named = PLAN | {
        "plan_id": "plan_1",
        "plan_hash": "sha256:1",
        "idea_url": "/ideas/plan_1",
        "citations": [PLAN["citations"][0] | {"retrieved_at": "now"}],
    }
    assert plan_hash(named) == plan_hash(PLAN)


def test_one_tick_changes_the_hash():
    assert plan_hash(PLAN | {"stop": "71.81"}) != plan_hash(PLAN)


def test_what_was_cited_changes_the_hash():
    other = [{"provider": "massive", "bar_hash": "sha256:01"}]
    assert plan_hash(PLAN | {"citations": other}) != plan_hash(PLAN)


def test_key_order_is_free():
    assert plan_hash(dict(reversed(PLAN.items()))) == plan_hash(PLAN)


def test_a_null_stays_in_the_document():
    assert canonical_text({"b": None, "a": 1}) == b'{"a":1,"b":null}'


@pytest.mark.parametrize(
    ("value", "path"),
    [(1.5, "$.targets[0].price"), (100.0, "$.targets[0].price"), (2**53, "$.targets[0].price")],
)
def test_a_number_that_json_would_bend_is_refused_with_its_path(value, path):
    with pytest.raises(Refusal) as caught:
        plan_hash({"targets": [{"price": value}]})
    assert (caught.value.code, caught.value.facts["path"]) == ("CANON_FLOAT", path)


def test_text_that_is_not_unicode_is_refused():
    with pytest.raises(Refusal) as caught:
        plan_hash({"rationale": "\ud800"})
    assert caught.value.code == "PARAM_INVALID"


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(documents)
def test_the_canonical_text_survives_a_round_trip(document):
    text = canonical_text(document)
    assert canonical_text(json.loads(text)) == text


CALL = OptionTrade(
    premium=D("4.20"),
    delta=D("0.55"),
    gamma=D("0.03"),
    multiplier=D(100),
    underlying_entry=D("100.20"),
    underlying_stop=D("98.94"),
)


def option(**changed):
    fields = {name: getattr(CALL, name) for name in CALL.__slots__} | changed
    return option_stop_estimate(OptionTrade(**fields))


def test_the_worked_option_risk_is_the_floor_of_half_the_premium():
    found = option()
    assert (found.estimated_premium_at_stop, found.risk_per_contract) == (D("3.530814"), D(210))


def test_a_deep_loss_takes_the_whole_premium_and_the_fees():
    found = option(underlying_stop=D(80), gamma=D(0), fees_per_contract=D("1.30"))
    assert (found.estimated_premium_at_stop, found.risk_per_contract) == (D(0), D("421.30"))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"multiplier": None}, "MULTIPLIER_UNKNOWN"),
        ({"multiplier": D(0)}, "PARAM_INVALID"),
        ({"premium": D(0)}, "PARAM_INVALID"),
        ({"delta": D("1.1")}, "PARAM_INVALID"),
        ({"gamma": D(-1)}, "PARAM_INVALID"),
        ({"fees_per_contract": D(-1)}, "PARAM_INVALID"),
    ],
)
def test_bad_option_terms_are_refused(changed, code):
    with pytest.raises(Refusal) as caught:
        option(**changed)
    assert caught.value.code == code
