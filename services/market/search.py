"""Owns finding a listing by what a person typed: symbols first, then names, then near misses."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from services.kit.context import Context
from services.kit.text import require_text
from services.market.feed import Feed
from services.market.instrument import Instrument
from services.market.listing import stored_listings

QUERY_MAX = 40
LIMIT_MAX = 50
_NEAR = 0.7
"""Least likeness of a near miss: `APPL` to `AAPL` is 0.75, `AA` to `AAPL` 0.67."""


def search_listings(ctx: Context, query: str, limit: int) -> list[Instrument]:
    """Return at most `limit` (1 to 50) listings that fit `query`, the best first.

    The stored listings are searched, or the feed's own while none is stored yet. An empty query
    lists them by symbol. Raises `PARAM_INVALID` for text that is too long or not printable.
    """
    listed = stored_listings(ctx) or list(ctx.port(Feed).instruments(ctx))
    wanted = require_text(query, "query", longest=QUERY_MAX).upper() if query.strip() else ""
    return rank(listed, wanted)[: min(max(limit, 1), LIMIT_MAX)]


def rank(listed: Iterable[Instrument], wanted: str) -> list[Instrument]:
    """Return the listings that fit `wanted` (capitals), the best first; pure.

    The order: the symbol itself, symbols that begin with it, names with a word that begins with
    it, then near misses by likeness; ties by symbol and id.
    """
    scored = [(score, one) for one in listed if (score := _score(one, wanted)) is not None]
    scored.sort(key=lambda pair: (pair[0], pair[1].symbol, pair[1].id))
    return [one for _, one in scored]


def _score(one: Instrument, wanted: str) -> float | None:
    if not wanted or wanted in (one.symbol, one.id):
        return 0.0
    if one.symbol.startswith(wanted):
        return 1.0 + len(one.symbol) / 100
    if any(word.startswith(wanted) for word in one.name.upper().split()):
        return 2.0
    alike = likeness(wanted, one.symbol)
    return 4.0 - alike if alike >= _NEAR else None


def likeness(left: str, right: str) -> float:
    """Return how alike two symbols are, 0 to 1; 0 at once when their lengths tell enough."""
    if 2 * min(len(left), len(right)) < _NEAR * (len(left) + len(right)):
        return 0.0
    return SequenceMatcher(None, left, right).ratio()
