"""Owns earnings dates of Massive: two partners' calendars, each bought apart from the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.kit.clock import Clock
from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.earnings import EarningsEvent
from services.market.feed import Capability
from services.market.fetching import Fetched
from services.market.link import Ask, Link
from services.market.quote import Provenance

_TTL_S = 3_600.0


@dataclass(frozen=True, slots=True)
class _Calendar:
    """One partner's calendar."""

    name: str
    product: str
    path: str
    sort: str


_CALENDARS = (
    _Calendar("benzinga", "Benzinga earnings", "/benzinga/v1/earnings", "date.asc"),
    _Calendar("tmx", "TMX corporate events", "/tmx/v1/corporate-events", "date.asc"),
)


class MassiveEarnings:
    """The earnings dates of one account; a calendar that was not bought is not asked again."""

    def __init__(self, link: Link, clock: Clock, source: str) -> None:
        self._link = link
        self._clock = clock
        self._source = source
        self._fetched = Fetched(clock, size_max=2_000)

    def events(
        self,
        ctx: Context,  # noqa: ARG002 - the port
        symbol: str,
        first: date,
        last: date,
    ) -> Sequence[EarningsEvent]:
        """Return what the calendars that were bought say; at most an hour old.

        Raises `PROVIDER_NOT_ENTITLED` when none was bought.
        """
        found: list[EarningsEvent] = []
        denied: list[Refusal] = []
        for calendar in _CALENDARS:
            try:
                found += self._get(calendar, symbol, first, last)
            except Refusal as refusal:
                if refusal.code != "PROVIDER_NOT_ENTITLED":
                    raise
                denied.append(refusal)
        if len(denied) == len(_CALENDARS):
            raise denied[0]
        return found

    def capability(self) -> Capability:
        """Return whether a calendar was bought, as far as answers said."""
        products = {calendar.product: "earnings dates" for calendar in _CALENDARS}
        said = self._link.record(self._source, Provenance.SNAPSHOT, products).products
        return next((one for one in said if one.on), said[0])

    def _get(
        self, calendar: _Calendar, symbol: str, first: date, last: date
    ) -> Sequence[EarningsEvent]:
        key = (calendar.name, symbol, first, last)
        return self._fetched.get(key, _TTL_S, lambda: self._ask(calendar, symbol, first, last))

    def _ask(
        self, calendar: _Calendar, symbol: str, first: date, last: date
    ) -> tuple[EarningsEvent, ...]:
        page = self._link.page(
            Ask(
                kind="earnings_event",
                product=calendar.product,
                path=calendar.path,
                template=calendar.path,
                params={
                    "ticker": symbol,
                    "date.gte": first.isoformat(),
                    "date.lte": last.isoformat(),
                    "limit": "100",
                    "sort": calendar.sort,
                },
                symbol=symbol,
            )
        )
        now = self._clock.now()
        return tuple(
            EarningsEvent(
                symbol=symbol,
                date=record["date"],
                time=record["time"],
                confirmed=record["confirmed"],
                provider=f"{self._source}/{calendar.name}",
                as_of=now,
            )
            for record in page.records
            if record["symbol"] == symbol and first <= record["date"] <= last
        )
