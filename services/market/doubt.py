"""Owns doubt about a price that would be valued: judged like an observation, and stored nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.as_of import market_now
from services.market.feed import Feed
from services.market.finding import BY_PERSON
from services.market.freeze import active_freezes, listing_scope
from services.market.gate import explained, observed
from services.market.instrument import Instrument
from services.market.observation import Observation
from services.market.priming import primed
from services.market.quality_store import Mark
from services.market.quote import Quote


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is known about some listings before their prices are valued."""

    as_of: datetime
    instruments: Mapping[str, Instrument]
    marks: Mapping[str, Mark]
    frozen: Mapping[str, str]

    def of(self, ctx: Context, quote: Quote) -> str:
        """Return the code of why this quote's price may not be valued; empty when it may.

        That is a frozen unit, split or currency, or a critical fault of the price itself. An old
        quote, a wide or a crossed one is no doubt about its last trade.
        """
        listing = quote.instrument_id
        if listing in self.frozen:
            return self.frozen[listing]
        instrument, mark = self.instruments.get(listing), self.marks.get(listing)
        if instrument is None or mark is None or quote.last <= 0:
            return ""
        window = replace(mark.window, newest=None)
        faults, _ = explained(ctx, observed(instrument, quote), window, self.as_of)
        return next((one.code for one in faults if one.severity == "CRIT"), "")


def build_doubts(ctx: Context, listings: Iterable[str]) -> Doubts:
    """Return the doubts about `listings`, read at once; a listing the feed refuses has none."""
    wanted = sorted(set(listings))
    if not wanted:
        return Doubts(ctx.now, {}, {}, {})
    feed = ctx.port(Feed)
    try:
        as_of = feed.as_of(ctx)
    except Refusal:
        return Doubts(ctx.now, {}, {}, {})
    instruments = {name: one for name in wanted if (one := _find_listed(ctx, feed, name))}
    marks = primed(ctx, instruments.values(), as_of)
    frozen = {
        one.scope.partition(":")[2]: one.code
        for one in active_freezes(ctx, map(listing_scope, wanted))
        if one.code in BY_PERSON
    }
    return Doubts(as_of, instruments, marks, frozen)


def _find_listed(ctx: Context, feed: Feed, listing: str) -> Instrument | None:
    try:
        return feed.instrument(ctx, listing)
    except Refusal:
        return None


def is_plausible(ctx: Context, listing: str, price: Decimal, ts: datetime) -> bool:
    """Return whether a single trade may be of the same course as the last good price.

    False for a jump and for a price in another unit; True where there is nothing to compare with.
    """
    instrument = _find_listed(ctx, ctx.port(Feed), listing)
    if instrument is None:
        return True
    as_of = max(market_now(ctx), ts)
    seen = Observation(
        instrument=instrument,
        price=price,
        ts=ts,
        currency=instrument.quote_unit,
        kind="intraday",
        source="",
    )
    window = replace(primed(ctx, (instrument,), as_of)[instrument.id].window, newest=None)
    faults, _ = explained(ctx, seen, window, as_of)
    return all(one.severity != "CRIT" for one in faults)
