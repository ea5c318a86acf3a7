"""Owns halts: which streamed symbols stand still, from the exchange's own messages."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from services.market.decode import EASTERN
from services.market.live import SYMBOLS_MAX, LiveBook
from services.market.stream_frame import Frame, StreamBand

HALT, RESUME = "17", "18"
"""The indicators of a limit message that say that trading stopped, and that it goes on."""
_PRINTED_LATE = timedelta(minutes=1)
"""How long after a halt a trade may still be reported that was made before it."""


class Halts:
    """Written by the reader of a stream, read by every thread; the newest message counts.

    A halt ends with the message that trading resumes, with a trade a minute or more after it, and
    with its day: a halt that goes on is told anew in the morning.
    """

    def __init__(self, book: LiveBook) -> None:
        self._book = book
        self._newest: dict[str, StreamBand] = {}
        self._lock = threading.Lock()
        book.listen(self.note)

    def note(self, frame: Frame) -> None:
        """Take the halts and resumptions of one frame; mere price bands say nothing of either."""
        for band in frame.bands:
            if HALT in band.indicators or RESUME in band.indicators:
                self._take(band)

    def _take(self, band: StreamBand) -> None:
        with self._lock:
            known = self._newest.get(band.symbol)
            if known is None or band.ts >= known.ts:
                self._newest.pop(band.symbol, None)
                self._newest[band.symbol] = band
            while len(self._newest) > SYMBOLS_MAX:
                del self._newest[next(iter(self._newest))]

    def is_halted(self, symbol: str, now: datetime) -> bool:
        """Return whether trading of `symbol` stands still at `now`, as far as the stream tells."""
        with self._lock:
            band = self._newest.get(symbol)
        if band is None or RESUME in band.indicators or _day(band.ts) != _day(now):
            return False
        trade = self._book.find_trade(symbol)
        return trade is None or trade.ts < band.ts + _PRINTED_LATE


def _day(moment: datetime) -> object:
    return moment.astimezone(EASTERN).date()
