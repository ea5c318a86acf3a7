"""Which contracts a profile takes, and what a long-dated one costs."""

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.strategy.option_screen import (
    PROFILES,
    ScreenContract,
    first_failed_rule,
    leaps_metrics,
    screen,
)

LEAPS = ScreenContract(
    id="A",
    right="call",
    strike=D(180),
    bid=D("64.0"),
    ask=D("65.2"),
    dte=480,
    open_interest=900,
    volume=0,
    delta=D("0.80"),
)
SPOT, TICK = D(232), D("0.05")


def failed(profile: str, **changes: object) -> str | None:
    contract = replace(LEAPS, **changes)
    return first_failed_rule(contract, PROFILES[profile], spot=SPOT, tick=TICK)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"bid": D(0)}, "QUOTE_UNUSABLE"),
        ({"bid": D(66)}, "QUOTE_UNUSABLE"),
        ({"bid": D(50), "ask": D("50.5")}, "QUOTE_UNUSABLE"),
        ({"dte": 365}, "DTE_TOO_SHORT"),
        ({"dte": 366, "ask": D("64.6")}, None),
        ({"delta": None}, "GREEKS_MISSING"),
        ({"delta": D("0.62")}, "DELTA_OUT_OF_RANGE"),
        ({"delta": D("0.85")}, None),
        ({"delta": D("0.851")}, "DELTA_OUT_OF_RANGE"),
        ({"open_interest": 60}, "OI_LOW"),
        ({"ask": D("69.5")}, "SPREAD_WIDE"),
        ({"bid": D("86.0"), "ask": D("87.0"), "strike": D(180)}, "EXTRINSIC_HIGH"),
        ({"dte": 10, "delta": None, "open_interest": 0}, "DTE_TOO_SHORT"),
    ],
)
def test_the_first_failed_rule_of_a_leaps_call(changes, code):
    assert failed("leaps_call", **changes) == code


SWING = replace(
    LEAPS,
    strike=D(235),
    bid=D("6.00"),
    ask=D("6.20"),
    dte=45,
    delta=D("0.55"),
    theta=D("-0.05"),
    volume=40,
)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"dte": 91}, "DTE_TOO_LONG"),
        ({"volume": 9}, "VOLUME_LOW"),
        ({"theta": None}, "GREEKS_MISSING"),
        ({"theta": D("-0.10")}, "THETA_HIGH"),
        ({"bid": D("0.05"), "ask": D("0.15"), "theta": D("-0.0001")}, None),
        ({"bid": D("5.50"), "ask": D("6.50")}, "SPREAD_WIDE"),
    ],
)
def test_a_swing_call_and_the_escape_of_two_ticks(changes, code):
    contract = replace(SWING, **changes)
    assert first_failed_rule(contract, PROFILES["swing_long"], spot=SPOT, tick=TICK) == code


def test_an_intraday_contract_needs_a_premium_and_not_the_day_of_expiry():
    base = replace(SWING, dte=5, open_interest=900, volume=500, bid=D("0.20"), ask=D("0.24"))
    profile = PROFILES["intraday_long"]
    assert first_failed_rule(base, profile, spot=SPOT, tick=TICK) == "PREMIUM_LOW"
    assert first_failed_rule(replace(base, dte=0), profile, spot=SPOT, tick=TICK) == "DTE_TOO_SHORT"


def test_a_screen_names_every_reject_and_leaves_the_other_right_out():
    chain = [LEAPS, replace(LEAPS, id="B", delta=D("0.62")), replace(LEAPS, id="C", right="put")]
    found = screen(chain, PROFILES["leaps_call"], spot=SPOT, tick=TICK)
    assert (found.accepted, found.rejects) == (("A",), {"B": "DELTA_OUT_OF_RANGE"})


def test_leaps_metrics():
    found = leaps_metrics(LEAPS, SPOT, multiplier=D(100))
    assert (found.mid, found.breakeven, found.extrinsic) == (D("64.6"), D("244.6"), D("12.6"))
    assert rounded(found.carry_annualised, 6) == D("0.041298")
    assert rounded(found.leverage, 4) == D("2.8731")
    assert rounded(found.capital_saved, 6) == D("0.721552")
    assert found.cost_per_contract == D(6460)
    put = replace(LEAPS, right="put", strike=D(250), bid=D(30), ask=D(32))
    assert leaps_metrics(put, SPOT, multiplier=D(100)).breakeven == D(219)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bid": D(50), "ask": D(51)}, "QUOTE_UNUSABLE"),
        ({"bid": D(0)}, "QUOTE_UNUSABLE"),
        ({"delta": None}, "GREEKS_MISSING"),
        ({"dte": 0}, "PARAM_INVALID"),
    ],
)
def test_metrics_without_a_usable_quote_are_refused(changes, code):
    with pytest.raises(Refusal) as caught:
        leaps_metrics(replace(LEAPS, **changes), SPOT, multiplier=D(100))
    assert caught.value.code == code
