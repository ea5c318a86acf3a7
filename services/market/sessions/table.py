"""Owns reading a generated session table: regular hours, holidays, short days, extended hours."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, time
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from services.kit.errors import check, refuse

FOLDER = Path(__file__).resolve().parent
Hours = tuple[time, time]


@dataclass(frozen=True, slots=True)
class SessionTable:
    """One exchange from `first` to `last` (both inclusive), times in its own zone.

    `regular` holds the usual hours by the date they begin; `closed` weekdays without a session,
    `special` days with other hours, `extra` sessions on a weekend. `extended` is the local start
    of the early session and the hours of the late one; None where bars have no such session.
    """

    calendar: str
    zone: ZoneInfo
    first: date
    last: date
    regular: tuple[tuple[date, Hours], ...]
    closed: frozenset[date]
    special: dict[date, Hours]
    extra: frozenset[date]
    extended: tuple[time, int] | None

    def usual(self, day: date) -> Hours:
        """Return the usual opening hours in force on `day`."""
        at = bisect_right(self.regular, day, key=lambda entry: entry[0]) - 1
        check(at >= 0, "the table has hours for its first day", calendar=self.calendar)
        return self.regular[at][1]

    def hours(self, day: date) -> Hours | None:
        """Return local opening and closing time on `day`, None when there is no session."""
        if day in self.special:
            return self.special[day]
        trades = day in self.extra or (day.weekday() < 5 and day not in self.closed)
        return self.usual(day) if trades else None


@cache
def known_calendars() -> tuple[str, ...]:
    """Return the codes of the calendars that have a table, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("X*.txt")))


@cache
def load_table(calendar: str) -> SessionTable:
    """Return the table of a calendar code such as `XNYS`. Raises `CALENDAR_UNKNOWN`."""
    if calendar not in known_calendars():
        raise refuse("CALENDAR_UNKNOWN", kind="calendar", value=ascii(calendar)[1:-1][:40])
    lines = (FOLDER / f"{calendar}.txt").read_text(encoding="ascii").splitlines()
    return build_table(calendar, lines)


def build_table(calendar: str, lines: list[str]) -> SessionTable:
    """Return the table written as `lines`: a word and its values, `#` begins a remark."""
    words: dict[str, list[list[str]]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            word, *values = line.split()
            words.setdefault(word, []).append(values)
    return SessionTable(
        calendar=calendar,
        zone=ZoneInfo(words["zone"][0][0]),
        first=date.fromisoformat(words["range"][0][0]),
        last=date.fromisoformat(words["range"][0][1]),
        regular=tuple((date.fromisoformat(day), _hours(text)) for day, text in words["regular"]),
        closed=frozenset(_days(words.get("closed", []))),
        special={
            day: _hours(text)
            for year, *items in words.get("special", [])
            for day, text in (_dated(year, item) for item in items)
        },
        extra=frozenset(_days(words.get("extra", []))),
        extended=_extended(words.get("extended")),
    )


def _extended(found: list[list[str]] | None) -> tuple[time, int] | None:
    return (time.fromisoformat(found[0][0]), int(found[0][1])) if found else None


def _days(lines: list[list[str]]) -> list[date]:
    return [_day(year, item) for year, *items in lines for item in items]


def _day(year: str, month_day: str) -> date:
    return date(int(year), int(month_day[:2]), int(month_day[2:]))


def _dated(year: str, item: str) -> tuple[date, str]:
    return _day(year, item[:4]), item[5:]


def _hours(text: str) -> Hours:
    opens, closes = text.split("-")
    return time.fromisoformat(opens), time.fromisoformat(closes)
