"""Composed plans: sound, complete, exact to the byte, blind to the future and to the hour."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.http.plan_models import PlanV1, plan_schema
from services.kit.errors import Refusal
from services.kit.policy import DEFAULT_POLICY
from services.market.session import next_session
from services.strategy.detect import detect
from services.trade.compose import compose, work_out
from services.trade.idea import build_idea
from services.trade.plan_document import plan_hash
from services.trade.plan_inputs import EarningsFacts, PlanInputs
from tests.unit.strategy.market_days import build_context
from tests.unit.trade.plan_desk import (
    bars_of,
    context_of,
    ideas,
    ideas_at,
    inputs_of,
    record_for,
    setups_of,
)

ROOT = Path(__file__).resolve().parents[3]
SEEDS = (0, 1)
FRIDAY = 4


def composed(seed: int) -> list[tuple[PlanInputs, dict]]:
    found = []
    for idea, _ in ideas(seed):
        inputs = inputs_of(idea)
        try:
            found.append((inputs, compose(inputs).body))
        except Refusal as refusal:
            if refusal.code not in ("RR_BELOW_MIN", "ENTRY_MISSED"):
                raise
    return found


@pytest.fixture(scope="module")
def plans() -> list[tuple[PlanInputs, dict]]:
    from services.kit.money import use_context

    use_context()
    found = [one for seed in (*SEEDS, 100) for one in composed(seed)]
    assert len(found) > 20
    assert {body["side"] for _, body in found} == {"long", "short"}
    return found


def test_every_plan_has_stop_entry_and_targets_in_order(plans):
    for _, body in plans:
        sign = 1 if body["side"] == "long" else -1
        lo, hi = Decimal(body["entry"]["lo"]), Decimal(body["entry"]["hi"])
        prices = [Decimal(body["stop"]["price"])]
        prices += [lo, hi] if sign > 0 else [hi, lo]
        prices += [Decimal(one["price"]) for one in body["targets"] if one["kind"] == "tp"]
        ordered = [sign * price for price in prices]
        assert ordered == sorted(ordered), body
        assert len(set(prices) - {lo, hi}) == len(prices) - 2, "strict but for the zone"
        assert all(price % Decimal("0.01") == 0 for price in prices)


def test_every_plan_fits_the_published_schema_and_holds_no_float(plans):
    for _, body in plans:
        PlanV1.model_validate(body)
        assert _no_float(body)
    required = plan_schema()["required"]
    assert {"schema", "idea_hash", "plan_hash", "inputs_hash", "trade_detail"} <= set(required)


def _no_float(item) -> bool:
    if isinstance(item, dict):
        return all(_no_float(one) for one in item.values())
    if isinstance(item, list):
        return all(_no_float(one) for one in item)
    return not isinstance(item, float)


def test_the_plan_hash_is_that_of_the_rfc_and_of_any_order_of_keys(plans):
    for _, body in plans[:40]:
        assert plan_hash(body) == body["plan_hash"]
        keys = list(body)
        random.Random(7).shuffle(keys)
        assert plan_hash({key: body[key] for key in keys}) == body["plan_hash"]
        assert body["plan_id"] == "plan_" + body["plan_hash"][7:23]
        assert body["idea_url"].endswith("/ideas/" + body["plan_id"])


def test_equal_inputs_make_equal_bytes(plans):
    for inputs, body in plans[:40]:
        assert json.dumps(compose(inputs).body) == json.dumps(body)


def test_one_tick_of_any_price_changes_the_plan_hash(plans):
    _, body = plans[0]
    for section, name in (("entry", "lo"), ("entry", "hi"), ("stop", "price")):
        moved = Decimal(body[section][name]) + Decimal("0.01")
        other = {**body, section: {**body[section], name: str(moved)}}
        assert plan_hash(other) != body["plan_hash"]


def test_one_tick_of_the_quote_changes_the_inputs_and_leaves_the_idea(plans):
    inputs, body = plans[0]
    quote = replace(inputs.quote, bid=inputs.quote.bid - Decimal("0.01"))
    other = compose(replace(inputs, quote=quote)).body
    assert other["inputs_hash"] != body["inputs_hash"]
    assert other["plan_hash"] != body["plan_hash"]
    assert other["idea_hash"] == body["idea_hash"]


def test_when_inputs_were_fetched_is_not_hashed(plans):
    inputs, body = plans[0]
    cited = tuple(replace(one, retrieved_at=inputs.as_of) for one in inputs.citations)
    other = compose(replace(inputs, citations=cited)).body
    assert other["plan_hash"] == body["plan_hash"]
    assert other["citations"][0]["retrieved_at"]


def test_the_trade_risk_is_measured_from_the_worst_entry_with_costs(plans):
    for _, body in plans:
        stop, entry = body["stop"], body["entry"]
        distance = abs(Decimal(entry["worst"]) - Decimal(stop["price"]))
        assert Decimal(stop["stop_distance"]) == distance
        assert Decimal(stop["risk_per_unit"]) == distance + Decimal(stop["cost_per_unit"])


def test_confidence_is_p_of_target_one_and_is_held_against_its_own_rr(plans):
    """Trap 8: break-even comes from target 1, never from the blended reward."""
    for _, body in plans:
        sure, reward = body["confidence"], body["rr"]
        assert Decimal(body["targets"][0]["p_reach"]) == Decimal(sure["value"])
        assert sure["p_breakeven_tp1"] == reward["p_breakeven_tp1"]
        even = 1 / (1 + Decimal(reward["per_target"][0]))
        assert abs(Decimal(reward["p_breakeven_tp1"]) - even) < Decimal("0.0002")


def test_a_plan_is_the_same_idea_on_friday_evening_and_on_sunday(plans):
    kept = next(
        one for one in plans if one[1]["style"] == "swing" and one[0].as_of.weekday() == FRIDAY
    )
    inputs, friday = kept
    close = inputs.as_of
    waiting = next_session("XNYS", close).open - timedelta(hours=1)
    sunday = compose(replace(inputs, as_of=waiting)).body
    assert friday["actionability"]["state"] != "open"
    assert sunday["idea_hash"] == friday["idea_hash"]
    assert sunday["confidence"] == friday["confidence"]
    assert sunday["confluence"] == friday["confluence"]
    assert sunday["plan_hash"] != friday["plan_hash"]


@pytest.mark.parametrize("seed", SEEDS)
def test_bars_of_the_future_are_never_seen(seed):
    """Planted bars after the trigger, ten times the price, change nothing of the idea."""
    bars = list(bars_of(seed))
    kept = [setup for setup in setups_of(seed) if setup.timeframe in ("5m", "15m")][:2]
    assert kept
    for setup in kept:
        until = [bar for bar in bars if bar.t_close <= setup.trigger_ts]
        planted = [
            replace(bar, o=bar.o * 10, h=bar.h * 10, l=bar.l * 10, c=bar.c * 10)
            for bar in bars
            if bar.t_close > setup.trigger_ts
        ]
        spoilt = build_context(until + planted, setup.trigger_ts)
        again = next(one for one in detect(spoilt).setups if one.key == setup.key)
        told = build_idea(spoilt, again, policy=DEFAULT_POLICY.plan)
        clean = build_idea(context_of(seed), setup, policy=DEFAULT_POLICY.plan)
        first, second = _body(clean), _body(told)
        assert first == second


def _body(idea) -> str:
    try:
        return json.dumps(compose(inputs_of(idea)).body, sort_keys=True)
    except Refusal as refusal:
        return refusal.code


def test_the_same_bytes_come_out_under_every_hash_seed_zone_and_locale():
    code = (
        "import json;from services.kit.money import use_context;use_context();"
        "from tests.unit.trade.test_compose import composed;"
        "print([b['plan_hash'] for _, b in composed(0)][:25])"
    )
    seen = set()
    for seed, zone, locale in (("1", "UTC", "C"), ("77", "Asia/Tokyo", "de_DE.UTF-8")):
        env = {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=True
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def mfes(n: int) -> list[str]:
    """MFEs with S(1) about .61, S(2) .41, S(3) .27, S(4) .20, then a tail to 6."""
    shares = [("0.4", 39), ("1.4", 20), ("2.5", 14), ("3.5", 7), ("4.5", 12), ("6", 8)]
    return [x for x, part in shares for _ in range(part * n // 100)]


def test_a_good_record_gives_probability_scaled_targets_and_a_runner():
    idea = ideas_at(0, "ma_cross")
    record = record_for(idea, mfes(300), wins=180)
    body = compose(inputs_of(idea, record=record)).body
    kinds = [one["kind"] for one in body["targets"]]
    assert kinds[-1] == "runner_extension"
    assert body["rr"]["runner_fraction"] == "0.2"
    chances = [Decimal(one["p_reach"]) for one in body["targets"]]
    assert chances == sorted(chances, reverse=True)
    shares = [Decimal(one["fraction"]) for one in body["targets"]]
    assert sum(shares) == 1
    does = [rule["do"] for rule in body["management"]]
    assert does == ["stop_to", "stop_to", "trail_chandelier", "exit_runner_below_share", "exit"]
    assert body["management"][3]["mfe_share"] == "0.6"


def test_the_stops_of_the_management_only_move_toward_profit(plans):
    for _, body in plans:
        sign = 1 if body["side"] == "long" else -1
        stops = [Decimal(body["stop"]["price"])]
        stops += [Decimal(one["price"]) for one in body["management"] if one["do"] == "stop_to"]
        moved = [sign * one for one in stops]
        assert moved == sorted(moved)


def test_a_poor_record_gives_no_plan_and_says_which_setup_pays_too_little():
    idea = ideas_at(0, "ma_cross")
    poor = record_for(idea, ["0.3"] * 80 + ["0.9"] * 20)
    with pytest.raises(Refusal) as caught:
        compose(inputs_of(idea, record=poor))
    assert caught.value.code == "RR_BELOW_MIN"
    assert "100 past setups" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "code"), [({"halted": True}, "HALTED"), ({"last": Decimal(500)}, "ENTRY_MISSED")]
)
def test_what_the_quote_forbids_refuses_the_plan(change, code):
    idea = next(one for one, _ in ideas(0) if one.setup.side == "long")
    inputs = inputs_of(idea)
    with pytest.raises(Refusal) as caught:
        compose(replace(inputs, quote=replace(inputs.quote, **change)))
    assert caught.value.code == code


def test_bars_that_trading_has_left_behind_are_stale_and_a_lapsed_setup_is_expired():
    idea = next(one for one, _ in ideas(0) if one.setup.timeframe == "5m")
    inputs = inputs_of(idea)
    with pytest.raises(Refusal) as stale:
        compose(replace(inputs, as_of=inputs.as_of + timedelta(minutes=16)))
    assert stale.value.code == "DATA_STALE"
    with pytest.raises(Refusal) as late:
        compose(replace(inputs, as_of=idea.setup.expires_at + timedelta(days=2), citations=()))
    assert late.value.code == "PLAN_EXPIRED"


def test_a_short_that_can_not_be_borrowed_and_a_pending_split_are_refused():
    idea = next(one for one, _ in ideas(0) if one.setup.side == "short")
    inputs = inputs_of(idea)
    listing = replace(inputs.listing, borrowable=False)
    with pytest.raises(Refusal) as caught:
        compose(replace(inputs, listing=listing))
    assert caught.value.code == "SHORT_NOT_BORROWABLE"
    split = replace(inputs.listing, corporate_action="a split", corporate_action_date="2024-06-10")
    with pytest.raises(Refusal) as pending:
        compose(replace(inputs, listing=split))
    assert pending.value.code == "CORPORATE_ACTION_PENDING"


def test_earnings_tomorrow_are_a_warning_and_an_error_when_the_policy_blocks_them(plans):
    inputs, body = next(one for one in plans if one[1]["style"] == "swing")
    day = inputs.as_of.date() + timedelta(days=1)
    known = EarningsFacts(day=day, time="amc", confirmed=True)
    told = compose(replace(inputs, earnings=known)).body
    assert {one["code"] for one in told["warnings"]} >= {"EARNINGS_IN_WINDOW"}
    assert told["confidence"] == body["confidence"]
    blocking = replace(inputs.policy, plan=replace(inputs.policy.plan, block_earnings=True))
    with pytest.raises(Refusal) as caught:
        compose(replace(inputs, earnings=known, policy=blocking))
    assert caught.value.code == "EARNINGS_IN_WINDOW"


def test_every_number_of_the_rationale_stands_in_the_plan_or_rounds_one_of_it(plans):
    for inputs, body in plans[:20]:
        worked = work_out(inputs)
        assert any(str(worked.idea.stop.price) in line for line in body["rationale"])
        assert body["rationale"][-1].startswith("Confidence")


def test_what_is_missing_is_named_and_no_chain_gives_a_reason(plans):
    for _, body in plans:
        assert body["option_alternatives"] == []
        assert body["option_rejects"]["reason"]
        named = {one["name"] for one in body["confluence"]["components"] if "value" not in one}
        assert named == set(body["confluence"]["missing"])
