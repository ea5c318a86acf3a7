"""Owns reading prices from the stream first: fresh ones are given, else the provider is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakKeyDictionary

from services.kit.context import Context
from services.kit.db import Db
from services.kit.errors import Refusal
from services.market.bar import Bar, bar_hash
from services.market.feed import BarSeries
from services.market.instrument import Instrument
from services.market.live import LiveBook
from services.market.live_bars import find_regular_session
from services.market.quote import Provenance, Quote

T = TypeVar("T")
FRESH_S = 1
"""How old a streamed quote may be and still spare the provider a request."""
_MINUTE = timedelta(minutes=1)
_PUBLISHED = timedelta(seconds=2)


class LiveReading:
    """The live book as a feed reads it. What one unit of work has read stays the same for it."""

    def __init__(self, book: LiveBook) -> None:
        self.book = book
        self._read: WeakKeyDictionary[Db, dict[object, object]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def quote(self, ctx: Context, instrument: Instrument, ask: Callable[[], Quote]) -> Quote:
        """Return the streamed quote when at most a second old, else the newer of it and `ask()`.

        A streamed quote also answers when asking is refused: it is the same provider's, and its
        age shows. Raises what `ask` raises when nothing was streamed.
        """
        self.book.enroll(instrument)
        return self._once(
            ctx, ("quote", instrument.symbol), lambda: self._newest(ctx, instrument, ask)
        )

    def bars(
        self, ctx: Context, instrument: Instrument, count: int, as_of: datetime
    ) -> BarSeries | None:
        """Return the newest `count` complete minutes, or None unless the book surely has them all.

        It has not before a gap is filled, beyond one session, and while the newest minute lacks.
        """
        return self._once(
            ctx, ("bars", instrument.symbol, count), lambda: self._minutes(instrument, count, as_of)
        )

    def _once(self, ctx: Context, key: object, find: Callable[[], T]) -> T:
        with self._lock:
            read = self._read.setdefault(ctx.db, {})
        if key not in read:
            read[key] = find()
        return read[key]  # type: ignore[return-value]

    def _newest(self, ctx: Context, instrument: Instrument, ask: Callable[[], Quote]) -> Quote:
        live = self.book.find_quote(instrument.symbol)
        if live is None:
            return ask()
        if ctx.now - self.book.delay - live.ts <= timedelta(seconds=FRESH_S):
            return live
        try:
            asked = ask()
        except Refusal:
            return live
        return live if live.ts >= asked.ts else asked

    def _minutes(self, instrument: Instrument, count: int, as_of: datetime) -> BarSeries | None:
        since = self.book.find_whole(instrument.symbol)
        reached = as_of - self.book.delay - _PUBLISHED
        if since is None or not _is_due(reached):
            return None
        bars = [bar for bar in self.book.recent_bars(instrument.symbol) if bar.t_close <= reached]
        newest = reached.replace(second=0, microsecond=0)
        kept = bars[-count:]
        if len(kept) < count or kept[-1].t_close < newest or kept[0].t_open < since:
            return None
        return self._series(instrument, tuple(kept), as_of)

    def _series(self, instrument: Instrument, bars: tuple[Bar, ...], as_of: datetime) -> BarSeries:
        source, provenance = self.book.source, self.book.provenance
        return BarSeries(
            instrument.symbol,
            "1m",
            bars,
            Provenance(provenance),
            source,
            as_of,
            bar_hash(instrument.id, "1m", bars),
            f"{source}_stream",
        )


def _is_due(reached: datetime) -> bool:
    """Return whether a minute of regular hours closed at the last full minute."""
    return find_regular_session(reached.replace(second=0, microsecond=0) - _MINUTE) is not None
