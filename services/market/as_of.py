"""Owns the market's now: the bound of everything that may be read, live or replayed."""

from __future__ import annotations

from datetime import datetime

from services.kit.context import Context
from services.market.feed import Feed


def market_now(ctx: Context) -> datetime:
    """Return the feed's own time, or the wall time of the unit of work where no feed is wired.

    Raises `FEATURE_OFF` when market data are off.
    """
    feed = ctx.ports.get(Feed)
    return ctx.now if feed is None else ctx.port(Feed).as_of(ctx)


def readable_until(ctx: Context, at: datetime | None) -> datetime:
    """Return `at`, but never later than the market's now; None asks for the now itself."""
    now = market_now(ctx)
    return now if at is None else min(at, now)
