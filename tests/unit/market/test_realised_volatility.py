"""Realised volatility of daily closes and its place in the year."""

import statistics
from itertools import pairwise
from math import log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import from_float
from services.market.realised_volatility import (
    realised_volatility,
    volatility_percentile,
    volatility_rank,
)


def test_worked_numbers():
    assert from_float(realised_volatility([100, 101, 100], 2)) == from_float(0.223384)
    assert realised_volatility([7.0] * 30) == 0
    assert volatility_percentile([1, 3, 4, 2]) == 0.5
    assert volatility_percentile([9.0] + [1.0] * 251 + [5.0]) == 1


@given(st.lists(st.floats(1, 1000), min_size=6, max_size=30), st.integers(2, 5))
def test_it_is_the_sample_deviation_of_the_last_returns(close, n):
    returns = [log(after / before) for before, after in pairwise(close)][-n:]
    expected = statistics.stdev(returns) * sqrt(252)
    assert realised_volatility(close, n) == pytest.approx(expected, abs=1e-9)


def ranked(close, n):
    return volatility_percentile(
        [realised_volatility(close[: at + 1], n) for at in range(n, len(close))]
    )


def test_the_worked_rank():
    assert volatility_rank([100, 101, 101, 102], 2) == 0.5


@given(
    st.lists(
        st.one_of(st.sampled_from([1.0, 2.0, 100.0, 101.0]), st.floats(0.01, 1e6)),
        min_size=3,
        max_size=340,
    ),
    st.sampled_from([2, 3, 20]),
    st.integers(1, 5),
)
def test_the_rank_is_that_of_every_value_worked_out(close, n, repeated):
    """Repeated stretches make values that differ by a rounding or not at all."""
    close = (close * repeated)[:600]
    if len(close) > n:
        assert volatility_rank(close, n) == ranked(close, n)


@pytest.mark.parametrize("close", [[7.0] * 300, [7.0, 8.0] * 150, [7.0, 8.0, 7.5] * 100])
def test_a_price_that_stands_still_or_swings_evenly_ranks_by_the_definition(close):
    assert volatility_rank(close, 20) == ranked(close, 20)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: realised_volatility([1.0] * 20), "INSUFFICIENT_BARS"),
        (lambda: realised_volatility([1.0] * 9, 1), "PARAM_INVALID"),
        (lambda: realised_volatility([1.0, 0.0, 1.0], 2), "PARAM_INVALID"),
        (lambda: volatility_percentile([]), "INSUFFICIENT_BARS"),
        (lambda: volatility_rank([1.0] * 20), "INSUFFICIENT_BARS"),
        (lambda: volatility_rank([1.0, float("nan")] * 20), "PARAM_INVALID"),
        (lambda: volatility_rank([1.0, -1.0, 1.0], 2), "PARAM_INVALID"),
    ],
)
def test_what_can_not_be_measured_is_refused(call, code):
    with pytest.raises(Refusal) as caught:
        call()
    assert caught.value.code == code
