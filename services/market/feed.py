"""Owns the market-data port: what every feed answers, whoever provides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from services.kit.context import Context
from services.market.bar import Bar
from services.market.instrument import Instrument
from services.market.quote import Provenance, Quote

if TYPE_CHECKING:
    from services.market.provider import ProviderRecord

COUNT_MAX = 5000
"""Bound of one request for bars: twenty years of days."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One bar that can not be true: its start, the code of the finding, and what was found."""

    t: datetime
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class BarSeries:
    """Bars of one instrument, ascending, none later than `as_of`, with what a citation needs.

    `left_out` names the bars that are missing because they can not be true.
    """

    symbol: str
    timeframe: str
    bars: tuple[Bar, ...]
    provenance: Provenance
    source: str
    as_of: datetime
    bar_hash: str
    dataset: str = ""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """One trade, and the best bid and ask just after it."""

    ts: datetime
    price: Decimal
    size: Decimal
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class Split:
    """`ratio_to` new units for `ratio_from` old ones, from the open of `ex_date` on."""

    ex_date: date
    effective_at: datetime
    ratio_from: int
    ratio_to: int


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether a feature is on, why, and what would turn it on."""

    feature: str
    on: bool
    why: str
    todo: str = ""


class Feed(Protocol):
    """Where market data come from. Symbols may be `AAPL` or `XNAS:AAPL`.

    Every method may raise `FEATURE_OFF`; those that take a symbol raise `PARAM_INVALID` for text
    that is no symbol and `SYMBOL_UNKNOWN` (facts: `nearest`, three names) for one unknown.
    """

    @property
    def name(self) -> str:
        """Return the provider's name, as citations show it."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Return how real this feed's quotes are."""
        ...

    def as_of(self, ctx: Context) -> datetime:
        """Return the market's time: the only "now" of prices, the same within a unit of work."""
        ...

    def instruments(self, ctx: Context) -> Sequence[Instrument]:
        """Return every instrument known at `as_of`, by symbol."""
        ...

    def instrument(self, ctx: Context, symbol: str) -> Instrument:
        """Return one instrument."""
        ...

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Return the newest quote; `QUOTE_UNUSABLE` when there is none yet."""
        ...

    def bars(
        self,
        ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,
    ) -> BarSeries:
        """Return the newest `count` bars (1 to 5000), split-adjusted; fewer where history ends.

        Only complete bars, unless `include_partial` adds the one in progress at the end.
        Raises `TIMEFRAME_UNSUPPORTED` and `PARAM_INVALID`.
        """
        ...

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> Sequence[Tick]:
        """Return the trades with `after < ts <= until`, ascending; none later than `as_of`."""
        ...

    def splits(
        self, ctx: Context, symbol: str, after: datetime, until: datetime
    ) -> Sequence[Split]:
        """Return the splits with `after < effective_at <= until`, none later than `as_of`."""
        ...

    def capability(self) -> Capability:
        """Return whether this feed works; never raises."""
        ...

    def record(self) -> ProviderRecord:
        """Return the record of whoever provides this feed; asks nobody and never raises."""
        ...

    def probe(self) -> None:
        """Ask one cheap question, so that the record tells whether the key works; never raises."""
        ...
