"""Owns exchange sessions: when a market opens and closes, in UTC, from the generated tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from services.kit.clock import require_utc
from services.kit.errors import fail, refuse
from services.market.sessions.table import SessionTable, load_table

_EDGE = timedelta(days=45)
"""How far a range may reach beyond the table, so that its outer weeks and months can be asked."""
_LONGEST_CLOSURE = 31
"""Days within which the next session is found; the longest closure in the tables is shorter."""


@dataclass(frozen=True, slots=True)
class Session:
    """The regular hours `[open, close)` of one exchange day, UTC; `half_day` closes early."""

    date: date
    open: datetime
    close: datetime
    half_day: bool

    @property
    def minutes(self) -> int:
        """Return the length in minutes: 390 on a usual New York day, 210 on a half day."""
        return (self.close - self.open) // timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MarketState:
    """What a market does at one instant.

    `session` is the one whose early, regular or late hours hold the instant, else None;
    `last_session` the newest that has opened; `next_open` the first open strictly after;
    `next_change` when `state` changes next.
    """

    state: Literal["open", "closed", "pre", "post"]
    session: Session | None
    last_session: Session | None
    next_open: datetime
    next_change: datetime


def session_on(calendar: str, day: date) -> Session | None:
    """Return the session of an exchange date, None on a holiday or weekend.

    Raises `CALENDAR_UNKNOWN` for an unknown calendar and for dates outside its table.
    Worked: XNYS 2025-11-28 is 14:30 to 18:00 UTC, a half day.
    """
    table = load_table(calendar)
    if not table.first <= day <= table.last:
        raise refuse("CALENDAR_UNKNOWN", kind=f"{calendar} date", value=day.isoformat())
    return _session(calendar, day)


def get_session(calendar: str, day: date) -> Session:
    """Return the session of a date that is known to have one; anything else is a bug."""
    found = session_on(calendar, day)
    if found is None:
        fail("this date has a session", calendar=calendar, day=day)
    return found


@lru_cache(maxsize=16384)
def _session(calendar: str, day: date) -> Session | None:
    table = load_table(calendar)
    hours = table.hours(day)
    if hours is None:
        return None
    opens, closes = (_utc(day, at, table.zone) for at in hours)
    return Session(day, opens, closes, hours[1] < table.usual(day)[1])


def local_text(calendar: str, at: datetime, pattern: str = "%Y-%m-%d %H:%M %Z") -> str:
    """Return an instant as the exchange's own clock shows it, with its zone; for words only.

    Worked: 2027-01-15 21:00 UTC is `2027-01-15 16:00 EST` of XNYS.
    """
    return f"{require_utc(at).astimezone(load_table(calendar).zone):{pattern}}"


def _utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def sessions_between(calendar: str, first: date, last: date) -> list[Session]:
    """Return the sessions of the dates `first` to `last`, both inclusive, ascending.

    A range may reach 45 days beyond the table, where there is nothing to return.
    Raises `CALENDAR_UNKNOWN`.
    """
    table = load_table(calendar)
    for day in (first, last):
        if not table.first - _EDGE <= day <= table.last + _EDGE:
            raise refuse("CALENDAR_UNKNOWN", kind=f"{calendar} date", value=day.isoformat())
    low, high = max(first, table.first), min(last, table.last)
    days = (low + timedelta(days=n) for n in range((high - low).days + 1))
    return [found for day in days if (found := _session(calendar, day)) is not None]


def next_session(calendar: str, after: datetime) -> Session:
    """Return the first session that opens strictly after `after`. Raises `CALENDAR_UNKNOWN`."""
    day = _local_date(load_table(calendar), after)
    for step in range(_LONGEST_CLOSURE):
        found = session_on(calendar, day + timedelta(days=step))
        if found is not None and found.open > after:
            return found
    raise refuse("CALENDAR_UNKNOWN", kind=f"{calendar} session after", value=str(after))


def find_last_session(calendar: str, at: datetime) -> Session | None:
    """Return the newest session with `open <= at`; None before the table's first one."""
    table = load_table(calendar)
    day = _local_date(table, at)
    for step in range(_LONGEST_CLOSURE):
        if day - timedelta(days=step) < table.first:
            return None
        found = session_on(calendar, day - timedelta(days=step))
        if found is not None and found.open <= at:
            return found
    return None


def market_state(calendar: str, at: datetime) -> MarketState:
    """Return what the market of `calendar` does at `at`; an open or close instant begins a state.

    Early and late hours exist where the table has them: New York from 04:00, and four hours after
    the close. Raises `CALENDAR_UNKNOWN`.
    """
    table = load_table(calendar)
    today = session_on(calendar, _local_date(table, at))
    coming = next_session(calendar, at)
    last = find_last_session(calendar, at)
    if today is not None:
        starts, ends = _extended(table, today)
        spans: tuple[tuple[Literal["pre", "open", "post"], datetime, datetime], ...] = (
            ("pre", starts, today.open),
            ("open", today.open, today.close),
            ("post", today.close, ends),
        )
        for state, low, high in spans:
            if low <= at < high:
                return MarketState(state, today, last, coming.open, high)
    return MarketState("closed", None, last, coming.open, _extended(table, coming)[0])


def _extended(table: SessionTable, session: Session) -> tuple[datetime, datetime]:
    if table.extended is None:
        return session.open, session.close
    starts, hours = table.extended
    return (_utc(session.date, starts, table.zone), session.close + timedelta(hours=hours))


def trading_minutes(calendar: str, start: datetime, end: datetime) -> int:
    """Return the whole minutes of regular session in `[start, end)`, rounded down; 0 if reversed.

    Worked: XNYS from Friday's close 21:00Z to Sunday 15:00Z is 0. Raises `CALENDAR_UNKNOWN`.
    """
    if end <= start:
        return 0
    table = load_table(calendar)
    sessions = sessions_between(calendar, _local_date(table, start), _local_date(table, end))
    spans = (min(session.close, end) - max(session.open, start) for session in sessions)
    return sum((max(span, timedelta()) for span in spans), timedelta()) // timedelta(minutes=1)


def _local_date(table: SessionTable, at: datetime) -> date:
    return require_utc(at).astimezone(table.zone).date()
