"""VWAP, floor pivots, opening range, swings and relative volume: rules and edges."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.level import Swing, SwingState, opening_range, pivots, swings
from services.market.relative_volume import rvol_tod
from services.market.vwap import VolumeBar, Vwap, anchored_vwap, vwap

OPEN = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)


class Row(NamedTuple):
    t_open: datetime
    h: D
    l: D  # noqa: E741 - the field's own letter


def row(minute, high="101.5", low="99.9"):
    return Row(OPEN + timedelta(minutes=minute), D(high), D(low))


def bar(price, volume, vw=None):
    return VolumeBar(price, price, price, volume, vw)


def refused(call):
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value


def test_vwap_weighs_price_by_volume():
    found = vwap([bar(100, 10), bar(104, 30)])
    assert (found.value, found.sigma, found.flags) == (103, math.sqrt(3), ())


def test_the_provider_s_own_price_counts_and_mixing_is_flagged():
    own = vwap([bar(100, 10, 101.0), bar(104, 10, 103.0)])
    assert (own.value, own.flags) == (102, ())
    mixed = vwap([bar(100, 10, 101.0), bar(103, 10)])
    assert (mixed.value, mixed.flags) == (102, ("VWAP_SOURCE_MIXED",))


def test_without_volume_there_is_no_vwap():
    for bars in ([], [bar(100, 0)]):
        found = vwap(bars)
        assert (found.value, found.sigma, found.flags) == (None, None, ("NO_VOLUME",))


def test_an_anchor_counts_from_its_bar_on():
    bars = [bar(100, 10), bar(104, 30), bar(108, 30)]
    assert anchored_vwap(bars, 1).value == 106
    assert anchored_vwap(bars, 2).value == 108
    for index in (-1, 3):
        refusal = refused(lambda at=index: anchored_vwap(bars, at))
        assert refusal.code == "ANCHOR_NOT_FOUND"
        assert refusal.facts == {"anchor": index, "first": 0, "last": 2}


@pytest.mark.parametrize(
    "values",
    [(0, 1, 1, 1, None), (1, 1, 1, -1, None), (1, 1, 1, 1, 0.0), (1, 1, math.nan, 1, None)],
)
def test_a_bar_that_can_not_be_weighed_is_refused(values):
    assert refused(lambda: VolumeBar(*values)).code == "PARAM_INVALID"


PRICE = st.integers(100, 9_999).map(lambda cents: cents / 100)
WEIGHED = st.lists(st.tuples(PRICE, st.integers(0, 10_000)), min_size=1, max_size=30)


@given(WEIGHED)
def test_a_running_vwap_equals_the_vwap_of_the_bars_so_far(rows):
    state = Vwap()
    for at, (price, volume) in enumerate(rows, start=1):
        value = state.push(bar(price, volume))
        whole = vwap([bar(*item) for item in rows[:at]])
        paid = total = 0.0
        for p, v in rows[:at]:
            paid, total = paid + (p + p + p) / 3 * v, total + v
        assert value == whole.value == (paid / total if total else None)
        assert state.sigma == whole.sigma
    if value is not None:
        used = [p for p, v in rows if v]
        assert min(used) - 1e-9 <= value <= max(used) + 1e-9


def test_floor_pivots():
    found = pivots(105, 99, prev_close=102)
    assert (found.p, found.r1, found.r2, found.r3) == (102, 105, 108, 111)
    assert (found.s1, found.s2, found.s3) == (99, 96, 93)


@pytest.mark.parametrize("prices", [(99, 105, 102), (105, 0, 102), (math.inf, 99, 102)])
def test_pivots_of_impossible_prices_are_refused(prices):
    high, low, close = prices
    assert refused(lambda: pivots(high, low, prev_close=close)).code == "PARAM_INVALID"


def opening(rows, minutes=15, bar_minutes=5, after=15):
    as_of = OPEN + timedelta(minutes=after)
    return opening_range(OPEN, rows, minutes=minutes, bar_minutes=bar_minutes, as_of=as_of)


def test_the_opening_range_takes_bars_that_open_inside_it():
    rows = [row(-5, "120", "90"), row(0), row(5, "101", "100"), row(10), row(15, "130", "80")]
    found = opening(rows)
    assert (found.high, found.low, found.mid, found.width) == (
        D("101.5"),
        D("99.9"),
        D("100.7"),
        D("1.6"),
    )
    assert (found.bars_used, found.flags) == (3, ())


def test_a_thin_opening_range_is_flagged_below_four_fifths():
    assert opening([row(at) for at in range(12)], bar_minutes=1).flags == ()
    assert opening([row(at) for at in range(11)], bar_minutes=1).flags == ("COVERAGE_LOW",)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"after": 14}, "OPENING_RANGE_INCOMPLETE"),
        ({"rows": [row(20)]}, "OPENING_RANGE_EMPTY"),
        ({"bar_minutes": 4}, "PARAM_INVALID"),
        ({"bar_minutes": 0}, "PARAM_INVALID"),
        ({"bar_minutes": 30}, "PARAM_INVALID"),
        ({"minutes": 20}, "PARAM_INVALID"),
        ({"rows": [row(0, "99", "100")]}, "PARAM_INVALID"),
    ],
)
def test_an_opening_range_that_can_not_be_is_refused(change, code):
    assert refused(lambda: opening(**({"rows": [row(0)]} | change))).code == code


def test_when_the_opening_range_completes_is_a_fact():
    facts = refused(lambda: opening([row(0)], after=1)).facts
    assert facts == {"n": 15, "ts": "2026-03-09T13:45:00.000Z"}


def test_swings_are_strict_and_confirmed_late():
    assert swings([1, 3, 2], [1, 1, 1], 1) == (Swing("high", 1, 3, 2),)
    assert swings([1, 3, 3, 2], [1, 1, 1, 1], 1) == ()
    assert swings([2, 2, 2], [2, 1, 2], 1) == (Swing("low", 1, 1, 2),)
    assert swings([1, 3], [1, 1], 1) == ()


@given(st.lists(st.tuples(PRICE, PRICE), max_size=25), st.integers(1, 3))
def test_a_swing_exists_from_its_confirmation_on_and_never_before(rows, k):
    bars = [(max(pair), min(pair)) for pair in rows]
    state, found = SwingState(k), []
    for at, (high, low) in enumerate(bars):
        fresh = state.push(high, low)
        assert all(swing.confirmed_at == at == swing.index + k for swing in fresh)
        found += fresh
        highs, lows = [b[0] for b in bars[: at + 1]], [b[1] for b in bars[: at + 1]]
        assert swings(highs, lows, k) == tuple(found)
    expected = [
        i
        for i in range(k, len(bars) - k)
        if all(bars[i][0] > bars[j][0] for j in range(i - k, i + k + 1) if j != i)
    ]
    assert [swing.index for swing in found if swing.kind == "high"] == expected


@pytest.mark.parametrize("call", [lambda: swings([1], [1], 0), lambda: swings([1], [], 1)])
def test_swings_of_nothing_sensible_are_refused(call):
    assert refused(call).code == "PARAM_INVALID"


FIVE = [[100], [150], [200], [150], [150]]


@pytest.mark.parametrize(
    ("history", "today", "slot", "n", "rvol", "used"),
    [
        (FIVE, [300], 0, 20, 2, 5),
        ([[9000], *FIVE], [300], 0, 5, 2, 5),
        ([[100, None, 500], *([100, 100, 100],) * 4], [0, 100], 1, 20, 1, 5),
        ([[100], *([100, 100],) * 4], [0, 100], 1, 20, 1, 5),
        ([[None, 50], *([125, 125],) * 4], [100], 0, 20, 1, 5),
        ([[0]] * 5, [300], 0, 20, None, 5),
        (FIVE[:4], [300], 0, 20, None, 4),
        (FIVE, [300], 0, 4, None, 4),
    ],
)
def test_relative_volume_compares_the_same_minute(history, today, slot, n, rvol, used):
    found = rvol_tod(history, today, slot=slot, n=n)
    assert (found.rvol, found.sessions_used) == (rvol, used)
    assert found.flags == (("RVOL_HISTORY_SHORT",) if used < 5 else ())


@pytest.mark.parametrize(
    ("history", "today", "slot", "n"),
    [
        (FIVE, [1], 1, 20),
        (FIVE, [1], -1, 20),
        (FIVE, [1], 0, 0),
        (FIVE, [-1], 0, 20),
        ([[-1]], [1], 0, 20),
    ],
)
def test_volumes_that_can_not_be_are_refused(history, today, slot, n):
    assert refused(lambda: rvol_tod(history, today, slot=slot, n=n)).code == "PARAM_INVALID"
