"""EMA, ATR, RSI and ADX: worked numbers, and a fold that equals the plain definition exactly."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import from_float
from services.market.indicator import Adx, Atr, Ema, Rsi, adx, atr, ema, rsi

PRICE = st.integers(100, 99_999).map(lambda cents: cents / 100)
CLOSES = st.lists(PRICE, min_size=1, max_size=40)
BARS = st.lists(st.tuples(PRICE, PRICE, PRICE), min_size=1, max_size=40).map(
    lambda rows: [(max(row), min(row), row[0]) for row in rows]
)
PERIOD = st.integers(1, 6)


def mean(values):
    total = 0.0
    for value in values:
        total = total + value
    return total / len(values)


def wilder(values, n):
    """Each value of Wilder's mean from its definition, first at index n-1."""
    out = [mean(values[:n])]
    for value in values[n:]:
        out.append((out[-1] * (n - 1) + value) / n)
    return out


def plain_ema(close, n):
    out = [mean(close[:n])]
    for value in close[n:]:
        out.append(out[-1] + 2 / (n + 1) * (value - out[-1]))
    return out


def plain_ranges(bars):
    return [
        max(h - low, abs(h - bars[i - 1][2]), abs(low - bars[i - 1][2]))
        for i, (h, low, _) in enumerate(bars)
        if i
    ]


def plain_rsi(close, n):
    changes = [after - before for before, after in pairwise(close)]
    gains = wilder([max(x, 0.0) for x in changes], n)
    losses = wilder([max(-x, 0.0) for x in changes], n)
    return [100 * g / (g + x) if g + x else 50.0 for g, x in zip(gains, losses, strict=True)]


def plain_adx(bars, n):
    plus, minus = [], []
    for (h0, l0, _), (h1, l1, _) in pairwise(bars):
        up, down = h1 - h0, l0 - l1
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    sums = []
    for series in (plus, minus, plain_ranges(bars)):
        total, out = 0.0, []
        for value in series[: n - 1]:
            total = total + value
        for value in series[n - 1 :]:
            total = total - total / n + value
            out.append(total)
        sums.append(out)
    index = []
    for p, m, r in zip(*sums, strict=True):
        p_di, m_di = (100 * p / r, 100 * m / r) if r else (0.0, 0.0)
        index.append(100 * abs(p_di - m_di) / (p_di + m_di) if p_di + m_di else 0.0)
    return wilder(index, n)


def folded(state, rows):
    return [state.push(*row) for row in rows]


@given(CLOSES, PERIOD)
def test_a_fold_of_closes_equals_the_definition_bit_for_bit(close, n):
    rows = [(value,) for value in close]
    for state, plain, first in ((Ema(n), plain_ema, n - 1), (Rsi(n), plain_rsi, n)):
        got = folded(state, rows)
        assert got[:first] == [None] * min(first, len(close))
        assert got[first:] == (plain(close, n) if len(close) > first else [])


@given(BARS, PERIOD)
def test_a_fold_of_bars_equals_the_definition_bit_for_bit(bars, n):
    for state, plain, first in (
        (Atr(n), lambda rows, k: wilder(plain_ranges(rows), k), n),
        (Adx(n), plain_adx, 2 * n - 1),
    ):
        got = folded(state, bars)
        assert got[:first] == [None] * min(first, len(bars))
        assert got[first:] == (plain(bars, n) if len(bars) > first else [])


@given(BARS, PERIOD, st.sampled_from([0.25, 2.0, 64.0]))
def test_scaled_prices_scale_ema_and_atr_and_leave_rsi_and_adx(bars, n, factor):
    scaled = [tuple(value * factor for value in bar) for bar in bars]
    for make, by in ((Atr, factor), (Adx, 1)):
        expected = [None if x is None else x * by for x in folded(make(n), bars)]
        assert folded(make(n), scaled) == expected
    for make, by in ((Ema, factor), (Rsi, 1)):
        close = folded(make(n), [(bar[2],) for bar in bars])
        expected = [None if x is None else x * by for x in close]
        assert folded(make(n), [(bar[2],) for bar in scaled]) == expected


@given(BARS, PERIOD)
def test_strength_and_direction_stay_in_their_range(bars, n):
    for value in (*folded(Rsi(n), [(bar[2],) for bar in bars]), *folded(Adx(n), bars)):
        assert value is None or 0 <= value <= 100 * (1 + 1e-12)


def test_worked_numbers():
    found = ema([1, 2, 3, 6], 3)
    assert (found.first_index, found.first, found.last, found.flags) == (2, 2, 4, ("WARMUP",))
    ranges = atr([11, 12, 13, 15], [10, 10, 9, 9], [11, 11, 11, 12], 2)
    assert (ranges.first_index, ranges.first, ranges.last) == (2, 3, 4.5)
    assert from_float(rsi([10, 12, 11], 2).last) == from_float(66.666667)
    rising = [float(x) for x in range(10, 18)]
    assert adx([x + 1 for x in rising], rising, rising, 2).last == 100


def test_the_warm_up_ends_at_four_times_the_period():
    assert ema([1.0] * 11, 3).flags == ("WARMUP",)
    assert ema([1.0] * 12, 3).flags == ()


def test_prices_that_do_not_move():
    flat = [5.0] * 20
    assert (rsi(flat, 3).last, adx(flat, flat, flat, 3).last) == (50, 0)
    still = atr(flat, flat, flat, 3)
    assert (still.last, still.flags) == (None, ("ATR_ZERO",))
    assert atr(flat[:5], flat[:5], flat[:5], 3).flags == ("ATR_ZERO", "WARMUP")


@pytest.mark.parametrize(
    ("call", "code", "facts"),
    [
        (lambda: ema([1.0] * 8, 9), "INSUFFICIENT_BARS", {"need": 9, "have": 8}),
        (lambda: rsi([1.0] * 9, 9), "INSUFFICIENT_BARS", {"need": 10, "have": 9}),
        (lambda: atr(*[[1.0] * 3] * 3, 3), "INSUFFICIENT_BARS", {"need": 4, "have": 3}),
        (lambda: adx(*[[1.0] * 5] * 3, 3), "INSUFFICIENT_BARS", {"need": 6, "have": 5}),
        (lambda: ema([1.0], 0), "PARAM_INVALID", {"name": "n"}),
        (lambda: atr([1.0], [1.0, 2.0], [1.0], 1), "PARAM_INVALID", {"name": "low"}),
        (lambda: rsi([1.0, float("nan"), 2.0], 1), "PARAM_INVALID", {"name": "close"}),
    ],
)
def test_what_can_not_be_computed_is_refused(call, code, facts):
    with pytest.raises(Refusal) as caught:
        call()
    assert caught.value.code == code
    assert facts.items() <= caught.value.facts.items()
