"""When jobs are due: by the market's mode, once a session, half days and clock changes included."""

from datetime import UTC, datetime, timedelta

import pytest

from services.market.schedule import after_close, after_week, before_open, count_missed, every


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "tick"),
    [
        ("2027-01-12 14:31:45", "2027-01-12 14:31:00"),
        ("2027-01-12 14:30:00", "2027-01-12 14:30:00"),
        ("2027-01-12 14:29:59", "2027-01-12 14:25:00"),
        ("2027-01-12 21:04:00", "2027-01-12 21:00:00"),
        ("2027-01-16 15:00:00", None),
        ("2027-01-18 15:00:00", None),
    ],
    ids=["open", "at the open", "early hours", "late hours", "Saturday", "holiday"],
)
def test_a_period_of_each_mode_of_the_session(now, tick):
    rule = every({"open": 60, "pre": 300, "post": 300})
    assert rule(at(now)) == (None if tick is None else at(tick))


@pytest.mark.fault("F033")
def test_after_a_half_day_the_end_of_day_comes_early():
    rule = after_close(timedelta(minutes=20))
    assert rule(at("2025-11-28 18:19:59")) == at("2025-11-26 21:20:00")
    assert rule(at("2025-11-28 18:20:00")) == at("2025-11-28 18:20:00")
    assert rule(at("2025-11-30 12:00:00")) == at("2025-11-28 18:20:00")


@pytest.mark.fault("F034")
def test_ticks_follow_the_exchange_through_the_weeks_when_clocks_differ():
    """New York changes on 2026-03-08, London on 2026-03-29: each keeps its own hour."""
    york, london = before_open(timedelta(0)), before_open(timedelta(0), "XLON")
    days = ["2026-03-06", "2026-03-09", "2026-03-27", "2026-03-30"]
    assert [york(at(f"{day} 15:00")).strftime("%H:%M") for day in days] == [
        "14:30",
        "13:30",
        "13:30",
        "13:30",
    ]
    assert [london(at(f"{day} 15:00")).strftime("%H:%M") for day in days] == [
        "08:00",
        "08:00",
        "08:00",
        "07:00",
    ]


@pytest.mark.fault("F034")
def test_no_minute_is_lost_or_doubled_where_an_hour_repeats():
    """2025-10-26 Europe and 2025-11-02 America set their clocks back: UTC ticks stay unique."""
    rule = every({"open": 60})
    for day in ("2025-10-27", "2025-11-03"):
        start = at(f"{day} 00:00")
        ticks = [rule(start + timedelta(minutes=n)) for n in range(24 * 60)]
        seen = [tick for tick in ticks if tick is not None]
        assert len(seen) == len(set(seen)) == 390


@pytest.mark.parametrize(
    ("now", "tick"),
    [
        ("2024-03-28 20:59:59", "2024-03-22 21:00:00"),
        ("2024-03-28 21:00:00", "2024-03-28 21:00:00"),
        ("2024-04-05 20:59:59", "2024-03-28 21:00:00"),
        ("2024-04-05 21:00:00", "2024-04-05 21:00:00"),
        ("2024-11-30 12:00:00", "2024-11-29 19:00:00"),
    ],
    ids=["before Good Friday", "its eve", "a week on", "a Friday", "a half day"],
)
def test_once_a_week_after_the_last_close_of_the_week(now, tick):
    assert after_week(timedelta(minutes=60))(at(now)) == at(tick)


def test_a_week_without_a_gap_has_missed_nothing():
    week = 5 * 390 * 60
    assert count_missed(at("2024-03-22 21:00"), at("2024-03-28 21:00"), week) == 0
    assert count_missed(at("2024-03-22 21:00"), at("2024-04-12 21:00"), week) == 1


def test_before_the_open_the_newest_session_counts():
    rule = before_open(timedelta(minutes=90))
    assert rule(at("2027-01-12 12:59:59")) == at("2027-01-11 13:00:00")
    assert rule(at("2027-01-12 13:00:00")) == at("2027-01-12 13:00:00")
    assert rule(at("2027-01-17 13:00:00")) == at("2027-01-15 13:00:00")


def test_missed_ticks_are_counted_in_trading_time():
    friday, tuesday = at("2027-01-15 20:59:00"), at("2027-01-19 14:31:00")
    assert count_missed(friday, tuesday, 60) == 1
    assert count_missed(at("2027-01-14 21:20"), at("2027-01-19 21:20"), None) == 1
    assert count_missed(at("2027-01-07 21:20"), at("2027-01-12 21:20"), None) == 2
    assert count_missed(None, tuesday, 60) == 0
    assert count_missed(tuesday, tuesday, 60) == 0
