"""Owns the live book: the newest quote, trade and minute bars of each symbol that is streamed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from services.kit.clock import EPOCH
from services.market.bar import Bar
from services.market.instrument import Instrument
from services.market.live_bars import BARS_MAX, MinuteBars
from services.market.live_indicator import LiveIndicators
from services.market.quote import Provenance, Quote
from services.market.stream_frame import Frame, StreamQuote, StreamTrade, StreamValue

SYMBOLS_MAX = 1000
"""Symbols in the book, also the most option contracts that one connection may follow."""
_SETTLED = timedelta(seconds=8)
"""How long after a minute's close the feed has it for sure: 5 s of its own memory among it."""


class _Line:
    """What the book holds of one symbol."""

    __slots__ = ("bars", "quote", "trade", "value", "whole_from")

    def __init__(self) -> None:
        self.quote: StreamQuote | None = None
        self.trade: StreamTrade | None = None
        self.value: StreamValue | None = None
        self.bars = MinuteBars()
        self.whole_from: datetime | None = None


class LiveBook:
    """Written by the one reader of a stream, read by every thread; its size has a bound.

    `delay_s` is how far behind a delayed cluster is. Frames may come in any order, in part twice:
    the newest by time and sequence number stays. `counts` says what was left out, and why.
    """

    def __init__(
        self,
        *,
        provenance: Provenance,
        source: str,
        delay_s: int = 0,
        symbols_max: int = SYMBOLS_MAX,
    ) -> None:
        self.provenance = provenance
        self.source = source
        self.counts: Counter[str] = Counter()
        self.ineligible: frozenset[str] | None = None
        self.delay = timedelta(seconds=delay_s)
        self._symbols_max = symbols_max
        self._lines: dict[str, _Line] = {}
        self._instruments: dict[str, Instrument] = {}
        self._listeners: list[Callable[[Frame], None]] = []
        self._now = EPOCH
        self._sound_from = EPOCH
        self._lock = threading.Lock()

    def note(self, frame: Frame) -> None:
        """Take in one frame, then tell the listeners; an empty one only moves the time on."""
        with self._lock:
            self._now = max(self._now, frame.received_at)
            self.counts.update(frame.dropped)
            for quote in frame.quotes:
                self._note_quote(quote)
            for trade in frame.trades:
                self._note_trade(trade)
            for bar in frame.bars:
                line = self._line(bar.symbol) if bar.span == "minute" else None
                if line is not None and not line.bars.add_bar(bar):
                    self.counts["bar_outside"] += 1
            for value in frame.values:
                line = self._line(value.symbol)
                if line is not None and (line.value is None or value.ts >= line.value.ts):
                    line.value = value
        for listener in tuple(self._listeners):
            listener(frame)

    def listen(self, listener: Callable[[Frame], None]) -> Callable[[], None]:
        """Call `listener` with every frame in the reader's thread, where it must not block.

        Returns the function that ends it.
        """
        self._listeners.append(listener)

        def remove() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return remove

    def keep(self, symbols: frozenset[str]) -> None:
        """Forget every symbol that is not among `symbols`; one that comes back begins anew."""
        with self._lock:
            self._sound_from = self._now - self.delay if self._lines else self._sound_from
            for symbol in [one for one in self._lines if one not in symbols]:
                del self._lines[symbol]

    def enroll(self, instrument: Instrument) -> None:
        """Say what a symbol stands for; without this its quote has no listing and is not given."""
        with self._lock:
            self._instruments[instrument.symbol] = instrument
            while len(self._instruments) > 2 * self._symbols_max:
                del self._instruments[next(iter(self._instruments))]

    def find_quote(self, symbol: str) -> Quote | None:
        """Return the newest quote with the last trade; None while a side or a trade is missing."""
        with self._lock:
            line, instrument = self._lines.get(symbol), self._instruments.get(symbol)
            quote, trade = (line.quote, line.trade) if line is not None else (None, None)
        if instrument is None or quote is None or trade is None:
            return None
        if quote.bid is None or quote.ask is None:
            return None
        return Quote(
            symbol=symbol,
            instrument_id=instrument.id,
            bid=quote.bid,
            ask=quote.ask,
            last=trade.price,
            bid_size=quote.bid_size or trade.size * 0,
            ask_size=quote.ask_size or trade.size * 0,
            ts=quote.ts,
            provenance=self.provenance,
            source=self.source,
            currency=instrument.currency,
            dataset=f"{self.source}_stream",
        )

    def find_trade(self, symbol: str) -> StreamTrade | None:
        """Return the newest trade, or None."""
        with self._lock:
            line = self._lines.get(symbol)
            return None if line is None else line.trade

    def find_value(self, symbol: str) -> StreamValue | None:
        """Return the newest value of an index or contract, or None."""
        with self._lock:
            line = self._lines.get(symbol)
            return None if line is None else line.value

    def recent_bars(self, symbol: str, count: int = BARS_MAX) -> tuple[Bar, ...]:
        """Return the newest complete minutes of regular hours, at most 390, ascending."""
        with self._lock:
            line = self._lines.get(symbol)
            if line is None:
                return ()
            line.bars.finish(self._now - self.delay)
            return line.bars.newest(count)

    def indicators(self, symbol: str) -> LiveIndicators | None:
        """Return the indicators over the minutes of the newest session; None when unknown."""
        with self._lock:
            line = self._lines.get(symbol)
            if line is None:
                return None
            line.bars.finish(self._now - self.delay)
            return line.bars.indicators()

    def mark_gap(self, symbols: Iterable[str], at: datetime) -> None:
        """Say that trades before `at` may be missing: the minutes until then await the provider."""
        with self._lock:
            for symbol in symbols:
                line = self._line(symbol)
                if line is not None:
                    line.bars.sound_from = at - self.delay
                    line.whole_from = None

    def fill(self, symbol: str, bars: Sequence[Bar], as_of: datetime) -> None:
        """Put in the provider's complete minutes, asked for at `as_of`; ends a gap before it."""
        with self._lock:
            line = self._line(symbol)
            if line is None:
                return
            line.bars.put(bars)
            if bars and as_of - self.delay - _SETTLED >= line.bars.sound_from:
                line.whole_from = bars[0].t_open

    def find_whole(self, symbol: str) -> datetime | None:
        """Return since which minute none is missing, or None after a gap that is not filled."""
        with self._lock:
            line = self._lines.get(symbol)
            return None if line is None else line.whole_from

    def _line(self, symbol: str) -> _Line | None:
        line = self._lines.get(symbol)
        if line is None:
            if len(self._lines) >= self._symbols_max:
                self.counts["overflow"] += 1
                return None
            line = self._lines[symbol] = _Line()
            line.bars.sound_from = self._sound_from
        return line

    def _note_quote(self, quote: StreamQuote) -> None:
        line = self._line(quote.symbol)
        if line is None:
            return
        known = line.quote
        if known is None or (quote.ts, quote.seq) > (known.ts, known.seq):
            line.quote = quote
        else:
            self.counts["old_quote"] += 1

    def _note_trade(self, trade: StreamTrade) -> None:
        line = self._line(trade.symbol)
        excluded = self.ineligible
        if line is None or (excluded and not excluded.isdisjoint(trade.conditions)):
            return
        known = line.trade
        if known is None or (trade.ts, trade.seq, trade.key) > (known.ts, known.seq, known.key):
            line.trade = trade
        line.bars.add_trade(trade, self._now - self.delay)
        if known is not None and known.ts.minute != trade.ts.minute:
            line.bars.finish(self._now - self.delay)
