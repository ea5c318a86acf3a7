"""Bars: what makes one invalid, resampling on session grids, coverage, the hash."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.bar import (
    Bar,
    bar_hash,
    is_complete,
    measure_coverage,
    resample,
    validate_bars,
)
from services.market.grid import Window, build_buckets, load_grid
from services.market.session import session_on

OPEN = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)


def bar(at=OPEN, *, minutes=5, prices=("100", "101", "99", "100.5"), v="10", **more):
    o, h, l, c = map(D, prices)  # noqa: E741
    return Bar(
        t_open=at, t_close=at + timedelta(minutes=minutes), o=o, h=h, l=l, c=c, v=D(v), **more
    )


def minutes_from(start, count, step=1):
    return [bar(start + timedelta(minutes=step * at), minutes=step) for at in range(count)]


def refusal(call, *args, **kwargs):
    with pytest.raises(Refusal) as caught:
        call(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (bar(prices=("100", "100.4", "99", "100.5")), "h < max(o,c,l)"),
        (bar(prices=("100", "101", "100.1", "100.5")), "l > min(o,c,h)"),
        (bar(prices=("100", "101", "0", "100.5")), "price <= 0"),
        (bar(v="-1"), "v < 0"),
    ],
)
def test_a_bar_that_can_not_be_true_is_named_with_its_fault(broken, what):
    found = refusal(validate_bars, [broken])
    assert (found.code, found.facts["check"]) == ("BAR_INVALID", what)
    assert found.facts["ts"] == "2026-03-09T13:30:00.000Z"


@pytest.mark.parametrize(("shift", "what"), [(0, "duplicate t_open"), (-5, "not ascending")])
def test_bars_ascend_without_duplicates(shift, what):
    pair = [bar(), bar(OPEN + timedelta(minutes=shift))]
    assert refusal(validate_bars, pair).facts["check"] == what


@pytest.mark.parametrize(
    "at",
    [
        OPEN + timedelta(minutes=2),
        OPEN - timedelta(minutes=5),
        OPEN + timedelta(hours=6, minutes=30),
        datetime(2026, 3, 8, 13, 30, tzinfo=UTC),
    ],
)
def test_a_bar_off_the_session_grid_is_refused(at):
    grid = load_grid("XNYS", "5m", OPEN, OPEN)
    assert refusal(validate_bars, [bar(at)], grid).facts["check"] == "t_open not on the grid"


@pytest.mark.parametrize(
    ("day", "minutes", "count", "last"),
    [
        ("2025-11-26", 60, 7, "20:30-21:00"),
        ("2025-11-28", 60, 4, "17:30-18:00"),
        ("2026-03-06", 240, 2, "18:30-21:00"),
        ("2026-03-09", 240, 2, "17:30-20:00"),
    ],
)
@pytest.mark.fault("F034")
def test_buckets_are_anchored_at_the_open_in_winter_summer_and_on_half_days(
    day, minutes, count, last
):
    session = session_on("XNYS", date.fromisoformat(day))
    buckets = build_buckets(Window(session.open, session.close), minutes)
    assert len(buckets) == count
    assert f"{buckets[-1].opens:%H:%M}-{buckets[-1].closes:%H:%M}" == last


def test_a_bucket_needs_at_least_a_minute():
    assert refusal(build_buckets, Window(OPEN, OPEN), 0).code == "PARAM_INVALID"


def test_resampling_takes_first_highest_lowest_last_and_sums():
    rows = [
        ("33", "33.14", "32.61", "32.98"),
        ("33.04", "33.53", "32.56", "33.36"),
        ("33.48", "34.16", "33.03", "33.95"),
    ]
    bars = [
        bar(OPEN + timedelta(minutes=5 * at), prices=row, v="100", vw=D(at + 1), n=2)
        for at, row in enumerate(rows)
    ]
    (built,) = resample(bars, calendar="XNYS", from_tf="5m", to_tf="15m")
    assert (built.o, built.h, built.l, built.c) == (D(33), D("34.16"), D("32.56"), D("33.95"))
    assert (built.v, built.n, built.vw) == (D(300), 6, D(2))


@pytest.mark.parametrize(
    ("volumes", "vws", "expected"),
    [
        (("1", "0"), (D(5), None), D(5)),
        (("1", "1"), (D(5), None), None),
        (("0", "0"), (None,) * 2, None),
    ],
)
def test_the_average_price_is_null_when_a_traded_bar_lacks_it(volumes, vws, expected):
    bars = [
        bar(OPEN + timedelta(minutes=5 * at), v=v, vw=vw)
        for at, (v, vw) in enumerate(zip(volumes, vws, strict=True))
    ]
    (built,) = resample(bars, calendar="XNYS", from_tf="5m", to_tf="15m", include_partial=True)
    assert built.vw == expected


def test_a_bucket_in_progress_comes_only_on_request_and_marked():
    bars = minutes_from(OPEN, 7)
    assert len(resample(bars, calendar="XNYS", from_tf="1m", to_tf="5m")) == 1
    built = resample(bars, calendar="XNYS", from_tf="1m", to_tf="5m", include_partial=True)
    assert [item.complete for item in built] == [True, False]


def test_a_minute_without_trades_does_not_hold_a_bucket_back():
    bars = [item for at, item in enumerate(minutes_from(OPEN, 10)) if at not in (2, 4, 5, 6)]
    built = resample(bars, calendar="XNYS", from_tf="1m", to_tf="5m")
    assert [item.v for item in built] == [D(30), D(30)]


def test_an_empty_bucket_is_not_emitted():
    bars = [bar(OPEN), bar(OPEN + timedelta(minutes=40))]
    built = resample(bars, calendar="XNYS", from_tf="5m", to_tf="15m")
    assert [item.t_open.minute for item in built] == [30, 0]


def test_the_last_bucket_of_a_half_day_is_cut_at_the_close():
    start = datetime(2025, 11, 28, 14, 30, tzinfo=UTC)
    built = resample(minutes_from(start, 14, 15), calendar="XNYS", from_tf="15m", to_tf="240m")
    assert [(item.t_open.hour, item.t_close.hour) for item in built] == [(14, 18)]


def test_daily_bars_make_iso_weeks_and_months():
    days = [session_on("XNYS", date(2026, 3, n)) for n in range(2, 32)]
    bars = [replace(bar(day.open), t_close=day.close) for day in days if day]
    weeks = resample(bars, calendar="XNYS", from_tf="1d", to_tf="1w")
    assert [item.t_open.date().isoformat() for item in weeks] == [
        "2026-03-02",
        "2026-03-09",
        "2026-03-16",
        "2026-03-23",
    ]
    assert resample(bars, calendar="XNYS", from_tf="1d", to_tf="1mo")[0].v == D(220)


def test_a_month_is_keyed_by_its_first_session_even_when_bars_start_later():
    late = [session_on("XNYS", date(2026, 3, n)) for n in (30, 31)]
    bars = [replace(bar(day.open), t_close=day.close) for day in late]
    (built,) = resample(bars, calendar="XNYS", from_tf="1d", to_tf="1mo")
    assert built.t_open.date() == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("from_tf", "to_tf", "calendar", "code"),
    [
        ("5m", "1m", "XNYS", "RESAMPLE_UP"),
        ("7m", "15m", "XNYS", "TIMEFRAME_UNSUPPORTED"),
        ("5m", "2h", "XNYS", "TIMEFRAME_UNSUPPORTED"),
        ("1w", "1mo", "XNYS", "TIMEFRAME_UNSUPPORTED"),
        ("5m", "15m", "XXXX", "CALENDAR_UNKNOWN"),
    ],
)
def test_what_can_not_be_built_is_refused(from_tf, to_tf, calendar, code):
    found = refusal(resample, [bar()], calendar=calendar, from_tf=from_tf, to_tf=to_tf)
    assert found.code == code
    assert refusal(resample, [], calendar=calendar, from_tf=from_tf, to_tf=to_tf).code == code


def test_the_same_timeframe_is_allowed():
    assert len(resample([bar()], calendar="XNYS", from_tf="5m", to_tf="5m")) == 1


@given(st.sets(st.integers(0, 389), min_size=1))
def test_resampling_in_two_steps_is_resampling_in_one(kept):
    bars = [bar(OPEN + timedelta(minutes=at), minutes=1, v=str(at)) for at in sorted(kept)]
    terms = {"calendar": "XNYS", "include_partial": True}
    fives = resample(bars, from_tf="1m", to_tf="5m", **terms)
    assert resample(bars, from_tf="1m", to_tf="60m", **terms) == [
        replace(item, complete=known.complete)
        for item, known in zip(
            resample(fives, from_tf="5m", to_tf="60m", **terms),
            resample(bars, from_tf="1m", to_tf="60m", **terms),
            strict=True,
        )
    ]


def test_coverage_below_four_fifths_is_flagged():
    grid = load_grid("XNYS", "1m", OPEN, OPEN)
    found = measure_coverage(minutes_from(OPEN, 23), grid, OPEN, OPEN + timedelta(minutes=30))
    assert (found.seen, found.expected, found.ratio) == (23, 30, D("0.766667"))
    assert found.flags == ("COVERAGE_LOW",)
    full = measure_coverage(minutes_from(OPEN, 24), grid, OPEN, OPEN + timedelta(minutes=30))
    assert full.flags == ()


def test_nothing_is_expected_while_the_market_is_closed():
    grid = load_grid("XNYS", "1m", OPEN, OPEN)
    found = measure_coverage([], grid, OPEN - timedelta(hours=2), OPEN)
    assert (found.expected, found.ratio) == (0, None)


def test_a_bar_is_complete_after_its_publish_delay():
    end = OPEN + timedelta(minutes=5)
    assert not is_complete(bar(), end + timedelta(seconds=1))
    assert is_complete(bar(), end + timedelta(seconds=2))
    assert is_complete(bar(), end, publish_delay_s=0)


def test_the_hash_of_bars_is_that_of_the_document_in_any_order():
    first = datetime(2025, 11, 21, 14, 30, tzinfo=UTC)
    bars = [
        bar(first, prices=("100", "101.20", "99.95", "100.8"), v="120000"),
        bar(first + timedelta(minutes=5), prices=("100.8", "101.5", "100.6", "101.1"), v="98000"),
    ]
    expected = "sha256:8e81de35d0ce0a6223bdaa5539a9bd4bb4c0bb8a4eb7eec9e840fb3a406ed916"
    assert bar_hash("XNAS:AAPL", "5m", bars) == expected
    assert bar_hash("XNAS:AAPL", "5m", bars[::-1]) == expected
