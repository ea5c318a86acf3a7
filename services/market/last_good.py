"""Owns the last known good quote of each listing: kept by a job, read while the market rests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.kit.money import rounded
from services.market.as_of import market_now
from services.market.feed import Feed
from services.market.instrument import Instrument
from services.market.quote import Provenance, Quote
from services.market.round import market_round
from services.market.session import market_state
from services.market.store_tables import market_snapshots


@dataclass(frozen=True, slots=True)
class LastGood:
    """A quote that was good when it was taken; `provenance` says how real it was then.

    Served as `SNAPSHOT`: it is what was last known, labelled with its own time.
    """

    symbol: str
    instrument_id: str
    bid: Decimal
    ask: Decimal
    last: Decimal
    currency: str
    ts: datetime
    taken_at: datetime
    taken_provenance: Provenance
    source: str
    provenance: Provenance = Provenance.SNAPSHOT


_KNOWN = (market_snapshots.c.round == bindparam("turn"), market_snapshots.c.ts <= bindparam("now"))
_ALL = select(market_snapshots).where(*_KNOWN).order_by(market_snapshots.c.symbol)
_ONE = select(market_snapshots).where(market_snapshots.c.instrument_id == bindparam("listing"))


def keep_good(ctx: Context, instrument: Instrument, quote: Quote) -> bool:
    """Keep a quote that was judged good; return False for one no newer than what is kept.

    A quote without two sides or crossed is never good, whoever says so: it is not kept.
    """
    if not 0 < quote.bid <= quote.ask or quote.last <= 0:
        return False
    turn = market_round(ctx)
    ctx.db.lock(f"market_snapshots:{ctx.principal.tenant_id}:{instrument.id}")
    kept = ctx.db.row(_ONE, listing=instrument.id)
    if kept is not None and (kept.round, kept.ts) >= (turn, quote.ts):
        return False
    values = {
        "symbol": instrument.symbol,
        "bid": rounded(quote.bid, 8),
        "ask": rounded(quote.ask, 8),
        "last": rounded(quote.last, 8),
        "currency": quote.currency,
        "ts": quote.ts,
        "round": turn,
        "taken_at": market_now(ctx),
        "provenance": quote.provenance,
        "source": quote.source,
    }
    if kept is None:
        ctx.db.insert(market_snapshots, {"instrument_id": instrument.id, **values})
    else:
        mine = market_snapshots.c.instrument_id == instrument.id
        ctx.db.change(update(market_snapshots).where(mine).values(**values))
    return True


def list_last_good(ctx: Context) -> list[LastGood]:
    """Return the last known good quotes by symbol, none later than the market's now."""
    rows = ctx.db.rows(_ALL, turn=market_round(ctx), now=market_now(ctx))
    return [_last_good(row) for row in rows]


def find_last_good(ctx: Context, instrument_id: str) -> LastGood | None:
    """Return the last known good quote of a listing; None without one."""
    row = ctx.db.row(_ONE, listing=instrument_id)
    known = row is not None and row.round == market_round(ctx) and row.ts <= market_now(ctx)
    return _last_good(row) if row is not None and known else None


def price_or_last_good(ctx: Context, symbol: str) -> Quote | LastGood:
    """Return the feed's quote, or while the market is closed and it has none the last good one.

    In an open market a missing quote is refused as the feed refuses it: an old price is not shown
    as today's. Raises what the feed's quote raises.
    """
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, symbol)
    try:
        return feed.quote(ctx, symbol)
    except Refusal as refusal:
        closed = market_state(instrument.calendar, feed.as_of(ctx)).state == "closed"
        kept = find_last_good(ctx, instrument.id) if closed else None
        if kept is None or (refusal.kind is not Kind.DATA and refusal.code != "QUOTE_UNUSABLE"):
            raise
        return kept


def _last_good(row: Row[Any]) -> LastGood:
    return LastGood(
        row.symbol,
        row.instrument_id,
        row.bid,
        row.ask,
        row.last,
        row.currency,
        row.ts,
        row.taken_at,
        Provenance(row.provenance),
        row.source,
    )
