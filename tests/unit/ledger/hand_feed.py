"""Owns a feed that is set by hand: prices, time and splits are what a test says."""

from datetime import timedelta
from decimal import Decimal

from services.kit.errors import refuse
from services.market.bar import Bar
from services.market.feed import BarSeries, Capability
from services.market.instrument import Instrument
from services.market.quote import Provenance, Quote
from services.market.session import get_session


class HandFeed:
    """Answers the calls that the ledger makes."""

    name = "hand"
    provenance = Provenance.REPLAY

    def __init__(self, now):
        self.now, self.prices, self.known_splits, self.lot_step = now, {}, {}, Decimal(1)
        self.closes = {}

    def as_of(self, ctx):
        return self.now

    def advance(self, **delta):
        self.now += timedelta(**delta)

    def instrument(self, ctx, symbol):
        return Instrument(
            id=symbol,
            symbol=symbol.split(":")[1],
            name=symbol,
            asset_class="equity",
            currency="USD",
            quote_unit="USD",
            price_scale=Decimal(1),
            lot_step=self.lot_step,
            min_quantity=self.lot_step,
            multiplier=Decimal(1),
            calendar="XNYS",
            shortable=False,
            tick_rule="us_equity",
        )

    def quote(self, ctx, symbol):
        if symbol not in self.prices:
            raise refuse("QUOTE_UNUSABLE", contract=symbol, reason="no trade yet")
        last = Decimal(str(self.prices[symbol]))
        return Quote(
            symbol=symbol.split(":")[1],
            instrument_id=symbol,
            bid=last,
            ask=last,
            last=last,
            bid_size=Decimal(1),
            ask_size=Decimal(1),
            ts=self.now,
            provenance=self.provenance,
            source=self.name,
            currency="USD",
        )

    def bars(self, ctx, symbol, timeframe, count, *, include_partial=False):
        """Answer one flat daily bar per known close, by listing and session date."""
        days = [(day, price) for (listing, day), price in self.closes.items() if listing == symbol]
        sessions = [(get_session("XNYS", day), Decimal(str(price))) for day, price in sorted(days)]
        bars = tuple(
            Bar(t_open=one.open, t_close=one.close, o=at, h=at, l=at, c=at, v=Decimal(1))
            for one, at in sessions
            if one.close <= self.now
        )
        return BarSeries(symbol, timeframe, bars, self.provenance, self.name, self.now, "")

    def splits(self, ctx, symbol, after, until):
        return [
            split
            for split in self.known_splits.get(symbol, ())
            if after < split.effective_at <= until
        ]

    def capability(self):
        return Capability("hand", on=True, why="set by a test")
