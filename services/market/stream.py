"""Owns the market stream of Massive: one leader per account, one reader, tried again for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.kit.money import use_context
from services.market.feed import Capability
from services.market.live import SYMBOLS_MAX, LiveBook
from services.market.stream_board import StreamBoard
from services.market.stream_channel import belongs
from services.market.stream_fill import GapFill, MinuteSource
from services.market.stream_link import StreamAccount, StreamLink
from services.market.stream_state import Backoff, Ended, StreamState, StreamTiming

_log = structlog.get_logger("stream")
_JOIN_S = 10.0
_ELSEWHERE = "another process of this installation reads the stream"
_NOTHING = "nothing is watched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """How to be the one process that reads this account: take or renew, and give back."""

    take: Callable[[], bool]
    release: Callable[[], None]


class MassiveStream:
    """Reads one cluster into the live book, in a thread of its own; safe for many threads.

    A second thread renews the leadership and fills gaps, so that nothing slow holds the reader
    up. `chance` gives numbers in [0, 1) that spread the waits.
    """

    def __init__(
        self,
        account: StreamAccount,
        book: LiveBook,
        clock: Clock,
        *,
        source: MinuteSource,
        leadership: Leadership,
        chance: Callable[[], float],
        timing: StreamTiming | None = None,
    ) -> None:
        self._account = account
        self.book = book
        self._clock = clock
        self._leadership = leadership
        self._chance = chance
        self._timing = timing or StreamTiming()
        self._fill = GapFill(source, book, clock, self._timing)
        self._backoff = Backoff(self._timing)
        self._board = StreamBoard(book, self._fill, clock, self._find_end)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._led_until = 0.0
        self._renew_at = 0.0

    def watch(self, symbols: frozenset[str]) -> None:
        """Follow exactly these symbols of the cluster, at most 1,000, from the next moment on."""
        mine = sorted(one for one in symbols if belongs(one, self._account.cluster))
        if len(mine) > SYMBOLS_MAX:
            _log.warning("stream.too_many_symbols", asked=len(mine), kept=SYMBOLS_MAX)
        self._board.want(frozenset(mine[:SYMBOLS_MAX]))

    def start(self) -> None:
        """Start reading; also the way back after a refusal. Nothing happens while it reads."""
        if any(thread.is_alive() for thread in self._threads):
            return
        self._stop.clear()
        self._renew_at = 0.0
        self._board.enter("connecting", "starting")
        works = (("stream-reader", self._read), ("stream-duty", self._serve))
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True) for name, work in works
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the connection, wait for both threads and give the leadership back."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
        self._threads = []
        if self._board.state().phase != "refused":
            self._board.enter("off", "stopped")

    def supervise(self) -> bool:
        """Start again when a thread died of a fault; return whether that was so."""
        dead = [one.name for one in self._threads if not one.is_alive()]
        if not dead or self._board.state().phase == "refused":
            return False
        _log.error("stream.died", threads=dead)
        self.stop()
        self.start()
        return True

    def state(self) -> StreamState:
        """Return what the stream does now."""
        return self._board.state()

    def capability(self) -> Capability:
        """Return whether prices stream, why not, and what to do; for the capability record."""
        now = self.state()
        late = ", 15 minutes delayed" if self._account.delayed else ""
        said = [f"{now.phase.replace('_', ' ')}{late}", now.reason]
        if now.denied:
            said.append(f"not in the plan: {', '.join(now.denied)}")
        why = "; ".join(one for one in said if one)
        return Capability("market stream", on=now.phase == "live", why=why, todo=now.todo)

    def _find_end(self) -> Ended | None:
        if self._stop.is_set():
            return Ended("stopped", "stopped")
        if not self._board.wanted:
            return Ended("stopped", _NOTHING)
        return None if self._leads() else Ended("not_leader", _ELSEWHERE)

    def _leads(self) -> bool:
        return self._clock.monotonic() < self._led_until

    def _read(self) -> None:
        """Connect again and again; the reader's thread ends when stopped or refused."""
        use_context()
        while not self._stop.is_set():
            if not self._board.wanted:
                self._board.enter("off", _NOTHING)
            elif self._leads():
                ended = self._connect()
                if ended.word == "refused":
                    self._board.enter("refused", ended.reason, ended.todo)
                    return
                self._rest(ended)
                continue
            elif self._renew_at:
                self._board.enter("not_leader", _ELSEWHERE)
            self._stop.wait(self._timing.poll_s)

    def _connect(self) -> Ended:
        known = self._board.state()
        why = known.reason if known.phase in ("waiting", "silent") else ""
        self._board.enter("connecting", why, known.todo)
        link = StreamLink(
            self._account,
            self.book,
            self._clock,
            told=self._board,
            timing=self._timing,
            backoff=self._backoff,
        )
        return link.run()

    def _rest(self, ended: Ended) -> None:
        """Say why a connection ended and wait before the next; a wish to stop ends the wait."""
        if ended.word in ("stopped", "not_leader"):
            return
        self._board.note_end(ended)
        wait_s = self._backoff.wait_s(ended, self._chance())
        _log.warning("stream.ended", reason=ended.reason, wait_s=round(wait_s, 1))
        self._stop.wait(wait_s)

    def _serve(self) -> None:
        """Renew the leadership and fill gaps, until the reader stops; then give it back."""
        use_context()
        reader = self._threads[0]
        while not self._stop.is_set() and reader.is_alive():
            self._renew()
            if not (self._leads() and self._fill.step()):
                self._stop.wait(self._timing.poll_s)
        reader.join(_JOIN_S)
        self._give_back()

    def _renew(self) -> None:
        now = self._clock.monotonic()
        if now < self._renew_at:
            return
        try:
            if self._leadership.take():
                self._led_until = now + self._timing.lease_s
            else:
                self._led_until = 0.0
        except Refusal as refusal:
            _log.warning("stream.lease_unknown", code=refusal.code)
        self._renew_at = now + self._timing.lease_s / 3

    def _give_back(self) -> None:
        led, self._led_until = self._leads(), 0.0
        if not led:
            return
        try:
            self._leadership.release()
        except Refusal as refusal:
            _log.warning("stream.lease_kept", code=refusal.code)
