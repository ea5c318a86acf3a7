"""Owns what a stream's threads share: its state, the symbols wanted, and what the plan denies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

import structlog

from services.kit.clock import Clock
from services.market.live import LiveBook
from services.market.stream_fill import GapFill
from services.market.stream_state import Ended, Phase, StreamState

_log = structlog.get_logger("stream")


class StreamBoard:
    """Written by the reader, read by every thread; it is what a connection is told by."""

    def __init__(
        self, book: LiveBook, fill: GapFill, clock: Clock, find_end: Callable[[], Ended | None]
    ) -> None:
        self._book = book
        self._fill = fill
        self._clock = clock
        self._find_end = find_end
        self._lock = threading.Lock()
        self._last_frame_at: datetime | None = None
        self._wanted: frozenset[str] = frozenset()
        self._state = StreamState(phase="off", since=clock.now(), reason="not started")

    @property
    def wanted(self) -> frozenset[str]:
        """Return the symbols to follow now."""
        return self._wanted

    @property
    def denied(self) -> frozenset[str]:
        """Return the kinds of events that the plan is known to lack."""
        return frozenset(self._state.denied)

    def want(self, symbols: frozenset[str]) -> None:
        """Set the symbols to follow; those that nobody follows any more are forgotten."""
        if symbols == self._wanted:
            return
        self._wanted = symbols
        self._change(symbols=len(symbols))
        self._book.keep(symbols)
        self._fill.keep(symbols)

    def state(self) -> StreamState:
        """Return what the stream does now."""
        with self._lock:
            return replace(self._state, last_frame_at=self._last_frame_at)

    def enter(self, phase: Phase, reason: str = "", todo: str = "") -> None:
        """Enter a phase; `since` stays while phase and reason do."""
        with self._lock:
            known = self._state
            same = (known.phase, known.reason) == (phase, reason)
            if not same:
                _log.info("stream.phase", phase=phase, reason=reason)
            since = known.since if same else self._clock.now()
            self._state = replace(known, phase=phase, since=since, reason=reason, todo=todo)

    def note_end(self, ended: Ended) -> None:
        """Count one more connection that ended and say why, until the next one is made."""
        crowded = ended.word == "crowded" or self._state.crowded
        self._change(reconnects=self._state.reconnects + 1, crowded=crowded)
        self.enter("silent" if ended.word == "silent" else "waiting", ended.reason, ended.todo)

    def find_end(self) -> Ended | None:
        """Return why the connection has to end now, or None."""
        return self._find_end()

    def note_live(self) -> None:
        """Hear that the server confirmed a subscription, or that data came."""
        if self._state.phase != "live":
            self.enter("live")

    def note_values(self, at: datetime) -> None:
        """Hear that data came."""
        self._last_frame_at = at

    def note_settled(self) -> None:
        """Hear that data have flowed for a while: whoever crowded the account is gone."""
        if self._state.crowded:
            self._change(crowded=False)

    def note_denied(self, kinds: frozenset[str]) -> None:
        """Remember that the plan lacks these kinds of events: a capability, no outage."""
        _log.warning("stream.denied", kinds=sorted(kinds))
        self._change(denied=tuple(sorted({*self._state.denied, *kinds})))

    def note_gap(self, symbols: Iterable[str], at: datetime) -> None:
        """Mark that data from before `at` may be missing, and have the minutes asked for again."""
        asked = frozenset(symbols)
        self._book.mark_gap(sorted(asked), at)
        self._fill.ask(asked)
        if self._last_frame_at is not None:
            self._change(gap_from=self._last_frame_at, gap_until=at)

    def _change(self, **fields: object) -> None:
        with self._lock:
            self._state = replace(self._state, **fields)  # type: ignore[arg-type]
