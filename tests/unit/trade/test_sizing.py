"""Position size: the worked table, every cap, the order of refusals, and its monotone nature."""

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.policy import DEFAULT_POLICY
from services.trade.confidence_tie import Confidence, kelly, size_multiplier
from services.trade.sizing import (
    AccountView,
    CapInputs,
    Levels,
    RiskTaken,
    SizingAsk,
    size,
    suggest,
)

LEVELS = Levels(
    side="long",
    entry=D("100.20"),
    stop=D("98.94"),
    slippage_per_unit=D("0.01"),
    commission_per_unit=D("0.005"),
)
RISK = RiskTaken(equity=D(50000), risk_pct=D("0.01"))


def confident(p, tier="platt", *, rr="1.2", ignored=False):
    return Confidence(value=D(p), tier=tier, rr_tp1=D(rr), ignored=ignored)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refusal) as caught:
        call(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("levels", "risk", "caps", "quantity", "binding", "one_r"),
    [
        ({}, {}, {}, "390", "risk", "499.20"),
        ({}, {"confidence": confident("0.58")}, {}, "390", "risk", "499.20"),
        ({}, {"confidence": confident("0.50")}, {}, "284", "risk", "363.52"),
        ({}, {"confidence": confident("0.50", "prior")}, {}, "195", "risk", "249.60"),
        ({}, {"confidence": confident("0.44", "prior")}, {}, "195", "risk", "249.60"),
        ({}, {"confidence": confident("0.47"), "risk_pct": D("0.02")}, {}, "276", "risk", "353.28"),
        ({}, {"confidence": confident("0.44", ignored=True)}, {}, "97", "risk", "124.16"),
        ({}, {}, {"day_risk_left": D(180)}, "140", "day_risk", "179.20"),
        ({}, {}, {"portfolio_risk_left": D(180)}, "140", "portfolio_risk", "179.20"),
        (
            {},
            {},
            {"max_notional_pct": D("0.20"), "symbol_notional": D(2500)},
            "74",
            "concentration",
            "94.72",
        ),
        ({}, {}, {"buying_power": D(9000)}, "89", "buying_power", "113.92"),
        ({}, {}, {"adv_units": D(12000)}, "120", "liquidity", "153.60"),
        ({}, {}, {"max_units": D(7)}, "7", "user", "8.96"),
        ({"lot": D("0.001")}, {"equity": D(500)}, {}, "3.906", "risk", "4.99968"),
        ({"lot": D(100)}, {}, {}, "300", "risk", "384.00"),
        ({"fx_to_account": D("0.79")}, {"equity": D(40000)}, {}, "395", "risk", "399.424"),
        ({"side": "short", "stop": D("101.46")}, {}, {}, "390", "risk", "499.20"),
    ],
)
def test_the_worked_sizes(levels, risk, caps, quantity, binding, one_r):
    found = size(replace(LEVELS, **levels), replace(RISK, **risk), caps=CapInputs(**caps))
    assert (found.quantity, found.binding, found.one_r) == (D(quantity), binding, D(one_r))


def test_a_tie_of_caps_goes_to_the_first_key():
    found = size(LEVELS, RISK, caps=CapInputs(day_risk_left=D(100), portfolio_risk_left=D(100)))
    assert found.binding == "day_risk"


def test_long_option_contracts_are_sized_by_premium_at_risk():
    levels = Levels(
        side="long",
        entry=D("4.20"),
        stop=D("2.10"),
        multiplier=D(100),
        commission_per_unit=D("0.0065"),
    )
    found = size(levels, RISK, caps=CapInputs(max_notional_pct=D("0.02")))
    assert (found.quantity, found.ru, found.notional) == (D(2), D("211.3"), D(840))


@pytest.mark.parametrize(
    ("levels", "risk", "code"),
    [
        ({"entry": D(0)}, {"equity": D(0)}, "PARAM_INVALID"),
        ({"stop": D(101)}, {"equity": D(0), "risk_pct": D(1)}, "EQUITY_NON_POSITIVE"),
        ({"stop": D(101)}, {"risk_pct": D(1)}, "STOP_WRONG_SIDE"),
        ({"stop": D("100.20")}, {}, "STOP_WRONG_SIDE"),
        ({}, {"risk_pct": D("0.0201"), "confidence": confident("0.1")}, "RISK_PCT_TOO_HIGH"),
        ({"lot": D(10**9)}, {"confidence": confident("0.44")}, "NEGATIVE_EDGE"),
        ({}, {"equity": D(60)}, "SIZE_BELOW_MIN_LOT"),
    ],
)
def test_refusals_come_in_their_order(levels, risk, code):
    refusal = code_of(size, replace(LEVELS, **levels), replace(RISK, **risk))
    assert refusal.code == code


@pytest.mark.parametrize(
    ("levels", "risk", "caps"),
    [
        ({"lot": D(0)}, {}, {}),
        ({"multiplier": D(-1)}, {}, {}),
        ({"fx_to_account": D(0)}, {}, {}),
        ({"slippage_per_unit": D("-0.01")}, {}, {}),
        ({"commission_per_unit": D(-1)}, {}, {}),
        ({"stop": D(-1)}, {}, {}),
        ({"side": "flat"}, {}, {}),
        ({}, {"risk_pct": D(0)}, {}),
        ({}, {"max_risk_pct": D("1.5")}, {}),
        ({}, {"confidence": confident("1.01")}, {}),
        ({}, {"confidence": confident("0.5", "guess")}, {}),
        ({}, {"confidence": confident("0.5", rr="0")}, {}),
        ({}, {}, {"adv_units": D(-1)}),
        ({}, {}, {"max_adv_pct": D(2)}),
        ({}, {}, {"max_units": D(-1)}),
        ({}, {}, {"max_notional_pct": D(-1)}),
        ({}, {}, {"symbol_notional": D(-1)}),
    ],
)
def test_an_argument_out_of_range_is_refused(levels, risk, caps):
    refusal = code_of(
        size, replace(LEVELS, **levels), replace(RISK, **risk), caps=CapInputs(**caps)
    )
    assert refusal.code == "PARAM_INVALID"


