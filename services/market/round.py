"""Owns telling the rounds of a replayed market apart: the same date comes again in each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol, runtime_checkable

from services.kit.context import Context
from services.market.feed import Feed


@runtime_checkable
class Rounds(Protocol):
    """A feed whose data begin again after their last day."""

    def market_round(self, ctx: Context) -> int:
        """Return how often the data have begun again; 0 in the first round."""
        ...


def market_round(ctx: Context) -> int:
    """Return the feed's round; 0 where market time never goes back or no feed is wired."""
    feed = ctx.ports.get(Feed)
    return feed.market_round(ctx) if isinstance(feed, Rounds) else 0


def round_at(ctx: Context, moment: datetime) -> int:
    """Return the round of a past market time: one earlier when it lies after the market's now."""
    turn = market_round(ctx)
    return max(0, turn - 1) if moment > ctx.port(Feed).as_of(ctx) else turn


def session_key(ctx: Context, day: date) -> str:
    """Return the key of the session of `day` in this round; what is latched or counted by day.

    Worked: 2012-01-04 is `2012-01-04` in the first round and `1:2012-01-04` in the second.
    """
    turn = market_round(ctx)
    return f"{turn}:{day.isoformat()}" if turn else day.isoformat()


def round_of(key: str) -> int:
    """Return the round that a session key belongs to."""
    turn, found, _ = key.partition(":")
    return int(turn) if found else 0
