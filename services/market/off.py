"""Owns the feed that is off: no provider and no replay, so every request says why."""

# ruff: noqa: ARG002 - every request is refused, whatever it asks for
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from services.kit.context import Context
from services.kit.errors import refuse
from services.market.feed import BarSeries, Capability, Split, Tick
from services.market.instrument import Instrument
from services.market.provider import ProviderRecord
from services.market.quote import Provenance, Quote


class OffFeed:
    """Answers every request with `FEATURE_OFF`, its `reason`, and what to do about it."""

    name = "off"

    def __init__(self, reason: str, todo: str) -> None:
        self._reason = reason
        self._todo = todo

    def _refuse(self) -> NoReturn:
        raise refuse("FEATURE_OFF", feature="market data", reason=self._reason, todo=self._todo)

    @property
    def provenance(self) -> Provenance:
        """Refuse: nothing has a provenance here."""
        self._refuse()

    def as_of(self, ctx: Context) -> datetime:
        """Refuse: without a feed there is no market time."""
        self._refuse()

    def instruments(self, ctx: Context) -> Sequence[Instrument]:
        """Refuse."""
        self._refuse()

    def instrument(self, ctx: Context, symbol: str) -> Instrument:
        """Refuse."""
        self._refuse()

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Refuse."""
        self._refuse()

    def bars(
        self,
        ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,
    ) -> BarSeries:
        """Refuse."""
        self._refuse()

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> Sequence[Tick]:
        """Refuse."""
        self._refuse()

    def splits(
        self, ctx: Context, symbol: str, after: datetime, until: datetime
    ) -> Sequence[Split]:
        """Refuse."""
        self._refuse()

    def capability(self) -> Capability:
        """Return that market data are off, why, and what to do."""
        return Capability("market data", on=False, why=self._reason, todo=self._todo)

    def record(self) -> ProviderRecord:
        """Return that nobody provides market data, why, and what to do."""
        return ProviderRecord(name=self.name, host="", on=False, why=self._reason, todo=self._todo)

    def probe(self) -> None:
        """Ask nobody: there is nobody to ask."""
