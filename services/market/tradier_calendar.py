"""Owns comparing Tradier's trading calendar with the session tables that everything ages by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.kit.clock import Clock
from services.market.decode import EASTERN, Record
from services.market.feed import Capability
from services.market.link import Ask, Link
from services.market.session import session_on
from services.market.vendor_listing import US_CALENDAR

_PATH = "/v1/markets/calendar"


class CalendarCheck:
    """The outcome of the last comparison; empty before the first."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._found: tuple[Capability, ...] = ()

    def findings(self) -> tuple[Capability, ...]:
        """Return one row that says whether both calendars agree."""
        return self._found

    def run(self) -> None:
        """Compare the month of now. Raises `PROVIDER_*`."""
        today = self._clock.now().astimezone(EASTERN).date()
        ask = Ask(
            kind="calendar_day",
            product="calendar",
            path=_PATH,
            template=_PATH,
            params={"month": str(today.month), "year": str(today.year)},
        )
        differences = find_differences(self._link.page(ask).records)
        if differences:
            why = f"differs from the session tables: {'; '.join(differences[:3])}"
            todo = "Do not trade on these days before the exchange's own calendar was read."
            self._found = (Capability("session tables", on=False, why=why, todo=todo),)
        else:
            why = f"Tradier's calendar of {today:%Y-%m} agrees"
            self._found = (Capability("session tables", on=True, why=why),)


def find_differences(records: Sequence[Record]) -> list[str]:
    """Return the days on which a calendar and the session tables disagree, in words."""
    found = []
    for record in records:
        session = session_on(US_CALENDAR, record["date"])
        ours = None if session is None else (session.open, session.close)
        theirs = None if record["status"] == "closed" else (record["open"], record["close"])
        if ours != theirs:
            said = "closed" if theirs is None else _hours(*theirs)
            kept = "closed" if ours is None else _hours(*ours)
            found.append(f"{record['date'].isoformat()} is {said}, the tables say {kept}")
    return found


def _hours(opens: datetime | None, closes: datetime | None) -> str:
    return " to ".join(
        "?" if at is None else f"{at.astimezone(EASTERN):%H:%M}" for at in (opens, closes)
    )
