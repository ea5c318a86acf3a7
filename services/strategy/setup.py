"""Owns the setup: what a detector found, in real prices, and the key that makes it one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from services.kit.canonical import tagged_hash
from services.strategy.view import Side

EntryKind = Literal["market", "limit", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """When a setup is over: minutes after the open, the session's end, or bars or sessions later.

    `count` is of that unit; 0 for the end of the session.
    """

    unit: Literal["minutes", "session", "bars", "sessions"]
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalidation:
    """The close that ends the idea: below `price` for a long, above it for a short."""

    rule: Literal["close_below", "close_above"]
    timeframe: str
    price: Decimal
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule found, in the prices of its view: of a short they are negated.

    `lo` to `hi` is the entry zone, `structure` what the stop stands behind, `gives_up` the close
    that ends the idea, `target` a first target of the rule's own.
    """

    entry_kind: EntryKind
    lo: float
    hi: float
    structure: float
    gives_up: float
    why: str
    lapse: Lapse
    target: float | None = None
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One setup on a listing. Prices are real and at 6 decimals, not yet on the tick.

    `features` are the numbers that the rule looked at, `supporting` the other setups of the same
    bar and side.
    """

    setup_id: str
    version: int
    instrument_id: str
    symbol: str
    side: Side
    timeframe: str
    trigger_ts: datetime
    trigger_price: Decimal
    entry_kind: EntryKind
    entry_lo: Decimal
    entry_hi: Decimal
    structure: Decimal
    invalidation: Invalidation
    expires_at: datetime
    target: Decimal | None = None
    features: Mapping[str, Decimal] = field(default_factory=dict)
    supporting: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return the hash (`setup/v1`) under which this setup exists once, ever."""
        return tagged_hash(
            "setup/v1",
            {
                "setup_id": self.setup_id,
                "version": str(self.version),
                "symbol": self.instrument_id,
                "side": self.side,
                "timeframe": self.timeframe,
                "trigger_ts": self.trigger_ts,
            },
        )

    @property
    def worst(self) -> Decimal:
        """Return the worst entry of the zone: its top for a long, its bottom for a short."""
        return self.entry_hi if self.side == "long" else self.entry_lo
