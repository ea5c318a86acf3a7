"""Owns time: the clock port, the system clock, a hand-set clock, and the text form of instants."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the product's time comes from; the only source of `now` outside rules."""

    def now(self) -> datetime:
        """Return the wall time, UTC and aware."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; for durations and deadlines only."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the wall time, UTC, cut to microseconds."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()


class HandClock:
    """A clock that moves only when told to; tests and replays run on it."""

    def __init__(self, start: datetime) -> None:
        self._now = require_utc(start)
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the set time."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds advanced so far; `set` does not move it."""
        return self._elapsed

    def advance(self, **delta: float) -> datetime:
        """Move forward by `timedelta(**delta)` and return the new time."""
        step = timedelta(**delta)
        self._now += step
        self._elapsed += max(0.0, step.total_seconds())
        return self._now

    def set(self, now: datetime) -> None:
        """Jump to `now`, back too; the monotonic reading stays."""
        self._now = require_utc(now)


def require_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; raise `ValueError` when it carries no zone."""
    if moment.tzinfo is None:
        raise ValueError(f"naive time {moment.isoformat()}: give it a zone")
    return moment.astimezone(UTC)


def instant_text(moment: datetime) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS.mmmZ`, milliseconds cut; the form in hashed documents.

    Worked: 2025-11-21 15:00:00.000999 UTC is `2025-11-21T15:00:00.000Z`.
    """
    return f"{require_utc(moment).isoformat(timespec='milliseconds')[:-6]}Z"


def parse_instant(text: str) -> datetime:
    """Return the aware UTC time of an ISO 8601 text with a zone; raise `ValueError` otherwise."""
    return require_utc(datetime.fromisoformat(text))


def to_micros(moment: datetime) -> int:
    """Return whole microseconds since 1970 UTC; the stored form of every instant."""
    return (require_utc(moment) - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the UTC time of stored microseconds."""
    return EPOCH + timedelta(microseconds=micros)
