"""The built-in streaming strategies."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.window import WindowTrade, window_metrics
from services.strategy.stream_rule import ma_cross, volume_spike, vwap_deviation

CLOSES = [
    D(x)
    for x in [
        "10",
        "10",
        "10",
        "10",
        "10",
        "9.8",
        "9.7",
        "9.9",
        "10.3",
        "10.6",
        "10.4",
        "9.9",
        "9.5",
    ]
]


def test_averages_that_cross_signal_at_that_close():
    signals = ma_cross(CLOSES, fast=2, slow=4)
    assert {at: one for at, one in enumerate(signals) if one} == {5: "SELL", 8: "BUY", 11: "SELL"}


@given(st.lists(st.integers(1, 50).map(D), max_size=40), st.integers(1, 4), st.integers(5, 9))
def test_a_signal_depends_on_the_past_only(closes, fast, slow):
    whole = ma_cross(closes, fast=fast, slow=slow)
    assert len(whole) == len(closes)
    for end in range(len(closes)):
        assert ma_cross(closes[:end], fast=fast, slow=slow) == whole[:end]


@pytest.mark.parametrize(("fast", "slow"), [(4, 4), (5, 4), (0, 4)])
def test_the_fast_average_is_the_shorter(fast, slow):
    with pytest.raises(Refusal):
        ma_cross(CLOSES, fast=fast, slow=slow)


@pytest.mark.parametrize(
    ("close", "deviation", "signal", "strength"),
    [
        ("98.9", "-1.1", "BUY", "0.55"),
        ("99", "-1", "BUY", "0.5"),
        ("101", "1", "SELL", "0.5"),
        ("100.5", "0.5", None, "0.25"),
        ("90", "-10", "BUY", "1"),
    ],
)
def test_deviation_from_vwap(close, deviation, signal, strength):
    found = vwap_deviation(D(close), D(100), threshold_pct=D(1))
    assert (found.deviation_pct, found.signal, found.strength) == (
        D(deviation),
        signal,
        D(strength),
    )


@pytest.mark.parametrize(
    ("volume", "moved", "ratio", "signal"),
    [
        ("320", "1", "3.2", "BUY"),
        ("320", "-1", "3.2", "SELL"),
        ("320", "0", "3.2", None),
        ("290", "1", "2.9", None),
    ],
)
def test_a_volume_spike_follows_its_window(volume, moved, ratio, signal):
    found = volume_spike([D(100)] * 20, D(volume), moved=D(moved), multiple=D(3))
    assert (found.ratio, found.signal) == (D(ratio), signal)


def test_a_spike_needs_its_whole_history():
    assert volume_spike([D(100)] * 19, D(900), moved=D(1), multiple=D(3)).ratio is None
    assert volume_spike([D(0)] * 20, D(900), moved=D(1), multiple=D(3)).signal is None


def test_a_window_counts_what_it_drops():
    trades = [WindowTrade(D(p), D(s)) for p, s in ((100, 2), (0, 5), (101, 0), (99, 1))]
    found = window_metrics(trades)
    assert (found.open, found.close, found.range, found.volume) == (D(100), D(99), D(1), D(3))
    assert (found.trades, found.dropped) == (2, 2)
    assert window_metrics([WindowTrade(D(1), D(0))]) is None
