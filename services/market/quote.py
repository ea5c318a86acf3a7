"""Owns the quote and where a market value comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from services.kit.money import rounded


class Provenance(StrEnum):
    """How real a market value is; shown wherever the value shows."""

    LIVE = "LIVE"
    DELAYED = "DELAYED"
    EOD = "EOD"
    SNAPSHOT = "SNAPSHOT"
    REPLAY = "REPLAY"
    SIMULATED = "SIMULATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The best bid and ask and the last trade of one instrument at `ts`, per unit of `currency`.

    Nothing here is checked: a provider's quote may be crossed or old, `services.market.quality`
    says so. `source` and `dataset` name where it came from, for citations. `halted` says that
    trading of this symbol stands still although its market may be open.
    """

    symbol: str
    instrument_id: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    bid_size: Decimal
    ask_size: Decimal
    ts: datetime
    provenance: Provenance
    source: str
    currency: str
    dataset: str = ""
    halted: bool = False

    @property
    def mid(self) -> Decimal:
        """Return (bid + ask) / 2, unrounded."""
        return (self.bid + self.ask) / 2

    @property
    def spread_pct(self) -> Decimal:
        """Return (ask - bid) / mid as a fraction, 6 decimals half-even; the mid is above 0.

        Worked: 99.99 to 100.01 is 0.0002.
        """
        return rounded((self.ask - self.bid) / self.mid, 6)
