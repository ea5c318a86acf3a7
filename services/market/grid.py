"""Owns the grid of a timeframe: session-anchored windows in which bars of a calendar may lie."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from services.kit.errors import check, refuse
from services.market.session import Session, sessions_between

MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "60m": 60, "240m": 240}
TIMEFRAMES = (*MINUTES, "1d", "1w", "1mo")
"""Every timeframe there is, from the finest to the coarsest."""


@dataclass(frozen=True, slots=True)
class Window:
    """The time `[opens, closes)` of one bar, UTC."""

    opens: datetime
    closes: datetime


def require_buildable(from_tf: str, to_tf: str) -> None:
    """Refuse a resampling that can not be exact.

    Raises `TIMEFRAME_UNSUPPORTED` for an unknown timeframe and for weeks to months (a week may
    lie in two months), `RESAMPLE_UP` when the target is finer than the source.
    """
    facts = {"from": from_tf, "to": to_tf}
    if from_tf not in TIMEFRAMES or to_tf not in TIMEFRAMES:
        raise refuse("TIMEFRAME_UNSUPPORTED", **facts)
    if TIMEFRAMES.index(to_tf) < TIMEFRAMES.index(from_tf):
        raise refuse("RESAMPLE_UP", **facts)
    if (from_tf, to_tf) == ("1w", "1mo"):
        raise refuse("TIMEFRAME_UNSUPPORTED", **facts)


def build_buckets(session: Window, minutes: int) -> list[Window]:
    """Return the windows of `minutes` from the open on; the last one is cut at the close.

    Raises `PARAM_INVALID` for minutes below 1. Worked: 2026-03-09 XNYS by 240 minutes is
    13:30-17:30 and 17:30-20:00 UTC.
    """
    if minutes < 1:
        raise refuse("PARAM_INVALID", name="minutes", value=minutes, rule="must be 1 or more")
    step = timedelta(minutes=minutes)
    count = -((session.opens - session.closes) // step)
    return [_bucket(session, step, at) for at in range(count)]


def _bucket(session: Window, step: timedelta, at: int) -> Window:
    opens = session.opens + at * step
    return Window(opens, min(opens + step, session.closes))


class Grid:
    """The windows of one timeframe over some sessions; finds the one that holds an instant."""

    def __init__(self, timeframe: str, sessions: Sequence[Session]) -> None:
        if timeframe not in TIMEFRAMES:
            raise refuse("TIMEFRAME_UNSUPPORTED", **{"from": timeframe, "to": timeframe})
        self.timeframe = timeframe
        self._minutes = MINUTES.get(timeframe)
        self._windows = _base_windows(timeframe, sessions)
        self._opens = [window.opens for window in self._windows]
        check(self._opens == sorted(self._opens), "sessions ascend")

    def find_window(self, moment: datetime) -> Window | None:
        """Return the window with `opens <= moment < closes`; None outside regular hours."""
        at = bisect_right(self._opens, moment) - 1
        if at < 0 or moment >= self._windows[at].closes:
            return None
        window = self._windows[at]
        if self._minutes is None:
            return window
        step = timedelta(minutes=self._minutes)
        return _bucket(window, step, (moment - window.opens) // step)

    def count_windows(self, start: datetime, end: datetime) -> int:
        """Return how many windows open in `[start, end)`."""
        if self._minutes is None:
            return sum(1 for opens in self._opens if start <= opens < end)
        step = timedelta(minutes=self._minutes)
        total = 0
        for window in self._windows:
            first = -((window.opens - max(start, window.opens)) // step)
            last = -((window.opens - min(end, window.closes)) // step)
            total += max(0, last - first)
        return total


def _base_windows(timeframe: str, sessions: Sequence[Session]) -> list[Window]:
    if timeframe == "1w":
        return [_span(list(group)) for _, group in groupby(sessions, key=_week)]
    if timeframe == "1mo":
        return [_span(list(group)) for _, group in groupby(sessions, key=_month)]
    return [Window(session.open, session.close) for session in sessions]


def _week(session: Session) -> tuple[int, int]:
    year, week, _ = session.date.isocalendar()
    return year, week


def _month(session: Session) -> tuple[int, int]:
    return session.date.year, session.date.month


def _span(group: list[Session]) -> Window:
    return Window(group[0].open, group[-1].close)


def load_grid(calendar: str, timeframe: str, first: datetime, last: datetime) -> Grid:
    """Return the grid that covers `first` to `last`, whole weeks and months included.

    Raises `CALENDAR_UNKNOWN`, `TIMEFRAME_UNSUPPORTED`.
    """
    low, high = whole_periods(first.date(), last.date())
    return Grid(timeframe, sessions_between(calendar, low, high))


def whole_periods(first: date, last: date) -> tuple[date, date]:
    """Return the dates of the whole weeks and months around `first`..`last`, a day wider.

    A session may open on the UTC date before its own (Sydney), so one day is added first.
    """
    low, high = first - timedelta(days=1), last + timedelta(days=1)
    month_end = (high.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    monday = low - timedelta(days=low.weekday())
    sunday = high + timedelta(days=6 - high.weekday())
    return min(low.replace(day=1), monday), max(month_end, sunday)
