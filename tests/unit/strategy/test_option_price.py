"""Black-Scholes-Merton, implied volatility, touching a barrier, and the expected move."""

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import from_float, rounded
from services.strategy.option_move import expected_move, straddle_move
from services.strategy.option_price import OptionTerms, bsm, implied_volatility, touch_probability

CALL = OptionTerms(right="call", spot=100, strike=105, years=45 / 365, rate=0.045, dividend=0)
PUT = OptionTerms(right="put", spot=100, strike=95, years=45 / 365, rate=0.045, dividend=0.01)
LEAPS = OptionTerms(right="call", spot=232, strike=180, years=480 / 365, rate=0.042, dividend=0.004)


def six(value: float) -> str:
    return f"{from_float(value, 6):.6f}"


@pytest.mark.parametrize(
    ("terms", "sigma", "price", "delta", "gamma", "theta", "vega", "breakeven", "p_itm"),
    [
        (
            CALL,
            0.30,
            "2.440020",
            "0.360230",
            "0.035524",
            "-0.047937",
            "0.131390",
            "107.440020",
            "0.321617",
        ),
        (
            PUT,
            0.32,
            "2.174257",
            "-0.290426",
            "0.030466",
            "-0.039683",
            "0.120195",
            "92.825743",
            "0.330427",
        ),
        (
            LEAPS,
            0.29,
            "66.861589",
            "0.855341",
            "0.002872",
            "-0.030773",
            "0.589480",
            "246.861589",
            "0.772496",
        ),
    ],
)
def test_price_and_greeks(terms, sigma, price, delta, gamma, theta, vega, breakeven, p_itm):
    found = bsm(terms, sigma)
    assert six(found.price) == price
    assert six(found.delta) == delta
    assert six(found.gamma) == gamma
    assert six(found.theta_per_day) == theta
    assert six(found.vega_per_point) == vega
    assert six(found.breakeven) == breakeven
    assert six(found.p_itm) == p_itm


TERMS = st.builds(
    OptionTerms,
    right=st.sampled_from(["call", "put"]),
    spot=st.floats(20, 500),
    strike=st.floats(20, 500),
    years=st.floats(0.02, 3),
    rate=st.floats(-0.02, 0.1),
    dividend=st.floats(0, 0.05),
)
SIGMAS = st.floats(0.05, 3)


@given(TERMS, SIGMAS)
def test_put_call_parity_and_no_arbitrage_bounds(terms, sigma):
    call, put = (bsm(replace(terms, right=right), sigma).price for right in ("call", "put"))
    held = terms.spot * exp(-terms.dividend * terms.years)
    paid = terms.strike * exp(-terms.rate * terms.years)
    assert call - put == pytest.approx(held - paid, abs=1e-8)
    assert max(held - paid, 0) - 1e-9 <= call <= held + 1e-9


@given(TERMS, SIGMAS)
def test_the_volatility_of_a_price_gives_the_price_back(terms, sigma):
    found = bsm(terms, sigma)
    if found.vega_per_point < 1e-3:
        return
    assert implied_volatility(terms, found.price) == pytest.approx(sigma, abs=1e-6)


@pytest.mark.parametrize("price", [0.0, -1.0, 101.0, float("nan"), float("inf")])
def test_a_price_that_no_volatility_gives_is_refused(price):
    with pytest.raises(Refusal) as caught:
        implied_volatility(CALL, price)
    assert caught.value.code == "IV_INVALID"


@pytest.mark.parametrize("sigma", [0.0, -0.3, float("nan")])
def test_a_volatility_not_above_zero_is_refused(sigma):
    for ask in (lambda: bsm(CALL, sigma), lambda: touch_probability(CALL, 110, sigma)):
        with pytest.raises(Refusal) as caught:
            ask()
        assert caught.value.code == "IV_INVALID"


@pytest.mark.parametrize(
    "change", [{"spot": 0}, {"strike": -1}, {"years": 0}, {"rate": float("nan")}]
)
def test_terms_out_of_range_are_refused(change):
    with pytest.raises(Refusal) as caught:
        replace(CALL, **change)
    assert caught.value.code == "PARAM_INVALID"


QUARTER = OptionTerms(right="call", spot=100, strike=110, years=0.25, rate=0.04, dividend=0)


def test_touching_a_barrier_by_reflection():
    assert six(touch_probability(QUARTER, 110, 0.3)) == "0.522386"
    assert six(touch_probability(QUARTER, 90, 0.3)) == "0.485253"
    assert touch_probability(QUARTER, 100, 0.3) == 1.0


@given(st.floats(60, 160), st.floats(0.1, 1.5))
def test_touching_is_at_least_as_likely_as_ending_beyond(barrier, sigma):
    right = "call" if barrier >= 100 else "put"
    terms = replace(QUARTER, strike=barrier, right=right)
    touch = touch_probability(terms, barrier, sigma)
    assert bsm(terms, sigma).p_itm - 1e-9 <= touch <= 1


def test_expected_move_from_volatility_and_from_a_straddle():
    assert rounded(expected_move(D(425), D("0.55"), dte=6), 4) == D("29.9696")
    found = straddle_move(D("2.8587"), D("2.8587"), spot=D(100), iv=D("0.25"), dte=30)
    assert (found.straddle, rounded(found.em_085, 4)) == (D("5.7174"), D("4.8598"))
    assert rounded(found.one_sigma, 4) == D("7.1673")
    assert rounded(found.straddle_over_sigma, 4) == D("0.7977")
    missing = straddle_move(None, D("2.8587"), spot=D(100), iv=D("0.25"), dte=30)
    assert missing.straddle is None
    assert rounded(missing.one_sigma, 4) == D("7.1673")
