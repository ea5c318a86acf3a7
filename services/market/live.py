"""Owns the live book: the newest quote, trade and minute bars of each symbol that is streamed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from services.kit.clock import EPOCH
from services.market.bar import Bar
from services.market.instrument import Instrument
from services.market.live_bars import BARS_MAX, MinuteBars
from services.market.live_indicator import LiveIndicators
from services.market.live_run import Run, follow, key_of
from services.market.quote import Provenance, Quote
from services.market.stream_frame import Frame, StreamQuote, StreamTrade, StreamValue
from services.market.stream_tick import Bid, Bids, Tick, Ticks, quote_of, trade_of

SYMBOLS_MAX = 1000
"""Symbols in the book, also the most option contracts that one connection may follow."""
_SETTLED = timedelta(seconds=8)
"""How long after a minute's close the feed has it for sure: 5 s of its own memory among it."""


class _Line:
    """What the book holds of one symbol."""

    __slots__ = ("bars", "bid", "quote", "value", "whole_from")

    def __init__(self) -> None:
        self.quote: StreamQuote | None = None
        self.bid: Bid | None = None
        """The newest quote where it came off the wire; then `quote` is an older one."""
        self.value: StreamValue | None = None
        self.bars = MinuteBars()
        self.whole_from: datetime | None = None

    def newest_quote(self) -> StreamQuote | None:
        """Return the newest quote, or None."""
        return self.quote if self.bid is None else quote_of(self.bid)


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
        """The conditions of trades that set no price; None while they are not known."""
        self._runs: dict[str, Run] = {}
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
            if frame.dropped:
                self.counts.update(frame.dropped)
            self._note_quotes(frame.quotes)
            self._note_trades(frame.trades)
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
                del self._lines[symbol], self._runs[symbol]

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
            quote, trade = (
                (line.newest_quote(), line.bars.run.trade) if line is not None else (None, None)
            )
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
            return None if line is None else line.bars.run.trade

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
            self._runs[symbol] = line.bars.run
        return line

    def _note_quotes(self, quotes: Sequence[StreamQuote]) -> None:
        if quotes.__class__ is not Bids:
            for quote in quotes:
                self._note_quote(quote)
            return
        lines = self._lines
        for row in quotes.rows:  # each step of this loop is paid for by every quote
            line = lines.get(row.sym)
            last = None if line is None else line.bid
            if last is None or row.t < last.t or (row.t == last.t and row.q <= last.q):
                self._note_bid(row)
            else:
                line.bid = row  # type: ignore[union-attr]

    def _note_bid(self, row: Bid) -> None:
        line = self._note_quote(quote_of(row))
        if line is not None:
            line.bid = row

    def _note_quote(self, quote: StreamQuote) -> _Line | None:
        """Take a quote with all care; return its line if it is the newest."""
        line = self._line(quote.symbol)
        if line is None:
            return None
        known = line.newest_quote()
        if known is not None and (quote.ts, quote.seq) <= (known.ts, known.seq):
            self.counts["old_quote"] += 1
            return None
        line.quote, line.bid = quote, None
        return line

    def _note_trades(self, trades: Sequence[StreamTrade]) -> None:
        if trades.__class__ is Ticks:
            follow(self._runs, trades.rows, _numbers(self.ineligible), otherwise=self._note_tick)
            return
        for trade in trades:
            self._note_trade(trade)

    def _note_tick(self, row: Tick) -> None:
        """Take a trade with all care; those that follow it in order are quick again."""
        if row.c and not _numbers(self.ineligible).isdisjoint(row.c):
            self._line(row.sym)
            return
        run = self._runs.get(row.sym)
        if run is not None and run.stretch(row):
            return
        trade = trade_of(row)
        line = self._note_trade(trade)
        if line is not None and line.bars.run.trade is trade:
            line.bars.open_run(row, trade)

    def _note_trade(self, trade: StreamTrade) -> _Line | None:
        line = self._line(trade.symbol)
        excluded = self.ineligible
        if line is None or (excluded and not excluded.isdisjoint(trade.conditions)):
            return None
        run, until = line.bars.run, self._now - self.delay
        run.close()
        known = run.trade
        if known is None or key_of(trade) > key_of(known):
            run.set_trade(trade)
        line.bars.add_trade(trade, until)
        if known is not None and known.ts.minute != trade.ts.minute:
            line.bars.finish(until)
        return line


@lru_cache(maxsize=4)
def _numbers(conditions: frozenset[str] | None) -> frozenset[int]:
    """Return the conditions as the wire has them."""
    return frozenset(int(one) for one in conditions or () if one.isdecimal())
