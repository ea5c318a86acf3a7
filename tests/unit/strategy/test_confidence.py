"""Wilson's interval and the confidence of a setup with few trades."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.strategy.confidence import prior_confidence, wilson


@pytest.mark.parametrize(
    ("k", "n", "level", "low", "high"),
    [
        (22, 40, "0.95", "0.3983", "0.6929"),
        (0, 10, "0.95", "0", "0.2775"),
        (10, 10, "0.95", "0.7225", "1"),
        (1, 2, "0.95", "0.0945", "0.9055"),
        (50, 100, "0.99", "0.3753", "0.6247"),
    ],
)
def test_wilson_bounds(k, n, level, low, high):
    found = wilson(k, n, level=D(level))
    assert tuple(rounded(bound, 4) for bound in found) == (D(low), D(high))


COUNTS = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_the_interval_holds_the_share_and_mirrors(counts):
    k, n = counts
    low, high = wilson(k, n)
    assert 0 <= low <= D(k) / n <= high <= 1
    mirrored = wilson(n - k, n)
    assert abs(low + mirrored[1] - 1) < D("1e-25")
    assert wilson(k, n, level=D("0.99"))[1] >= high


@pytest.mark.parametrize(
    ("k", "n", "level"), [(0, 0, "0.9"), (-1, 5, "0.9"), (6, 5, "0.9"), (1, 5, "0"), (1, 5, "1")]
)
def test_counts_that_make_no_sense_are_refused(k, n, level):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        wilson(k, n, level=D(level))


@pytest.mark.parametrize(
    ("wins", "n", "rr", "value", "edge"),
    [
        (22, 40, "1.5", "0.4667", "0.0667"),
        (0, 0, "1.5", "0.4000", "0.0000"),
        (0, 0, "0.01", "0.9500", "-0.0401"),
        (0, 0, "99", "0.0500", "0.0400"),
        (0, 40, "1.5", "0.0876", "-0.3124"),
        (0, 99, "1.5", "0.0374", "-0.3626"),
        (30, 40, "1.5", "0.5556", "0.1556"),
    ],
)
def test_few_trades_lean_on_the_driftless_chance(wins, n, rr, value, edge):
    found = prior_confidence(wins, n, rr_tp1=D(rr))
    assert (rounded(found.value, 4), rounded(found.edge, 4)) == (D(value), D(edge))
    assert found.p0 == found.p_breakeven_tp1 == 1 / (1 + D(rr))
    assert (found.ci95 is None) == (n == 0)


@given(COUNTS, st.decimals("0.1", "9", places=2), st.integers(1, 200))
def test_confidence_stays_under_both_caps_and_edge_is_what_is_left(counts, rr, strength):
    wins, n = counts
    found = prior_confidence(wins, n, rr_tp1=rr, strength=strength)
    assert found.value <= min(D("0.95"), found.ci95[1])
    assert found.value >= min(D("0.05"), found.ci95[1])
    assert found.edge == found.value - found.p0


@pytest.mark.parametrize(
    "change", [{"wins": 5}, {"wins": -1}, {"n": -1}, {"rr_tp1": D(0)}, {"strength": 0}]
)
def test_a_record_that_makes_no_sense_is_refused(change):
    terms = {"wins": 1, "n": 4, "rr_tp1": D(1), "strength": 50} | change
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        prior_confidence(terms.pop("wins"), terms.pop("n"), **terms)
