"""Owns a feed moved by hand: quotes, tape and time are what the test says, behind the real port."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.kit.context import Context
from services.kit.errors import refuse
from services.market.bar import Bar
from services.market.feed import BarSeries, Capability, Split, Tick
from services.market.instrument import Instrument
from services.market.provider import ProviderRecord
from services.market.quote import Provenance, Quote

OPEN_TIME = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
PRICES = {
    "AAPL": ("190.00", "190.10"),
    "MSFT": ("400.00", "400.20"),
    "GOOG": ("150.00", "150.10"),
    "IBM": ("180.00", "180.10"),
}


def listed(symbol: str) -> Instrument:
    return Instrument(
        id=f"XNAS:{symbol}",
        symbol=symbol,
        name=symbol,
        asset_class="equity",
        currency="USD",
        quote_unit="USD",
        price_scale=Decimal(1),
        lot_step=Decimal(1),
        min_quantity=Decimal(1),
        multiplier=Decimal(1),
        calendar="XNYS",
        shortable=False,
        tick_rule="us_equity",
    )


class HandFeed:
    """Quotes of a few symbols at a time that a test sets."""

    name = "hand"
    provenance = Provenance.SIMULATED

    def __init__(self) -> None:
        self.time = OPEN_TIME
        self.quotes = {name: self._quote(name, *both) for name, both in PRICES.items()}
        self.prints: dict[str, list[Tick]] = {name: [] for name in PRICES}
        self.split_list: list[Split] = []
        self.broken = False
        self.turn = 0
        self.minute_volume: Decimal | None = None

    def _quote(self, symbol: str, bid: str, ask: str) -> Quote:
        low, high = Decimal(bid), Decimal(ask)
        return Quote(
            symbol=symbol,
            instrument_id=f"XNAS:{symbol}",
            bid=low,
            ask=high,
            last=(low + high) / 2,
            bid_size=Decimal(100),
            ask_size=Decimal(100),
            ts=self.time,
            provenance=self.provenance,
            source="hand",
            currency="USD",
        )

    def _minute(self, symbol: str) -> Bar:
        last = self.quotes[symbol].last
        return Bar(
            t_open=self.time - timedelta(minutes=1),
            t_close=self.time,
            o=last,
            h=last,
            l=last,
            c=last,
            v=self.minute_volume or Decimal(0),
        )

    def set(self, symbol: str, bid: str, ask: str, **changes: object) -> None:
        """Quote `symbol` anew at the feed's time."""
        self.quotes[symbol] = replace(self._quote(symbol, bid, ask), **changes)

    def advance(self, **delta: float) -> None:
        """Move market time; quotes stay fresh."""
        self.time += timedelta(**delta)
        for symbol, quote in self.quotes.items():
            self.quotes[symbol] = replace(quote, ts=self.time)

    def trade(self, symbol: str, price: str, size: str = "100000") -> None:
        """Print one trade a second later, with a spread of two cents around it."""
        self.advance(seconds=1)
        at, cent = Decimal(price), Decimal("0.01")
        self.prints[symbol].append(Tick(self.time, at, Decimal(size), at - cent, at + cent))
        self.set(symbol, str(at - cent), str(at + cent))

    def market_round(self, _ctx: Context) -> int:
        return self.turn

    def as_of(self, _ctx: Context) -> datetime:
        if self.broken:
            raise refuse("PROVIDER_UNAVAILABLE", provider="hand")
        return self.time

    def instruments(self, _ctx: Context) -> list[Instrument]:
        return [listed(symbol) for symbol in sorted(self.quotes)]

    def instrument(self, _ctx: Context, symbol: str) -> Instrument:
        name = symbol.removeprefix("XNAS:")
        if name not in self.quotes:
            raise refuse("SYMBOL_UNKNOWN", kind="symbol", value=symbol)
        return listed(name)

    def quote(self, ctx: Context, symbol: str) -> Quote:
        self.as_of(ctx)
        return self.quotes[self.instrument(ctx, symbol).symbol]

    def bars(
        self,
        _ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,
    ) -> BarSeries:
        made = () if self.minute_volume is None else (self._minute(symbol),)
        return BarSeries(symbol, timeframe, made, self.provenance, "hand", self.time, "")

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> list[Tick]:
        self.as_of(ctx)
        return [tick for tick in self.prints[symbol] if after < tick.ts <= until]

    def splits(self, _ctx: Context, symbol: str, after: datetime, until: datetime) -> list[Split]:
        return [split for split in self.split_list if after < split.effective_at <= until]

    def capability(self) -> Capability:
        return Capability("market data", on=True, why="a test feed")

    def record(self) -> ProviderRecord:
        return ProviderRecord(name=self.name, host="", on=not self.broken, why="a test feed")

    def probe(self) -> None: ...
