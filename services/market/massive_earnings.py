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


_CALENDARS = (
    _Calendar("benzinga", "Benzinga earnings", "/benzinga/v1/earnings"),
    _Calendar("tmx", "TMX corporate events", "/tmx/v1/corporate-events"),
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
        symbols: Sequence[str],
        first: date,
        last: date,
    ) -> Sequence[EarningsEvent]:
        """Return what the calendars that were bought say, each asked once; at most an hour old.

        Raises `PROVIDER_NOT_ENTITLED` when none was bought.
        """
        found: list[EarningsEvent] = []
        denied: list[Refusal] = []
        for calendar in _CALENDARS:
            try:
                found += self._get(calendar, tuple(symbols), first, last)
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
        self, calendar: _Calendar, symbols: tuple[str, ...], first: date, last: date
    ) -> Sequence[EarningsEvent]:
        key = (calendar.name, symbols, first, last)
        return self._fetched.get(key, _TTL_S, lambda: self._ask(calendar, symbols, first, last))

    def _ask(
        self, calendar: _Calendar, symbols: tuple[str, ...], first: date, last: date
    ) -> tuple[EarningsEvent, ...]:
        page = self._link.pages(
            Ask(
                kind="earnings_event",
                product=calendar.product,
                path=calendar.path,
                template=calendar.path,
                params={
                    "ticker.any_of": ",".join(symbols),
                    "date.gte": first.isoformat(),
                    "date.lte": last.isoformat(),
                    "limit": "1000",
                    "sort": "date.asc",
                },
            )
        )
        now = self._clock.now()
        return tuple(
            EarningsEvent(
                symbol=record["symbol"],
                date=record["date"],
                time=record["time"],
                confirmed=record["confirmed"],
                provider=f"{self._source}/{calendar.name}",
                as_of=now,
            )
            for record in page.records
            if record["symbol"] in symbols and first <= record["date"] <= last
        )
