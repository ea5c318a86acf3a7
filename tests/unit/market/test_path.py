"""The simulated course of a session: it adds up to the real day, exactly, and always the same."""

import hashlib
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.errors import InvariantBroken
from services.market.history.bundle import load_history
from services.market.history.layout import DayRow
from services.market.path import session_path
from services.market.session import get_session
from services.market.tick import minute_ticks, quote_around

CENT = 100
DAY = date(2012, 1, 3)


def require_exact(row, bars, minutes):
    """Everything a path owes its day."""
    assert bars[0].o == row.o
    assert bars[-1].c == row.c
    assert max(bar.h for bar in bars) == row.h
    assert min(bar.l for bar in bars) == row.l
    assert sum(bar.v for bar in bars) == row.v
    for bar in bars:
        assert bar.l <= min(bar.o, bar.c) <= max(bar.o, bar.c) <= bar.h
        assert bar.v > 0
    assert all(before.minute < after.minute for before, after in pairwise(bars))
    assert 0 <= bars[0].minute <= bars[-1].minute < minutes


def require_tape(bars, tick):
    for bar in bars:
        ticks = minute_ticks("AAPL", DAY, bar, tick)
        assert ticks[0].price == bar.o
        assert ticks[-1].price == bar.c
        assert max(one.price for one in ticks) == bar.h
        assert min(one.price for one in ticks) == bar.l
        assert sum(one.size for one in ticks) == bar.v
        assert all(before.at_ms < after.at_ms for before, after in pairwise(ticks))
        assert bar.minute * 60_000 <= ticks[0].at_ms
        assert ticks[-1].at_ms < (bar.minute + 1) * 60_000
        for one in ticks:
            assert 0 < one.bid < one.ask
            assert one.bid % tick == 0
            assert one.ask % tick == 0
            assert one.bid <= one.price <= one.ask or one.price < tick


BUNDLED = [
    (symbol, row) for symbol, history in sorted(load_history().items()) for row in history.rows
]


@given(st.sampled_from(BUNDLED))
@settings(max_examples=150, deadline=None)
def test_minutes_of_a_bundled_day_add_up_to_it(found):
    symbol, row = found
    minutes = get_session("XNYS", row.date).minutes
    bars = session_path(symbol, row, minutes, CENT)
    require_exact(row, bars, minutes)
    odd = {price for price in (row.o, row.h, row.l, row.c) if price % CENT}
    for bar in bars:
        assert all(price % CENT == 0 or price in odd for price in (bar.o, bar.h, bar.l, bar.c))


def test_every_bundled_day_of_an_odd_shape_adds_up():
    odd = [
        (symbol, row)
        for symbol, row in BUNDLED
        if (row.h in (row.o, row.c) and row.l in (row.o, row.c))
        or (any(price % CENT for price in (row.o, row.h, row.l, row.c)) and row.h - row.l < 5000)
    ]
    assert len(odd) > 20
    for symbol, row in odd[:120]:
        minutes = get_session("XNYS", row.date).minutes
        require_exact(row, session_path(symbol, row, minutes, CENT), minutes)


def test_bundled_half_days_have_210_minutes():
    row = load_history()["AAPL"].find_row(date(2012, 7, 3))
    bars = session_path("AAPL", row, get_session("XNYS", row.date).minutes, CENT)
    assert bars[-1].minute == 209
    require_exact(row, bars, 210)


@st.composite
def rows(draw):
    low = draw(st.integers(1, 10_000_000))
    high = low + draw(st.one_of(st.just(0), st.integers(0, 300), st.integers(0, 2_000_000)))
    opens, closes = (
        draw(st.one_of(st.just(low), st.just(high), st.integers(low, high))) for _ in range(2)
    )
    volume = draw(st.one_of(st.integers(1, 500), st.integers(1, 10**11)))
    return DayRow(DAY, opens, high, low, closes, volume)


@given(rows(), st.sampled_from([1, 2, 3, 210, 390]), st.sampled_from([1, 100]))
@settings(max_examples=200, deadline=None)
def test_any_possible_day_has_an_exact_path_and_tape(row, minutes, tick):
    bars = session_path("AAPL", row, minutes, tick)
    require_exact(row, bars, minutes)
    require_tape(bars[:3] + bars[-3:], tick)


@pytest.mark.parametrize(
    "row",
    [
        DayRow(DAY, 1000, 1000, 1000, 1000, 1),
        DayRow(DAY, 1000, 1000, 1000, 1000, 10**9),
        DayRow(DAY, 2000, 2000, 1000, 1000, 39_000),
        DayRow(DAY, 1000, 2000, 1000, 2000, 39_000),
        DayRow(DAY, 1500, 2000, 1000, 1500, 1),
        DayRow(DAY, 1500, 2000, 1000, 1500, 2),
        DayRow(DAY, 382_318, 450_000, 380_000, 382_318, 573_576_400),
    ],
    ids=[
        "flat-one-share",
        "flat",
        "falls-all-day",
        "rises-all-day",
        "one-share",
        "two-shares",
        "parts-of-a-cent",
    ],
)
def test_odd_shapes_add_up(row):
    bars = session_path("AAPL", row, 390, CENT)
    require_exact(row, bars, 390)
    require_tape(bars, CENT)


def test_a_day_of_fewer_shares_than_minutes_leaves_minutes_out():
    bars = session_path("AAPL", DayRow(DAY, 1500, 2000, 1000, 1500, 50), 390, CENT)
    assert 1 < len(bars) <= 50


def test_a_day_without_volume_has_no_path():
    with pytest.raises(InvariantBroken):
        session_path("AAPL", DayRow(DAY, 1500, 2000, 1000, 1500, 0), 390, CENT)


def test_the_course_of_a_day_never_changes():
    row = load_history()["AAPL"].find_row(DAY)
    bars = session_path("AAPL", row, 390, CENT)
    ticks = [minute_ticks("AAPL", DAY, bar, CENT) for bar in bars]
    digest = hashlib.sha256(repr((bars, ticks)).encode()).hexdigest()
    session_path.cache_clear()
    minute_ticks.cache_clear()
    again = session_path("AAPL", row, 390, CENT)
    assert again == bars
    assert digest[:16] == "b42fa3121c09cf00"


def test_symbols_and_days_have_different_courses():
    row = load_history()["AAPL"].find_row(DAY)
    other = DayRow(date(2012, 1, 4), row.o, row.h, row.l, row.c, row.v)
    course = session_path("AAPL", row, 390, CENT)
    assert course != session_path("MSFT", row, 390, CENT)
    assert course != session_path("AAPL", other, 390, CENT)


def test_the_day_is_busy_at_its_ends_and_touches_its_extremes_seldom():
    row = load_history()["AAPL"].find_row(DAY)
    bars = session_path("AAPL", row, 390, CENT)
    ends = sum(bar.v for bar in bars[:30] + bars[-30:])
    middle = sum(bar.v for bar in bars[165:225])
    assert ends > 2 * middle
    assert sum(bar.h == row.h for bar in bars) < 12
    assert sum(bar.l == row.l for bar in bars) < 12


def test_the_spread_is_wider_at_the_open():
    def width(minute):
        bid, ask = quote_around(4_112_300, minute, CENT, 0)
        return ask - bid

    assert [width(minute) for minute in (0, 4, 14, 15, 200)] == [2000, 1500, 1000, 500, 500]
    assert quote_around(279_500, 200, CENT, 0) == (279_400, 279_500)
    assert quote_around(279_500, 200, CENT, 1) == (279_500, 279_600)
