"""Owns what one message of a market stream holds: trades, quotes, bars, values and statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class StreamTrade:
    """One trade; `key` tells it from every other trade of its symbol, also when sent again."""

    symbol: str
    price: Decimal
    size: Decimal
    ts: datetime
    conditions: tuple[str, ...] = ()
    seq: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class StreamQuote:
    """Best bid and ask, sizes in shares or contracts; a side that nobody quotes is None."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    ts: datetime
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBar:
    """The provider's own bar of a second or a minute; an index has no volume (`v` is 0)."""

    symbol: str
    t_open: datetime
    t_close: datetime
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter, as in every feed
    c: Decimal
    v: Decimal
    vw: Decimal | None = None
    span: Literal["second", "minute"] = "minute"


@dataclass(frozen=True, slots=True)
class StreamValue:
    """The value of an index, or a provider's fair value of a contract."""

    symbol: str
    value: Decimal
    ts: datetime
    kind: Literal["index", "fair"] = "index"


@dataclass(frozen=True, slots=True)
class StreamBand:
    """The limits that a stock may trade within (limit up, limit down)."""

    symbol: str
    high: Decimal
    low: Decimal
    ts: datetime
    indicators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What the server says of the connection itself."""

    status: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message, its rows in the order sent; `dropped` counts rows that say why in their name.

    The reasons: `unknown` (an event this product does not read), `invalid` (fields missing or of
    another form, a price at or below 0) and `clock_skew` (a time after the receiver's own).
    """

    received_at: datetime
    trades: Sequence[StreamTrade] = ()
    quotes: Sequence[StreamQuote] = ()
    bars: tuple[StreamBar, ...] = ()
    values: tuple[StreamValue, ...] = ()
    bands: tuple[StreamBand, ...] = ()
    statuses: tuple[StreamStatus, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_values(self) -> bool:
        """Return whether anything of the market came, rather than a word about the connection."""
        return bool(self.trades or self.quotes or self.bars or self.values or self.bands)
