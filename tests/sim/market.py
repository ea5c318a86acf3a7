"""Owns the simulated market: quotes that follow the clock, and the ways in which data go bad."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from services.kit.context import Context
from services.kit.errors import refuse
from services.market.quote import Quote
from tests.fakes.hand_feed import PRICES, HandFeed

CENT = Decimal("0.01")


class SimFeed(HandFeed):
    """The hand-moved feed with faults by symbol; `bad` is what no order may stand on."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: dict[str, str] = {}

    def pass_time(self, seconds: int) -> None:
        """Move market time; only good quotes follow it."""
        self.time += timedelta(seconds=seconds)
        for symbol, quote in self.quotes.items():
            if symbol not in self.bad:
                self.quotes[symbol] = replace(quote, ts=self.time)

    def move(self, symbol: str, cents: int) -> None:
        """Move a good price by some cents."""
        if symbol not in self.bad:
            quote, by = self.quotes[symbol], CENT * cents
            self.set(symbol, str(quote.bid + by), str(quote.ask + by))

    def mid(self, symbol: str) -> Decimal:
        """Return the middle of the quote."""
        quote = self.quotes[symbol]
        return (quote.bid + quote.ask) / 2

    def spoil(self, symbol: str, how: str) -> None:
        """Make the data of a symbol bad until it is healed."""
        self.bad[symbol] = how
        quote = self.quotes[symbol]
        worse: dict[str, object] = {
            "stale": {"ts": self.time - timedelta(seconds=90)},
            "crossed": {"bid": quote.ask + 1, "ask": quote.bid},
            "zero": {"bid": Decimal(0), "ask": Decimal(0), "last": Decimal(0)},
            "wide": {"ask": quote.bid * 2},
            "future": {"ts": self.time + timedelta(days=1)},
            "halted": {"halted": True},
            "jump": {"bid": quote.bid * 2, "ask": quote.ask * 2, "last": quote.last * 2},
            "missing": {},
        }[how]
        self.quotes[symbol] = replace(quote, **worse)

    def heal(self, symbol: str) -> None:
        """Quote a symbol well again, at its first price."""
        self.bad.pop(symbol, None)
        self.set(symbol, *PRICES[symbol])

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Return the quote, or refuse where it is missing."""
        name = self.instrument(ctx, symbol).symbol
        if self.bad.get(name) == "missing":
            raise refuse("PROVIDER_UNAVAILABLE", provider=self.name)
        return super().quote(ctx, symbol)