def test_a_negative_edge_names_its_numbers():
    refusal = code_of(size, LEVELS, replace(RISK, confidence=confident("0.44")))
    assert refusal.facts == {"p": "0.44", "pbe": "0.4545", "rr": "1.2"}


def test_too_small_a_budget_names_what_it_buys():
    refusal = code_of(size, LEVELS, replace(RISK, equity=D(60)))
    assert refusal.facts == {"x": "0.4688", "lot": "1", "binding": "risk"}


@pytest.mark.parametrize(
    "caps",
    [
        {"day_risk_left": D(-5)},
        {"portfolio_risk_left": D(0)},
        {"buying_power": D(-1)},
        {"max_notional_pct": D(0)},
        {"adv_units": D(0)},
        {"max_units": D(0)},
    ],
)
def test_a_cap_of_zero_leaves_no_size(caps):
    assert code_of(size, LEVELS, RISK, caps=CapInputs(**caps)).code == "SIZE_BELOW_MIN_LOT"


def test_kelly_of_the_worked_numbers():
    assert kelly(D("0.58"), D("1.68")) == D("0.33")


def test_the_kelly_ceiling_notes_itself():
    found = size_multiplier(confident("0.47"), D("0.02"))
    assert (found.value, found.notes) == (D("0.3542"), ("KELLY_CAP",))


def test_confidence_never_raises_risk():
    assert size_multiplier(confident("0.95", "isotonic"), D("0.01")).value == 1


amount = st.decimals("0.01", "100000", places=2)
pct = st.decimals("0.001", "0.02", places=3)


@given(
    equity=amount,
    more=amount,
    entry=st.decimals("1", "500", places=2),
    distance=st.decimals("0.01", "0.90", places=2),
    risk_pct=pct,
    left=amount,
)
def test_size_grows_with_equity_and_shrinks_with_risk(
    equity, more, entry, distance, risk_pct, left
):
    def quantity(equity, distance, left, slippage=D(0)):
        levels = Levels(side="long", entry=entry, stop=entry - distance, slippage_per_unit=slippage)
        try:
            found = size(
                levels,
                RiskTaken(equity=equity, risk_pct=risk_pct),
                caps=CapInputs(day_risk_left=left),
            )
        except Refusal as refusal:
            return D(0) if refusal.code == "SIZE_BELOW_MIN_LOT" else None
        assert found.one_r <= min(equity * risk_pct, left)
        return found.quantity

    assume(entry > distance)
    base = quantity(equity, distance, left)
    assert quantity(equity + more, distance, left) >= base
    assert quantity(equity, distance, left, slippage=more) <= base
    assert quantity(equity, distance, max(D(0), left - more)) <= base


ACCOUNT = AccountView(currency="USD", equity=D(50000), buying_power=D(60000))


def test_a_suggestion_names_the_caps_it_could_not_apply():
    found = suggest(LEVELS, ACCOUNT, policy=DEFAULT_POLICY)
    assert found.caps_skipped == ("day_risk", "liquidity", "portfolio_risk")
    assert (found.quantity, found.binding) == (D(124), "concentration")
    assert found.flags == ("NO_CONFIDENCE",)
    assert found.notional_pct == D("0.248496")


def test_an_order_needs_buying_power_and_day_risk():
    refusal = code_of(
        suggest, LEVELS, ACCOUNT, policy=DEFAULT_POLICY, ask=SizingAsk(for_order=True)
    )
    assert (refusal.code, refusal.facts["what"]) == ("CAP_INPUT_MISSING", "day_risk is not known")


def test_a_prior_confidence_is_flagged_uncalibrated():
    ask = SizingAsk(confidence=confident("0.4", "prior"), holding="intraday")
    found = suggest(LEVELS, ACCOUNT, policy=DEFAULT_POLICY, ask=ask)
    assert (found.quantity, found.size_multiplier, found.flags) == (
        D(195),
        D("0.5"),
        ("UNCALIBRATED",),
    )


def test_an_unknown_kind_of_holding_is_refused():
    refusal = code_of(
        suggest, LEVELS, ACCOUNT, policy=DEFAULT_POLICY, ask=SizingAsk(holding="forever")
    )
    assert refusal.code == "PARAM_INVALID"


def test_near_a_limit_of_the_account_half_of_the_usual_risk_is_suggested():
    near, day = replace(ACCOUNT, near_limit=True), SizingAsk(holding="intraday")
    usual = suggest(LEVELS, ACCOUNT, policy=DEFAULT_POLICY, ask=day)
    eased = suggest(LEVELS, near, policy=DEFAULT_POLICY, ask=day)
    assert (usual.risk_pct, usual.quantity) == (D("0.01"), D(390))
    assert (eased.risk_pct, eased.quantity) == (D("0.005"), D(195))
    assert "RISK_NEAR_LIMIT" in eased.flags
    said = SizingAsk(holding="intraday", risk_pct=D("0.01"))
    named = suggest(LEVELS, near, policy=DEFAULT_POLICY, ask=said)
    assert (named.quantity, "RISK_NEAR_LIMIT" in named.flags) == (D(390), False)
