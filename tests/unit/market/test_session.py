"""Sessions: the generated tables say what the exchange calendars say, daylight saving included."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.kit.errors import InvariantBroken, Refusal
from services.market.session import (
    find_last_session,
    get_session,
    market_state,
    next_session,
    session_on,
    sessions_between,
    trading_minutes,
)
from services.market.sessions.build import CALENDARS, FIRST, LAST, build_lines, read_schedule
from services.market.sessions.table import FOLDER, known_calendars

pandas_warns = pytest.mark.filterwarnings("ignore:Series.values returning")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pandas_warns
@pytest.mark.parametrize("calendar", ["XNYS", "XLON"])
def test_every_session_and_table_line_is_that_of_the_exchange_calendar(calendar):
    library = pytest.importorskip("exchange_calendars", reason="exchange_calendars is absent")
    schedule = library.get_calendar(calendar, start=str(FIRST), end=str(LAST)).schedule
    theirs = [
        (day.date(), row["open"].to_pydatetime(), row["close"].to_pydatetime())
        for day, row in schedule.iterrows()
    ]
    ours = [(one.date, one.open, one.close) for one in sessions_between(calendar, FIRST, LAST)]
    assert ours == theirs
    assert len(ours) > 7200
    written = (FOLDER / f"{calendar}.txt").read_text().splitlines()
    assert written == build_lines(calendar, *read_schedule(calendar))


@pandas_warns
@pytest.mark.prove
@pytest.mark.parametrize("calendar", [one for one in CALENDARS if one not in ("XNYS", "XLON")])
def test_the_other_tables_are_what_their_builder_writes(calendar):
    pytest.importorskip("exchange_calendars", reason="exchange_calendars is absent")
    written = (FOLDER / f"{calendar}.txt").read_text().splitlines()
    assert written == build_lines(calendar, *read_schedule(calendar))


def test_only_built_calendars_have_a_table():
    assert known_calendars() == CALENDARS


@pytest.mark.fault("F034")
@pytest.mark.parametrize(
    ("calendar", "day", "opens", "closes", "half"),
    [
        ("XNYS", "2026-03-06", "2026-03-06T14:30", "2026-03-06T21:00", False),
        ("XNYS", "2026-03-09", "2026-03-09T13:30", "2026-03-09T20:00", False),
        ("XLON", "2026-03-09", "2026-03-09T08:00", "2026-03-09T16:30", False),
        ("XLON", "2026-03-30", "2026-03-30T07:00", "2026-03-30T15:30", False),
        ("XNYS", "2025-10-27", "2025-10-27T13:30", "2025-10-27T20:00", False),
        ("XLON", "2025-10-27", "2025-10-27T08:00", "2025-10-27T16:30", False),
        ("XNYS", "2025-11-28", "2025-11-28T14:30", "2025-11-28T18:00", True),
        ("XNYS", "2025-12-24", "2025-12-24T14:30", "2025-12-24T18:00", True),
        ("XLON", "2025-12-24", "2025-12-24T08:00", "2025-12-24T12:30", True),
        ("XNYS", "2012-07-03", "2012-07-03T13:30", "2012-07-03T17:00", True),
    ],
)
def test_hours_follow_daylight_saving_and_half_days(calendar, day, opens, closes, half):
    session = session_on(calendar, date.fromisoformat(day))
    assert session is not None
    assert (session.open, session.close, session.half_day) == (utc(opens), utc(closes), half)
    assert not half or session.minutes < 300


@pytest.mark.parametrize(
    "day", ["2012-10-29", "2012-10-30", "2001-09-11", "2026-07-03", "2012-01-07", "2025-01-09"]
)
def test_holidays_storms_and_weekends_have_no_session(day):
    assert session_on("XNYS", date.fromisoformat(day)) is None


@pytest.mark.parametrize("calendar", ["XXXX", "", "xnys", "../XNYS", "XNYS\n", "X*"])
def test_unknown_calendar_is_refused(calendar):
    with pytest.raises(Refusal) as told:
        session_on(calendar, date(2026, 1, 5))
    assert told.value.code == "CALENDAR_UNKNOWN"


@pytest.mark.parametrize("day", [date(1999, 12, 31), date(2029, 1, 1), date.max])
def test_a_date_outside_the_table_is_refused_not_guessed(day):
    with pytest.raises(Refusal, match="CALENDAR_UNKNOWN"):
        session_on("XNYS", day)


def test_a_range_may_pass_the_edge_of_the_table_by_a_month():
    assert sessions_between("XNYS", date(1999, 12, 20), date(2000, 1, 4))[0].date == date(
        2000, 1, 3
    )
    with pytest.raises(Refusal, match="CALENDAR_UNKNOWN"):
        sessions_between("XNYS", date(1990, 1, 1), date(2000, 1, 4))


def test_a_date_that_must_have_a_session_is_a_bug_without_one():
    with pytest.raises(InvariantBroken):
        get_session("XNYS", date(2012, 1, 7))


@pytest.mark.fault("F033")
@pytest.mark.parametrize(
    ("at", "state", "next_open", "next_change"),
    [
        ("2025-11-28T08:59:59", "closed", "2025-11-28T14:30", "2025-11-28T09:00"),
        ("2025-11-28T09:00:00", "pre", "2025-11-28T14:30", "2025-11-28T14:30"),
        ("2025-11-28T14:30:00", "open", "2025-12-01T14:30", "2025-11-28T18:00"),
        ("2025-11-28T17:59:59", "open", "2025-12-01T14:30", "2025-11-28T18:00"),
        ("2025-11-28T18:00:00", "post", "2025-12-01T14:30", "2025-11-28T22:00"),
        ("2025-11-28T18:01:00", "post", "2025-12-01T14:30", "2025-11-28T22:00"),
        ("2025-11-28T22:00:00", "closed", "2025-12-01T14:30", "2025-12-01T09:00"),
        ("2025-11-30T15:00:00", "closed", "2025-12-01T14:30", "2025-12-01T09:00"),
    ],
)
def test_state_of_the_market_around_a_half_day(at, state, next_open, next_change):
    found = market_state("XNYS", utc(at))
    assert (found.state, found.next_open, found.next_change) == (
        state,
        utc(next_open),
        utc(next_change),
    )


def test_state_knows_the_session_it_is_in_and_the_last_one():
    sunday = market_state("XNYS", utc("2025-11-30T15:00"))
    assert sunday.session is None
    assert sunday.last_session is not None
    assert sunday.last_session.date == date(2025, 11, 28)
    early = market_state("XNYS", utc("2025-12-01T10:00"))
    assert early.session is not None
    assert early.session.date == date(2025, 12, 1)
    assert early.last_session is not None
    assert early.last_session.date == date(2025, 11, 28)


def test_london_has_no_early_or_late_hours_here():
    assert market_state("XLON", utc("2026-03-09T07:59:59")).state == "closed"
    assert market_state("XLON", utc("2026-03-09T16:30:00")).state == "closed"


def test_next_session_opens_strictly_after():
    opens = utc("2026-03-09T13:30")
    assert next_session("XNYS", opens).date == date(2026, 3, 10)
    assert next_session("XNYS", opens - timedelta(microseconds=1)).open == opens


def test_last_session_begins_with_its_open():
    opens = utc("2026-03-09T13:30")
    assert find_last_session("XNYS", opens).date == date(2026, 3, 9)
    assert find_last_session("XNYS", opens - timedelta(seconds=1)).date == date(2026, 3, 6)
    assert find_last_session("XNYS", utc("2000-01-03T14:00")) is None


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-03-06T21:00", "2026-03-08T15:00", 0),
        ("2026-03-09T15:00", "2026-03-09T15:07", 7),
        ("2026-03-09T15:00", "2026-03-09T15:07:59", 7),
        ("2026-03-06T20:30", "2026-03-09T14:00", 60),
        ("2025-11-28T00:00", "2025-11-29T00:00", 210),
        ("2026-03-09T15:07", "2026-03-09T15:00", 0),
    ],
)
def test_trading_minutes_count_regular_hours_only(start, end, minutes):
    assert trading_minutes("XNYS", utc(start), utc(end)) == minutes


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="zone"):
        market_state("XNYS", datetime(2026, 3, 9, 15, 0))
