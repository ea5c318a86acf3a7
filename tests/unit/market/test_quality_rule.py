"""Quality rules past one quote: each threshold on both of its sides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.bar import Bar
from services.market.grid import load_grid
from services.market.quality_rule import (
    THRESHOLDS,
    Arrival,
    FxObservation,
    find_arrival_fault,
    find_bar_faults,
    find_disorder,
    find_fx_faults,
    find_jump,
    find_scale_fault,
    find_split_fault,
    find_unit_faults,
    is_jump_confirmed,
    jump_limit,
    value_coverage,
)

MONDAY = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)


def told(*faults):
    return [(one.code, one.severity) for one in faults if one is not None]


@pytest.mark.parametrize(
    ("interval", "sigma", "limit"),
    [
        ("intraday", None, 0.05),
        ("intraday", 0.005, 0.05),
        ("intraday", 0.01, 0.08),
        ("day", None, 0.20),
        ("day", 0.02, 0.20),
        ("day", 0.03, 0.24),
    ],
)
def test_a_jump_is_measured_by_sigma_and_never_below_its_floor(interval, sigma, limit):
    assert jump_limit(interval, sigma) == limit


@pytest.mark.parametrize(
    ("price", "jumps"), [("180", True), ("105.13", True), ("105.12", False), ("95.12", True)]
)
def test_a_price_that_jumps_is_set_aside(price, jumps):
    found = find_jump(D(price), D(100), limit=0.05)
    assert told(found) == ([("DQ_JUMP", "CRIT")] if jumps else [])


@pytest.mark.parametrize(
    ("later", "second", "confirmed"),
    [
        ([], None, False),
        (["181"], None, False),
        (["181", "179"], None, True),
        (["100", "181", "179"], None, True),
        (["181", "100"], None, False),
        ([], "182", True),
        ([], "100", False),
    ],
)
def test_a_jump_counts_after_two_more_prices_or_a_second_source(later, second, confirmed):
    found = is_jump_confirmed(
        D(180), [D(x) for x in later], limit=0.05, second_source=second and D(second)
    )
    assert found is confirmed


@pytest.mark.parametrize(
    ("price", "suspect"),
    [
        ("98", True),
        ("102", True),
        ("97.99", False),
        ("102.01", False),
        ("0.0098", True),
        ("0.0102", True),
        ("0.0097", False),
        ("980", True),
        ("0.001", True),
        ("10", False),
        ("1", False),
    ],
)
def test_a_hundredfold_price_is_a_unit_error_until_proven_otherwise(price, suspect):
    found = find_scale_fault(D(price), D(1))
    assert told(found) == ([("DQ_SCALE_SUSPECT", "CRIT")] if suspect else [])


@pytest.mark.parametrize(
    ("observed", "unit", "codes"),
    [
        ("USD", "USD", []),
        ("EUR", "USD", ["DQ_CCY_MISMATCH"]),
        ("GBP", "GBX", ["DQ_CCY_MISMATCH", "DQ_SCALE_SUSPECT"]),
        ("GBX", "GBP", ["DQ_CCY_MISMATCH", "DQ_SCALE_SUSPECT"]),
    ],
)
def test_a_price_in_another_unit_is_refused(observed, unit, codes):
    found = find_unit_faults(observed, quote_unit=unit)
    assert told(*found) == [(code, "CRIT") for code in codes]


@pytest.mark.parametrize(
    ("opens", "volume", "suspect"),
    [
        ("10", None, True),
        ("10", "10", True),
        ("10", "3.3", False),
        ("10", "31", False),
        ("50", "2", True),
        ("49.25", "2", True),
        ("49.2", "2", False),
        ("50.8", None, False),
        ("66.666667", None, True),
        ("150", "0.7", True),
        ("200", "0.5", True),
        ("2000", None, True),
        ("100", None, False),
        ("130", None, False),
    ],
)
def test_a_gap_of_a_small_ratio_is_a_split_until_proven_otherwise(opens, volume, suspect):
    found = find_split_fault(D(opens), D(100), volume_ratio=volume and D(volume))
    assert told(found) == ([("DQ_SPLIT_SUSPECT", "CRIT")] if suspect else [])


@pytest.mark.parametrize(
    "call",
    [
        lambda: find_jump(D(0), D(1), limit=0.05),
        lambda: find_scale_fault(D(1), D(0)),
        lambda: find_split_fault(D(-1), D(1)),
        lambda: find_fx_faults(FxObservation(D(0), MONDAY), MONDAY),
    ],
)
def test_prices_that_are_none_are_refused(call):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        call()


def arrival(second, seq=0):
    return Arrival(MONDAY + timedelta(seconds=second), seq)


@pytest.mark.parametrize(
    ("one", "newest", "recent", "code"),
    [
        (arrival(1), None, [], None),
        (arrival(2), arrival(1), [], None),
        (arrival(1, 2), arrival(1, 1), [], None),
        (arrival(1, 1), arrival(1, 1), [], "DQ_DUPLICATE"),
        (arrival(1), arrival(2), [arrival(1)], "DQ_DUPLICATE"),
        (arrival(1), arrival(2), [], "DQ_OUT_OF_ORDER"),
        (arrival(1, 1), arrival(1, 2), [], "DQ_OUT_OF_ORDER"),
    ],
)
def test_late_and_repeated_observations_are_dropped(one, newest, recent, code):
    found = find_arrival_fault(one, newest, recent=recent)
    assert told(found) == ([(code, "INFO")] if code else [])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), max_size=20))
def test_what_is_kept_of_shuffled_observations_ascends_without_repeats(rows):
    newest, recent, kept = None, set(), []
    for row in rows:
        one = arrival(*row)
        fault = find_arrival_fault(one, newest, recent=recent)
        again = one in recent
        recent.add(one)
        assert (fault is not None and fault.code == "DQ_DUPLICATE") == again
        if fault is None:
            newest = one
            kept.append(one)
    assert kept == sorted(set(kept))
    assert not rows or kept[-1] == arrival(*max(rows))


@pytest.mark.parametrize(
    ("dropped", "total", "warns"), [(1, 100, False), (2, 100, True), (0, 0, False), (1, 99, True)]
)
def test_more_than_one_in_a_hundred_out_of_order_warns(dropped, total, warns):
    assert told(find_disorder(dropped, total)) == ([("DQ_OUT_OF_ORDER", "WARN")] if warns else [])


FRIDAY = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seen", "as_of", "codes"),
    [
        (None, MONDAY, ["DQ_FX_MISSING"]),
        (FxObservation(D("0.79"), MONDAY), MONDAY + timedelta(hours=24), []),
        (FxObservation(D("0.79"), MONDAY), MONDAY + timedelta(hours=25), ["DQ_FX_STALE"]),
        (FxObservation(D("0.79"), FRIDAY), FRIDAY + timedelta(hours=72), []),
        (FxObservation(D("0.79"), FRIDAY), FRIDAY + timedelta(hours=73), ["DQ_FX_STALE"]),
        (FxObservation(D("0.79"), MONDAY, D("1.2658")), MONDAY, []),
        (FxObservation(D("0.79"), MONDAY, D("1.26")), MONDAY, []),
        (FxObservation(D("0.79"), MONDAY, D("1.25")), MONDAY, ["DQ_FX_INVERTED"]),
        (FxObservation(D("0.79"), MONDAY, D("0.79")), MONDAY, ["DQ_FX_INVERTED"]),
        (FxObservation(D("1.2658"), MONDAY, None, D("0.79")), MONDAY, ["DQ_FX_INVERTED"]),
        (FxObservation(D("0.79"), MONDAY, None, D("0.77")), MONDAY, []),
        (FxObservation(D("0.79"), MONDAY, None, D("0.76")), MONDAY, ["DQ_FX_JUMP"]),
        (FxObservation(D("1.005"), MONDAY, None, D("0.998")), MONDAY, []),
        (
            FxObservation(D("0.79"), FRIDAY, None, D("0.70")),
            FRIDAY + timedelta(hours=80),
            ["DQ_FX_JUMP", "DQ_FX_STALE"],
        ),
    ],
)
def test_a_rate_that_can_not_be_trusted_freezes_the_valuation(seen, as_of, codes):
    assert told(*find_fx_faults(seen, as_of)) == [(code, "CRIT") for code in codes]


def bar(minute, **change):
    opens = MONDAY + timedelta(minutes=minute)
    prices = {"o": D(10), "h": D(11), "l": D(9), "c": D(10), "v": D(100)} | change
    return Bar(t_open=opens, t_close=opens + timedelta(minutes=5), **prices)


@pytest.mark.parametrize(
    ("bars", "severity"),
    [
        ([], None),
        ([bar(0), bar(5), bar(10)], None),
        ([bar(0), bar(10)], "WARN"),
        ([bar(0), bar(5, l=D("10.5"))], "CRIT"),
        ([bar(0), bar(5, h=D("9.5"))], "CRIT"),
        ([bar(0, v=D(-1))], "CRIT"),
        ([bar(0), bar(6)], "CRIT"),
        ([bar(5), bar(0)], "CRIT"),
        ([bar(0), bar(0)], "CRIT"),
    ],
)
def test_bars_are_sane_aligned_and_without_gaps(bars, severity):
    found = find_bar_faults(bars, load_grid("XNYS", "5m", MONDAY, MONDAY))
    assert told(*found) == ([("DQ_BAR_SANITY", severity)] if severity else [])


@pytest.mark.parametrize(
    ("values", "green", "ratio", "severity"),
    [
        ({"A": D(950), "B": D(50)}, "AB", "1", None),
        ({"A": D(950), "B": D(50)}, "A", "0.95", "WARN"),
        ({"A": D(949), "B": D(51)}, "A", "0.949", "CRIT"),
        ({"A": D(900), "B": D(-100)}, "A", "0.9", "CRIT"),
        ({"A": D(100), "B": D(0)}, "A", "1", None),
        ({"A": D(1_000_000_000), "B": D("0.01")}, "A", "1", "WARN"),
        ({}, "", None, None),
    ],
)
def test_recommendations_need_all_value_on_green_data(values, green, ratio, severity):
    found = value_coverage(values, list(green))
    assert found.ratio == (None if ratio is None else D(ratio))
    assert found.recommends is (severity is None)
    assert told(found.fault) == ([("DQ_COVERAGE", severity)] if severity else [])


def test_thresholds_are_numbers_of_the_asset_class():
    loose = replace(THRESHOLDS, jump_intraday=0.7, scale_pct=D("0.05"), fx_jump_pct=D("0.2"))
    assert jump_limit("intraday", None, limits=loose) == 0.7
    assert find_scale_fault(D(105), D(1)) is None
    assert find_scale_fault(D(105), D(1), limits=loose) is not None
    moved = FxObservation(D("0.79"), MONDAY, None, D("0.70"))
    assert find_fx_faults(moved, MONDAY, limits=loose) == []
