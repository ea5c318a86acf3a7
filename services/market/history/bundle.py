"""Owns the bundled history as the product reads it: instruments, rows by date, loaded once."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from services.market.history.layout import FILE, DayRow, unpack
from services.market.instrument import Instrument

_LISTINGS = {
    "AAPL": ("XNAS", "Apple Inc."),
    "FB": ("XNAS", "Facebook, Inc."),
    "GOOG": ("XNAS", "Google Inc."),
    "IBM": ("XNYS", "International Business Machines Corporation"),
    "MSFT": ("XNAS", "Microsoft Corporation"),
}


@dataclass(frozen=True, slots=True)
class History:
    """All rows of one instrument, ascending, as traded."""

    instrument: Instrument
    rows: tuple[DayRow, ...]
    days: tuple[date, ...]

    def until(self, day: date) -> int:
        """Return how many rows are dated on or before `day`."""
        return bisect_right(self.days, day)

    def find_row(self, day: date) -> DayRow | None:
        """Return the row of `day`, None when the instrument has none."""
        at = self.until(day) - 1
        return self.rows[at] if at >= 0 and self.days[at] == day else None


@cache
def load_history() -> dict[str, History]:
    """Return the history of every bundled symbol, by symbol; read from the file at first use."""
    return {
        symbol: History(_instrument(symbol), rows, tuple(row.date for row in rows))
        for symbol, rows in unpack(FILE.read_bytes()).items()
    }


@cache
def last_day() -> date:
    """Return the last date that any bundled instrument has."""
    return max(history.days[-1] for history in load_history().values())


def _instrument(symbol: str) -> Instrument:
    mic, name = _LISTINGS[symbol]
    return Instrument(
        id=f"{mic}:{symbol}",
        symbol=symbol,
        name=name,
        asset_class="equity",
        currency="USD",
        quote_unit="USD",
        price_scale=Decimal(1),
        lot_step=Decimal(1),
        min_quantity=Decimal(1),
        multiplier=Decimal(1),
        calendar="XNYS",
        shortable=True,
        tick_rule="us_equity",
    )
