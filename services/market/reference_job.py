"""Owns keeping reference data: listings anew, those that went away, and recent splits as flags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.action_record import known_splits, record_split
from services.market.as_of import market_now
from services.market.feed import Feed
from services.market.finding import Finding, Severity
from services.market.freeze import listing_scope, open_freeze
from services.market.ingest import Counts
from services.market.instrument import Instrument
from services.market.listing import end_listing, find_listing, refresh_listings, set_flags

SPLITS_SHOWN = timedelta(days=90)
"""How long a split stays on its listing as a flag."""


def refresh_instruments(ctx: Context, names: Sequence[str]) -> Counts:
    """Store the feed's listings, and those of `names` (symbols or ids) asked one by one.

    A name that was known and is unknown now was renamed, delisted, or its ticker belongs to
    somebody else: its listing ends, and it is frozen until a person has mapped it.
    """
    feed = ctx.port(Feed)
    found: list[Instrument] = list(feed.instruments(ctx))
    done: Counts = Counter()
    for name in names:
        try:
            found.append(feed.instrument(ctx, name))
        except Refusal as refusal:
            if refusal.code == "SYMBOL_UNKNOWN":
                done["unmapped"] += _lose(ctx, name)
            else:
                done[f"refused:{refusal.code}"] += 1
    refreshed = refresh_listings(ctx, found, feed.name)
    done.update(known=refreshed.known, added=refreshed.added, changed=refreshed.changed)
    return done


def _lose(ctx: Context, name: str) -> int:
    """Freeze a listing that was known under `name`; return 0 for one that never was."""
    stored = find_listing(ctx, name)
    listing = name if stored is None else stored.id
    if ":" not in listing:
        return 0
    detail = f"{listing} is not listed any more: renamed, delisted, or its ticker is another's now"
    finding = Finding(listing.partition(":")[2], "DQ_MISSING", Severity.CRIT, detail)
    open_freeze(ctx, listing_scope(listing), finding)
    end_listing(ctx, listing)
    return 1


def refresh_splits(ctx: Context, symbols: Sequence[str]) -> Counts:
    """Record the splits of `symbols` of the last 90 days, and flag their listings; return counts.

    A flag reads `SPLIT 2024-06-10 1:10`: one old share became ten. `splits` counts what the feed
    says, `recorded` what it says for the first time.
    """
    feed, done = ctx.port(Feed), Counter[str]()
    now = market_now(ctx)
    for symbol in symbols:
        try:
            instrument = feed.instrument(ctx, symbol)
            splits = feed.splits(ctx, symbol, now - SPLITS_SHOWN, now)
        except Refusal as refusal:
            done[f"refused:{refusal.code}"] += 1
            continue
        done["recorded"] += sum(record_split(ctx, instrument, one, feed.name) for one in splits)
        known = known_splits(ctx, instrument.id, now - SPLITS_SHOWN, now)
        flags = [
            f"SPLIT {one.ex_date.isoformat()} {one.ratio_from}:{one.ratio_to}" for one in known
        ]
        done["splits"] += len(splits)
        done["flagged"] += set_flags(ctx, instrument, flags, feed.name)
    return done
