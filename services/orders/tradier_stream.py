"""Owns keeping Tradier's account events connected: one reader, one leader, bounded back-off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.kit.money import use_context
from services.market.stream_state import Backoff, Ended, StreamTiming
from services.orders.tradier_events import TIMING, TradierEvents

_log = structlog.get_logger("orders")
_JOIN_S = 5.0
_ELSEWHERE = "another process of this installation reads the account's events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """How to be the one process that reads these events: take or renew, and give back."""

    take: Callable[[], bool]
    release: Callable[[], None]


class TradierStream:
    """Reads the events in a thread of its own and tries again for ever; nothing depends on it.

    `phase` is `off`, `connecting`, `live`, `waiting` or `not_leader`, and `reason` says why.
    `chance` gives numbers in [0, 1) that spread the waits.
    """

    def __init__(
        self,
        events: TradierEvents,
        clock: Clock,
        *,
        leader: Leader,
        chance: Callable[[], float],
        timing: StreamTiming = TIMING,
    ) -> None:
        self.events = events
        self.phase, self.reason, self.reconnects = "off", "not started", 0
        self._clock = clock
        self._leader = leader
        self._chance = chance
        self._timing = timing
        self._backoff = Backoff(timing)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._led_until = 0.0

    def start(self) -> None:
        """Start reading; nothing happens while it reads. A reader that died is replaced."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._thread is not None:
            _log.error("broker.events_died", reason=self.reason)
        self._stop.clear()
        self._thread = threading.Thread(target=self._read, name="account-events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the connection, wait for the reader and give the leadership back."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
            self._thread = None
        self._enter("off", "stopped")

    def _read(self) -> None:
        use_context()
        while not self._stop.is_set():
            if not self._leads():
                self._enter("not_leader", _ELSEWHERE)
                self._stop.wait(self._timing.lease_s / 3)
                continue
            self._enter("connecting", self.reason)
            ended = self.events.run(live=self._note_live, find_end=self._find_end)
            if ended.word != "stopped":
                self._rest(ended)
        self._give_back()

    def _rest(self, ended: Ended) -> None:
        wait_s = self._backoff.wait_s(ended, self._chance())
        self.reconnects += 1
        self._enter("waiting", ended.reason)
        _log.warning("broker.events_ended", reason=ended.reason, wait_s=round(wait_s, 1))
        self._stop.wait(wait_s)

    def _note_live(self, spoken_s: float) -> None:
        self._backoff.note_flow(spoken_s)
        self._enter("live", "")

    def _find_end(self) -> Ended | None:
        if self._stop.is_set():
            return Ended("stopped", "stopped")
        return None if self._leads() else Ended("stopped", _ELSEWHERE)

    def _leads(self) -> bool:
        """Return whether this process reads; the lease is renewed well before its end."""
        now, lease_s = self._clock.monotonic(), self._timing.lease_s
        if now >= self._led_until - lease_s * 2 / 3:
            try:
                self._led_until = now + lease_s if self._leader.take() else 0.0
            except Refusal as refusal:
                _log.warning("broker.events_lease_unknown", code=refusal.code)
        return now < self._led_until

    def _give_back(self) -> None:
        led, self._led_until = self._clock.monotonic() < self._led_until, 0.0
        if not led:
            return
        try:
            self._leader.release()
        except Refusal as refusal:
            _log.warning("broker.events_lease_kept", code=refusal.code)

    def _enter(self, phase: str, reason: str) -> None:
        self.phase, self.reason = phase, reason
