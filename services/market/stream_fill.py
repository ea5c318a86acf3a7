"""Owns filling a stream's gaps: the minutes that were missed are asked for over the feed, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from services.kit.clock import Clock
from services.kit.context import Context, Principal
from services.kit.errors import Refusal
from services.kit.work import Runtime
from services.market.feed import BarSeries, Feed
from services.market.instrument import Instrument
from services.market.live import LiveBook
from services.market.live_bars import BARS_MAX
from services.market.stream_state import StreamTiming

_log = structlog.get_logger("stream")
_TRIES_MAX = 5
_AGAIN_S = 30.0
_LASTING = ("SYMBOL_UNKNOWN", "PARAM_INVALID", "PROVIDER_NOT_ENTITLED", "PROVIDER_UNAUTHORIZED")


class MinuteSource(Protocol):
    """Where missed minutes come from."""

    def instrument(self, symbol: str) -> Instrument:
        """Return the listing of a symbol."""
        ...

    def minutes(self, symbol: str, count: int) -> BarSeries:
        """Return the newest complete minutes."""
        ...

    def ineligible(self) -> frozenset[str]:
        """Return the conditions of trades that set no price."""
        ...


class FeedMinutes:
    """The minutes of the feed, each asked for in a unit of work of its own."""

    def __init__(
        self,
        runtime: Runtime,
        feed: Feed,
        principal: Principal,
        conditions: Callable[[], frozenset[str]],
    ) -> None:
        self._runtime = runtime
        self._feed = feed
        self._principal = principal
        self._conditions = conditions

    def instrument(self, symbol: str) -> Instrument:
        """Return the listing of a symbol. Raises what `Feed.instrument` raises."""
        return self._runtime.read(self._principal, lambda ctx: self._feed.instrument(ctx, symbol))

    def minutes(self, symbol: str, count: int) -> BarSeries:
        """Return the newest complete minutes. Raises what `Feed.bars` raises."""

        def ask(ctx: Context) -> BarSeries:
            return self._feed.bars(ctx, symbol, "1m", count)

        return self._runtime.read(self._principal, ask)

    def ineligible(self) -> frozenset[str]:
        """Return the conditions of trades that set no price. Raises `PROVIDER_*`."""
        return self._runtime.read(self._principal, lambda _: self._conditions())


class GapFill:
    """The symbols whose minutes are to be asked for again: each once, however often it is named."""

    def __init__(
        self, source: MinuteSource, book: LiveBook, clock: Clock, timing: StreamTiming
    ) -> None:
        self._source = source
        self._book = book
        self._clock = clock
        self._timing = timing
        self._due: dict[str, tuple[float, int]] = {}
        self._held_until = 0.0
        self._lock = threading.Lock()

    def ask(self, symbols: Iterable[str]) -> None:
        """Note that minutes of these symbols may be missing; asked for once they have settled."""
        due = self._clock.monotonic() + self._timing.fill_after_s
        with self._lock:
            self._due |= dict.fromkeys(sorted(symbols), (due, 0))

    def keep(self, symbols: frozenset[str]) -> None:
        """Forget the symbols that nobody follows any more."""
        with self._lock:
            self._due = {one: due for one, due in self._due.items() if one in symbols}

    @property
    def waiting(self) -> int:
        """Return how many symbols wait."""
        return len(self._due)

    def step(self) -> bool:
        """Fill one symbol that is due; return False when there is nothing to do yet."""
        found = self._take()
        if found is None:
            return False
        symbol, tries = found
        try:
            if self._book.ineligible is None:
                self._book.ineligible = self._source.ineligible()
            self._book.enroll(self._source.instrument(symbol))
            series = self._source.minutes(symbol, BARS_MAX)
        except Refusal as refusal:
            self._put_off(symbol, tries, refusal)
            return True
        self._book.fill(symbol, series.bars, series.as_of)
        return True

    def _take(self) -> tuple[str, int] | None:
        now = self._clock.monotonic()
        with self._lock:
            if now < self._held_until:
                return None
            for symbol, (due, tries) in self._due.items():
                if due <= now:
                    del self._due[symbol]
                    return symbol, tries
        return None

    def _put_off(self, symbol: str, tries: int, refusal: Refusal) -> None:
        """Ask again later; a lasting refusal and the fifth failure end it for this gap."""
        now = self._clock.monotonic()
        limited = refusal.code == "PROVIDER_RATE_LIMITED"
        if refusal.code in _LASTING or (not limited and tries + 1 >= _TRIES_MAX):
            _log.warning("stream.gap_unfilled", symbol=symbol, code=refusal.code)
            return
        told = refusal.facts.get("retry_after_s")
        wait_s = float(told) if limited and isinstance(told, int | float) else _AGAIN_S
        with self._lock:
            if limited:
                self._held_until = now + wait_s
            self._due.setdefault(symbol, (now + wait_s, tries if limited else tries + 1))
