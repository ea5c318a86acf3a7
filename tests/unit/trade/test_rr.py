"""Reward to risk: the worked numbers, bands, refusals, and its mirror."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.trade.rr import band_of, break_even_probability, reward_risk, rr

FRACTIONS = (D("0.5"), D("0.3"), D("0.2"))
TARGETS = (D("101.46"), D("102.72"), D("103.98"))


def worked(**changed):
    terms = {"cost_per_unit": D("0.02"), "fractions": FRACTIONS} | changed
    return rr("long", D("100.20"), levels=(D("98.94"), TARGETS), **terms)


def test_the_worked_long():
    found = worked()
    assert found.risk_per_unit == D("1.28")
    assert [rounded(x, 4) for x in found.per_target] == [D("0.9688"), D("1.9531"), D("2.9375")]
    assert (rounded(found.blended, 4), found.band) == (D("1.6578"), "acceptable")
    assert rounded(found.p_breakeven_tp1, 4) == D("0.5079")


def test_break_even_is_taken_from_the_first_target_not_from_the_blend():
    found = worked()
    assert found.p_breakeven_tp1 == break_even_probability(found.per_target[0])
    assert found.p_breakeven_tp1 > break_even_probability(found.blended)


def test_the_runner_counts_at_the_last_target():
    found = worked(fractions=(D("0.5"), D("0.2"), D("0.1")), runner_fraction=D("0.2"))
    plain = worked(fractions=(D("0.5"), D("0.2"), D("0.3")))
    assert found.blended == plain.blended


@pytest.mark.parametrize(
    ("blended", "band"),
    [
        ("0.9999", "poor"),
        ("1", "marginal"),
        ("1.4999", "marginal"),
        ("1.5", "acceptable"),
        ("2", "good"),
        ("2.99999", "good"),
        ("3", "excellent"),
        ("-1", "poor"),
    ],
)
def test_bands_hold_their_lower_end(blended, band):
    assert band_of(D(blended)) == band


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"fractions": (D("0.5"), D("0.3"), D("0.1"))}, "FRACTIONS_SUM"),
        ({"fractions": (D("0.5"), D("0.5"), D(0))}, "FRACTIONS_SUM"),
        ({"fractions": (D("0.5"), D("0.5"))}, "PARAM_INVALID"),
        ({"cost_per_unit": D("-0.01")}, "PARAM_INVALID"),
    ],
)
def test_bad_terms_are_refused(changed, code):
    with pytest.raises(Refusal) as caught:
        worked(**changed)
    assert caught.value.code == code


def test_fractions_may_miss_one_by_a_ten_thousandth():
    assert worked(fractions=(D("0.5001"), D("0.3"), D("0.2"))).band == "acceptable"


def test_stop_on_the_wrong_side_is_refused_before_the_fractions():
    with pytest.raises(Refusal) as caught:
        rr("short", D(50), levels=(D(49), (D(48),)), cost_per_unit=D(0), fractions=(D(2),))
    assert caught.value.code == "STOP_WRONG_SIDE"


price = st.decimals("10", "100", places=2)
gap = st.decimals("0.01", "5", places=2)


@given(
    entry=price,
    stop_gap=gap,
    target_gap=gap,
    cost=st.decimals("0", "1", places=3),
    scale=st.integers(1, 1000),
)
def test_a_short_mirrors_a_long_and_scale_does_not_matter(entry, stop_gap, target_gap, cost, scale):
    long = reward_risk(
        "long", entry, stop=entry - stop_gap, targets=(entry + target_gap,), cost_per_unit=cost
    )
    short = reward_risk(
        "short", entry, stop=entry + stop_gap, targets=(entry - target_gap,), cost_per_unit=cost
    )
    scaled = reward_risk(
        "long",
        entry * scale,
        stop=(entry - stop_gap) * scale,
        targets=((entry + target_gap) * scale,),
        cost_per_unit=cost * scale,
    )
    assert long == short
    assert scaled[1] == long[1]
