"""Owns the second source: what another provider says of the same moment, to compare with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, runtime_checkable

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.feed import Feed
from services.market.quote import Quote

SECOND_EVERY = timedelta(minutes=5)
SECONDS_MINUTE = 20
"""The second provider is asked for each symbol once in five minutes, for 20 symbols a minute."""
_MINUTE, _APART = timedelta(minutes=1), timedelta(seconds=60)


class Comparison:
    """A second provider that is asked beside the first, at a bounded rate, while it `is_idle`."""

    def __init__(self, second: Feed, *, is_idle: Callable[[], bool]) -> None:
        self._second = second
        self._is_idle = is_idle
        self._asked: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def quote(self, ctx: Context, symbol: str) -> Quote | None:
        """Return the second provider's quote; None when it is not due or there is none."""
        if not self._is_idle() or not self._is_due(symbol, ctx.now):
            return None
        with suppress(Refusal):
            return self._second.quote(ctx, symbol)
        return None

    def _is_due(self, symbol: str, now: datetime) -> bool:
        """Return whether to compare a symbol now; a unit that begins again has the same time."""
        with self._lock:
            for name, at in list(self._asked.items()):
                if abs(now - at) >= SECOND_EVERY:
                    del self._asked[name]
            if symbol in self._asked:
                return self._asked[symbol] == now
            lately = [at for at in self._asked.values() if abs(now - at) < _MINUTE]
            if len(lately) >= SECONDS_MINUTE:
                return False
            self._asked[symbol] = now
            return True


@runtime_checkable
class Compared(Protocol):
    """A feed that has a second provider to compare with."""

    comparison: Comparison


def find_second(ctx: Context, quote: Quote) -> Decimal | None:
    """Return the last trade that a second provider gives beside `quote`; None without one.

    Only one that is as real, of another source, in the same currency and at most a minute apart
    is of the same moment.
    """
    feed = ctx.port(Feed)
    other = feed.comparison.quote(ctx, quote.symbol) if isinstance(feed, Compared) else None
    if other is None or other.source == quote.source:
        return None
    alike = (other.provenance, other.currency) == (quote.provenance, quote.currency)
    return other.last if alike and abs(other.ts - quote.ts) <= _APART else None
