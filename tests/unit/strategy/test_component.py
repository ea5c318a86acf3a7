"""The confluence components: each reading to a value from 0 to 1, mirrored for a short."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.strategy.component import (
    market_value,
    momentum_value,
    next_level,
    room_value,
    rvol_value,
    trend_votes,
    volatility_value,
    vwap_value,
)


@pytest.mark.parametrize(
    ("close", "ema20", "ema50", "before", "votes"),
    [
        ("100.5", "100", "99", "99.99", (1, 1, 0)),
        ("100.02", "100", "99.98", "99.981", (1, 1, 0)),
        ("100.019", "100", "100.02", "100.5", (0, -1, -1)),
        ("99", "100", "100", "100", (-1, 0, 0)),
    ],
)
def test_a_difference_below_two_hundredths_of_an_atr_is_no_vote(close, ema20, ema50, before, votes):
    got = trend_votes(D(close), ema20=D(ema20), ema50=D(ema50), ema20_before=D(before), atr=D(1))
    assert got == votes


@pytest.mark.parametrize(
    ("side", "close", "vwap", "before", "value"),
    [
        ("long", "101", "100", "99", "1"),
        ("long", "101", "100", "100", "0.5"),
        ("long", "99", "100", "99", "0.5"),
        ("long", "100", "100", "101", "0"),
        ("short", "99", "100", "101", "1"),
        ("short", "101", "100", "99", "0"),
    ],
)
def test_price_and_vwap_each_count_half(side, close, vwap, before, value):
    assert vwap_value(side, D(close), vwap=D(vwap), vwap_before=D(before)) == D(value)


@pytest.mark.parametrize(("rvol", "value"), [("0.8", 0), ("0.1", 0), ("1.4", "0.5"), ("9", 1)])
def test_relative_volume_counts_from_four_fifths_to_twice(rvol, value):
    assert rvol_value(D(rvol)) == D(value)


def test_room_runs_to_the_next_opposing_level():
    levels = [D(98), D(103), D(110), D(100)]
    assert next_level("long", D(100), levels) == 103
    assert next_level("short", D(100), levels) == 98
    assert next_level("short", D(90), levels) is None
    assert room_value(D(100), D(103), r=D(2)) == D("0.75")
    assert room_value(D(100), D(98), r=D(2)) == D("0.5")
    assert room_value(D(100), D(110), r=D(2)) == 1
    assert room_value(D(100), None, r=D(2)) == 1


@pytest.mark.parametrize(
    ("rsi", "value"),
    [
        ("0", "0"),
        ("40", "0"),
        ("47.5", "0.5"),
        ("55", "1"),
        ("62", "1"),
        ("70", "1"),
        ("75", "0.65"),
        ("80", "0.3"),
        ("100", "0.3"),
    ],
)
def test_momentum_is_straight_between_its_corners(rsi, value):
    assert momentum_value("long", D(rsi)) == D(value)
    assert momentum_value("short", 100 - D(rsi)) == D(value)


@pytest.mark.parametrize(("rsi", "value"), [("0", 1), ("20", "0.6"), ("50", 0), ("80", 0)])
def test_mean_reversion_wants_an_exhausted_price(rsi, value):
    assert momentum_value("long", D(rsi), mean_reversion=True) == D(value)
    assert momentum_value("short", 100 - D(rsi), mean_reversion=True) == D(value)


@pytest.mark.parametrize(
    ("percentile", "value"),
    [("0.2", 1), ("0.8", 1), ("0.19", "0.5"), ("0.05", "0.5"), ("0.95", "0.5"), ("0.96", 0)],
)
def test_calm_and_wild_markets_count_less(percentile, value):
    assert volatility_value(D(percentile)) == D(value)


def test_the_index_speaks_for_its_trend():
    assert market_value("long", D("0.5")) == D("0.75")
    assert market_value("short", D("0.5")) == D("0.25")


@given(st.decimals(0, 100, places=2), st.sampled_from(["long", "short"]), st.booleans())
def test_momentum_stays_in_its_range(rsi, side, mean_reversion):
    assert 0 <= momentum_value(side, rsi, mean_reversion=mean_reversion) <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: trend_votes(D(1), ema20=D(1), ema50=D(1), ema20_before=D(1), atr=D(0)),
        lambda: room_value(D(1), D(2), r=D(0)),
        lambda: momentum_value("long", D(101)),
        lambda: market_value("long", D("1.1")),
        lambda: market_value("up", D(0)),
    ],
)
def test_readings_that_can_not_be_are_refused(call):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        call()
