"""Option alternatives of a plan: the best contract of each kind, its numbers, or why none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from services.kit.policy import DEFAULT_POLICY
from services.market.chain import OptionContract
from services.market.osi import build_osi
from services.strategy.option_rank import AIMS, rank
from services.strategy.option_screen import PROFILES, ScreenContract
from services.trade.compose import compose
from services.trade.confidence_tie import Confidence
from services.trade.option_choice import choose_expiry, wanted_of
from services.trade.option_size import contract_size, is_leaps
from services.trade.plan_inputs import ChainFacts, PlanInputs
from services.trade.sizing import AccountView
from tests.unit.trade.plan_desk import ideas, inputs_of


def contract(spot: Decimal, on: date, days: int, right: str, **changes: object) -> OptionContract:
    """A liquid contract near the aim of its profile: 45 days, or a LEAPS deep in the money."""
    long_dated = days > 365
    sign = 1 if right == "call" else -1
    strike = (spot * (Decimal("0.75") if long_dated else 1)).quantize(Decimal(1))
    intrinsic = max(sign * (spot - strike), Decimal(0))
    mid = intrinsic + (Decimal(5) if long_dated else Decimal("2.50"))
    expiry = on + timedelta(days=days)
    made = OptionContract(
        symbol=build_osi("TEST", expiry, right, strike).replace(" ", ""),
        underlying="TEST",
        expiry=expiry,
        right=right,
        strike=strike,
        style="american",
        multiplier=Decimal(100),
        bid=mid - Decimal("0.05"),
        ask=mid + Decimal("0.05"),
        last=mid,
        bid_size=Decimal(10),
        ask_size=Decimal(10),
        volume=Decimal(500),
        open_interest=Decimal(2000),
        iv=Decimal("0.30"),
        delta=sign * (Decimal("0.80") if long_dated else Decimal("0.58")),
        gamma=Decimal("0.03"),
        theta=Decimal("-0.02"),
        vega=Decimal("0.13"),
        quote_ts=datetime.combine(on, time(19, 30), UTC),
        greeks_ts=None,
    )
    return replace(made, **changes)


def of_side(side: str) -> PlanInputs:
    idea = next(
        idea for idea, _ in ideas(100) if idea.setup.side == side and _offered(inputs_of(idea))
    )
    return inputs_of(idea)


def _offered(inputs: PlanInputs) -> bool:
    from services.kit.errors import Refusal

    try:
        compose(inputs)
    except Refusal:
        return False
    return True


def with_chain(inputs: PlanInputs, *contracts: OptionContract) -> dict:
    facts = ChainFacts(contracts=contracts, spot=inputs.quote.last)
    return compose(replace(inputs, chain=facts)).body


def test_a_long_swing_has_a_call_and_a_leaps_call_with_their_numbers():
    inputs = of_side("long")
    spot, on = inputs.quote.last, inputs.as_of.date()
    body = with_chain(inputs, contract(spot, on, 45, "call"), contract(spot, on, 500, "call"))
    assert [one["kind"] for one in body["option_alternatives"]] == ["long_call", "leaps_call"]
    first = body["option_alternatives"][0]
    metrics = first["metrics"]
    assert len(first["contract"]) == 21
    assert Decimal(metrics["limit_price"]) <= (
        (Decimal(metrics["bid"]) + Decimal(metrics["ask"])) / 2
    )
    assert Decimal(metrics["estimate_at_tp1"]) > Decimal(metrics["estimate_at_stop"])
    assert Decimal(metrics["risk_per_contract"]) > 0
    assert metrics["greeks_source"] == "provider"
    assert Decimal(metrics["theta_cost"]) > 0
    assert body["option_rejects"] == {
        "long_call": {"DTE_TOO_LONG": 1},
        "leaps_call": {"DTE_TOO_SHORT": 1},
    }


def test_a_short_has_a_put_and_never_a_naked_call():
    inputs = of_side("short")
    spot, on = inputs.quote.last, inputs.as_of.date()
    body = with_chain(inputs, contract(spot, on, 45, "put"), contract(spot, on, 45, "call"))
    assert [one["kind"] for one in body["option_alternatives"]] == ["long_put"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"delta": None, "iv": None}, "GREEKS_MISSING"),
        ({"bid": Decimal(0)}, "QUOTE_UNUSABLE"),
        ({"open_interest": Decimal(3)}, "OI_LOW"),
        ({"delta": Decimal("0.2")}, "DELTA_OUT_OF_RANGE"),
        ({"theta": Decimal("-0.9")}, "THETA_HIGH"),
    ],
)
def test_a_contract_that_fails_is_counted_and_the_filters_are_not_relaxed(change, code):
    inputs = of_side("long")
    one = contract(inputs.quote.last, inputs.as_of.date(), 45, "call", **change)
    body = with_chain(inputs, one)
    assert body["option_alternatives"] == []
    assert body["option_rejects"]["long_call"] == {code: 1}


def of_policy(inputs: PlanInputs, **options: object) -> PlanInputs:
    policy = inputs.policy
    return replace(inputs, policy=replace(policy, options=replace(policy.options, **options)))


BARE = dict.fromkeys(("iv", "delta", "gamma", "theta", "vega"))


def test_greeks_that_the_provider_lacks_are_the_models_at_the_policys_rate():
    inputs = of_policy(of_side("long"), rate=Decimal("0.045"))
    spot, on = inputs.quote.last, inputs.as_of.date()
    bare = contract(spot, on, 60, "call", **BARE)
    body = with_chain(inputs, bare)
    metrics = body["option_alternatives"][0]["metrics"]
    assert metrics["greeks_source"] == "model"
    assert Decimal("0.45") < Decimal(metrics["delta"]) < Decimal("0.70")
    assert metrics["model_delta"] == metrics["delta"]
    assert "provider_delta" not in metrics
    assert Decimal(metrics["risk_per_contract"]) > 0
    unrated = with_chain(of_side("long"), bare)
    assert unrated["option_alternatives"] == []
    assert unrated["option_rejects"]["long_call"] == {"GREEKS_MISSING": 1}


def test_greeks_on_an_old_quote_do_not_count():
    inputs = of_side("long")
    spot, on = inputs.quote.last, inputs.as_of.date()
    fresh = contract(spot, on, 45, "put")
    old = contract(spot, on, 45, "call", quote_ts=fresh.quote_ts - timedelta(minutes=6))
    body = with_chain(inputs, old, fresh)
    assert body["option_rejects"]["long_call"] == {"GREEKS_MISSING": 1}


def test_a_leaps_call_says_when_it_is_rolled_and_when_its_thesis_is_gone():
    inputs = of_side("long")
    spot, on = inputs.quote.last, inputs.as_of.date()
    one = with_chain(inputs, contract(spot, on, 500, "call"))["option_alternatives"][0]
    rules = [(rule["when"], rule["do"]) for rule in one["exits"]]
    assert rules == [
        ("dte_at_most", "roll"),
        ("delta_above", "roll"),
        ("weekly_close_below", "exit"),
        ("weekly_close_below", "exit"),
        ("max_loss", "none"),
    ]
    assert [one["exits"][0]["value"], one["exits"][1]["value"]] == [180, "0.95"]
    premium = (Decimal(one["metrics"]["bid"]) + Decimal(one["metrics"]["ask"])) / 2
    assert Decimal(one["exits"][-1]["value"]) == premium
    assert Decimal(one["metrics"]["risk_per_contract"]) == premium * 100 + Decimal("1.30")
    average = inputs.idea.context.tracks["1w"].emas[30]
    assert Decimal(one["exits"][2]["value"]) < Decimal(str(max(x for x in average if x)))


OPTION = {
    "kind": "long_call",
    "contract": "TEST  270115C00100000",
    "metrics": {"limit_price": "4.20", "risk_per_contract": "211.30", "multiplier": "100"},
}
ACCOUNT = AccountView(currency="USD", equity=Decimal(50_000))


@pytest.mark.parametrize(
    ("change", "account", "contracts", "binding", "premium"),
    [
        ({}, {}, "2", "risk", "840"),
        ({"risk_per_contract": "421.30"}, {}, "1", "risk", "420"),
        ({"risk_per_contract": "100000"}, {}, "0", "risk", "0"),
        ({}, {"buying_power": Decimal(500)}, "1", "buying_power", "420"),
        ({}, {"day_risk_left": Decimal(0)}, "0", "day_risk", "0"),
        ({}, {"equity": Decimal(-1)}, "0", "EQUITY_NON_POSITIVE", "0"),
        ({"risk_per_contract": None}, {}, "0", "MULTIPLIER_UNKNOWN", "0"),
    ],
)
def test_contracts_fit_the_account_by_the_risk_of_one(change, account, contracts, binding, premium):
    one = {**OPTION, "metrics": {**OPTION["metrics"], **change}}
    found = contract_size(one, replace(ACCOUNT, **account), policy=DEFAULT_POLICY.sizing)
    assert (found.contracts, found.binding, found.premium) == (
        Decimal(contracts), binding, Decimal(premium),
    )  # fmt: skip
    assert found.one_r == found.contracts * Decimal(change.get("risk_per_contract") or "211.30")
    assert bool(found.why) == (found.contracts == 0)


def test_a_leaps_call_is_limited_by_its_premium_and_an_uncalibrated_one_by_half_of_it():
    leaps = {"limit_price": "12", "risk_per_contract": "1201.30", "multiplier": "100"}
    one = {**OPTION, "kind": "leaps_call", "metrics": leaps}
    found = contract_size(one, ACCOUNT, policy=DEFAULT_POLICY.sizing)
    assert (found.contracts, found.one_r) == (Decimal(2), Decimal("2402.60"))
    assert found.one_r <= ACCOUNT.equity * DEFAULT_POLICY.sizing.leaps_pct
    prior = Confidence(value=Decimal("0.5"), tier="prior", rr_tp1=Decimal("1.5"))
    held = contract_size(one, ACCOUNT, policy=DEFAULT_POLICY.sizing, confidence=prior)
    assert held.contracts == 1


@pytest.mark.parametrize(
    ("held", "factor", "contracts", "binding"),
    [
        ("0", "1", "2", "risk"),
        ("5100", "1", "2", "leaps_total"),
        ("6100", "1", "1", "leaps_total"),
        ("7500", "1", "0", "leaps_total"),
        ("9000", "1", "0", "leaps_total"),
        ("0", "0.8", "2", "risk"),
        ("6100", "0.5", "2", "leaps_total"),
    ],
)
def test_leaps_together_are_limited_to_their_share_of_equity(held, factor, contracts, binding):
    leaps = {"limit_price": "12", "risk_per_contract": "1201.30", "multiplier": "100"}
    one = {**OPTION, "kind": "leaps_call", "metrics": leaps}
    account = replace(ACCOUNT, leaps_held=Decimal(held))
    found = contract_size(one, account, policy=DEFAULT_POLICY.sizing, factor=Decimal(factor))
    assert (found.contracts, found.binding) == (Decimal(contracts), binding)
    most = ACCOUNT.equity * DEFAULT_POLICY.sizing.leaps_total_pct
    assert found.contracts == 0 or found.premium + account.leaps_held <= most
    call = contract_size(OPTION, account, policy=DEFAULT_POLICY.sizing)
    assert call.contracts == 2


def test_a_leaps_call_is_one_with_more_than_a_year_to_run():
    name = "AAPL  270115C00182500"
    assert is_leaps(name, date(2026, 1, 14))
    assert not is_leaps(name, date(2026, 1, 15))
    assert not is_leaps(name.replace("C", "P"), date(2025, 1, 1))
    assert not is_leaps("AAPL", date(2025, 1, 1))


def test_the_chain_is_an_input_and_leaves_the_idea_alone():
    inputs = of_side("long")
    plain = compose(inputs).body
    optioned = with_chain(inputs, contract(inputs.quote.last, inputs.as_of.date(), 45, "call"))
    assert optioned["inputs_hash"] != plain["inputs_hash"]
    assert optioned["idea_hash"] == plain["idea_hash"]


def test_the_expiry_nearest_to_the_aim_is_chosen_within_the_limits():
    on = date(2024, 6, 14)
    expiries = tuple(on + timedelta(days=days) for days in (3, 31, 44, 80, 400, 560, 900))
    call, leaps = wanted_of("long", "swing")
    assert choose_expiry(expiries, call, on=on) == on + timedelta(days=44)
    assert choose_expiry(expiries, leaps, on=on) == on + timedelta(days=560)
    assert choose_expiry(expiries[:1], call, on=on) is None


def screened(name: str, **changes: object) -> ScreenContract:
    made = ScreenContract(
        id=name,
        right="call",
        strike=Decimal(100),
        bid=Decimal("2.40"),
        ask=Decimal("2.50"),
        dte=45,
        open_interest=1000,
        volume=100,
        delta=Decimal("0.60"),
        theta=Decimal("-0.018375"),
    )
    return replace(made, **changes)


def test_the_worked_rank_adds_up():
    """Delta on aim, 1,000 open, spread half of 8 %, theta half of its limit, 45 days."""
    spread = Decimal("2.45") * Decimal("0.04") / 2
    one = screened("A", bid=Decimal("2.45") - spread, ask=Decimal("2.45") + spread)
    (found,) = rank([one], PROFILES["swing_long"], aim=AIMS["swing_long"], spot=Decimal(100))
    assert found.score == Decimal("0.40") + Decimal("0.1875") + Decimal("0.10") + Decimal("0.15")


def test_equal_contracts_are_ranked_by_their_id():
    both = [screened("B"), screened("A")]
    ranked = rank(both, PROFILES["swing_long"], aim=AIMS["swing_long"], spot=Decimal(100))
    assert [one.contract.id for one in ranked] == ["A", "B"]
