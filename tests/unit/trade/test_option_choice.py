"""Option alternatives of a plan: the best contract of each kind, its numbers, or why none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from services.market.chain import OptionContract
from services.market.osi import build_osi
from services.strategy.option_rank import AIMS, rank
from services.strategy.option_screen import PROFILES, ScreenContract
from services.trade.compose import compose
from services.trade.option_choice import choose_expiry, wanted_of
from services.trade.plan_inputs import ChainFacts, PlanInputs
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
        quote_ts=None,
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
