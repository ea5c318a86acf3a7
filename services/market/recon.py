"""Owns the second source: what another provider says of the same moment, to compare with."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Protocol, runtime_checkable

from services.kit.context import Context
from services.market.feed import Feed
from services.market.quote import Quote

_APART = timedelta(seconds=60)


@runtime_checkable
class SecondSource(Protocol):
    """A feed that can ask another provider than the one that answers."""

    def second_quote(self, ctx: Context, symbol: str) -> Quote | None:
        """Return the other provider's quote when it is due; None otherwise. Never raises."""
        ...


def find_second(ctx: Context, quote: Quote) -> Decimal | None:
    """Return the last trade that a second provider gives beside `quote`; None without one.

    Only one that is as real, of another source, in the same currency and at most a minute apart
    is of the same moment.
    """
    feed = ctx.port(Feed)
    other = feed.second_quote(ctx, quote.symbol) if isinstance(feed, SecondSource) else None
    if other is None or other.source == quote.source:
        return None
    alike = (other.provenance, other.currency) == (quote.provenance, quote.currency)
    return other.last if alike and abs(other.ts - quote.ts) <= _APART else None
