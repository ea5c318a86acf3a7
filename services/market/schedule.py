"""Owns when a job is due: pure rules over the market's time and its sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from services.kit.clock import EPOCH
from services.market.session import (
    find_last_session,
    market_state,
    next_session,
    sessions_between,
    trading_minutes,
)

Mode = Literal["pre", "open", "post", "closed"]
Tick = Callable[[datetime], datetime | None]
"""From market time to the newest tick at or before it; None when there is nothing to do."""
CALENDAR = "XNYS"


def every(periods: Mapping[Mode, int], calendar: str = CALENDAR) -> Tick:
    """Return ticks at whole multiples of the period (seconds) of the market's mode.

    A mode that is not named has no ticks.
    Worked: 60 s while open gives 14:31:00 at 14:31:45, and nothing on a Sunday.
    """

    def tick(now: datetime) -> datetime | None:
        period = periods.get(market_state(calendar, now).state)
        if period is None:
            return None
        return now - (now - EPOCH) % timedelta(seconds=period)

    return tick


def after_close(grace: timedelta, calendar: str = CALENDAR) -> Tick:
    """Return one tick per session: its close and the grace; half days close early.

    Worked: 30 minutes of grace give 2025-11-28 18:30Z for the half day after Thanksgiving.
    """

    def tick(now: datetime) -> datetime | None:
        session = find_last_session(calendar, now)
        if session is not None and session.close + grace > now:
            session = find_last_session(calendar, session.open - timedelta(microseconds=1))
        return None if session is None else session.close + grace

    return tick


def after_week(grace: timedelta, calendar: str = CALENDAR) -> Tick:
    """Return one tick per week: the close of its last session, and the grace.

    Worked: 60 minutes give Thursday 2024-03-28 21:00Z for the week of Good Friday.
    """

    def tick(now: datetime) -> datetime | None:
        session = find_last_session(calendar, now)
        while session is not None:
            due = session.close + grace
            coming = next_session(calendar, session.close)
            if due <= now and coming.date.isocalendar()[:2] != session.date.isocalendar()[:2]:
                return due
            session = find_last_session(calendar, session.open - timedelta(microseconds=1))
        return None

    return tick


def before_open(lead: timedelta, calendar: str = CALENDAR) -> Tick:
    """Return one tick per session: its open less the lead. Worked: 90 minutes give 13:00Z."""

    def tick(now: datetime) -> datetime | None:
        coming = next_session(calendar, now).open - lead
        if coming <= now:
            return coming
        session = find_last_session(calendar, now)
        return None if session is None else session.open - lead

    return tick


def count_missed(last: datetime | None, tick: datetime, period_s: int | None) -> int:
    """Return how many ticks lie between the last run's and this one; one run stands for them all.

    With a period in seconds those of trading time, without one the sessions; 0 for a first run.
    Worked: daily, from Thursday's tick to Tuesday's over a weekend, 2 were missed.
    """
    if last is None or last >= tick:
        return 0
    if period_s is not None:
        return max(0, trading_minutes(CALENDAR, last, tick) * 60 // period_s - 1)
    days = sessions_between(CALENDAR, last.date(), tick.date())
    return max(0, len(days) - 2)
