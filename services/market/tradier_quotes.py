"""Owns asking Tradier for quotes: the symbols of the last seconds travel in one request."""

from __future__ import annotations

import threading

from services.kit.clock import Clock
from services.market.decode import Record
from services.market.link import Ask, Link
from services.market.tradier_reference import own_symbol, vendor_symbol

_LATELY_S = 15.0
_SHARED_S = 0.5
SYMBOLS_MAX = 100
"""Bound of the symbols in one request."""
_PATH = "/v1/markets/quotes"


class QuoteBatch:
    """Quotes by symbol; an answer for many serves the others for half a second."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._lock = threading.Lock()
        self._wanted: dict[str, float] = {}
        self._shared: dict[str, tuple[float, Record | None]] = {}

    def want(self, symbol: str) -> None:
        """Note that this symbol is asked for, so that the next request carries it."""
        with self._lock:
            self._wanted.pop(symbol, None)
            self._wanted[symbol] = self._clock.monotonic()
            while len(self._wanted) > SYMBOLS_MAX:
                self._wanted.pop(next(iter(self._wanted)))

    def ask(self, symbol: str) -> Record | None:
        """Return the record of one symbol, None when the answer has none. Raises `PROVIDER_*`."""
        now = self._clock.monotonic()
        with self._lock:
            at, record = self._shared.get(symbol, (0.0, None))
            if symbol in self._shared and now - at <= _SHARED_S:
                return record
            lately = {name for name, at in self._wanted.items() if now - at <= _LATELY_S}
        names = sorted(lately | {symbol})
        ask = Ask(
            kind="quote",
            product="quotes",
            path=_PATH,
            template=_PATH,
            params={"symbols": ",".join(map(vendor_symbol, names)), "greeks": "false"},
            symbol=symbol,
        )
        found = {own_symbol(one["symbol"]): one for one in self._link.page(ask).records}
        at = self._clock.monotonic()
        with self._lock:
            self._shared = {name: (at, found.get(name)) for name in names}
        return found.get(symbol)
