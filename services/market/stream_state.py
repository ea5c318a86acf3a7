"""Owns the rules of a stream's connection: its state, when to try again, what silence means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Phase = Literal["off", "connecting", "live", "silent", "waiting", "refused", "not_leader"]
EndWord = Literal["closed", "crowded", "refused", "silent", "lost", "stopped", "not_leader"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTiming:
    """The bounds of a connection, in seconds and counts; tests give shorter ones."""

    connect_s: float = 10.0
    greet_s: float = 10.0
    poll_s: float = 0.5
    silence_s: float = 60.0
    settled_s: float = 30.0
    backoff_s: float = 1.0
    backoff_s_max: float = 60.0
    crowded_s: float = 60.0
    lease_s: float = 60.0
    fill_after_s: float = 10.0
    close_s: float = 1.0
    symbols_batch: int = 100
    undecodable_max: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """What a stream does now, since when, why, and what a person can do about it.

    `live` means subscribed and not silent; `silent` that nothing came while the connection
    answered; `waiting` that it tries again soon; `refused` that it will not, until it is started
    again. `denied` are kinds of events that the plan does not include. `crowded` says that
    another process uses the account.
    """

    phase: Phase
    since: datetime
    last_frame_at: datetime | None = None
    reconnects: int = 0
    reason: str = ""
    todo: str = ""
    denied: tuple[str, ...] = ()
    crowded: bool = False
    gap_from: datetime | None = None
    gap_until: datetime | None = None
    symbols: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a connection ended; `word` says what to do next."""

    word: EndWord
    reason: str
    todo: str = ""


class Backoff:
    """Growing waits between connections; only data that flowed for a while make them short again.

    A welcome is no proof: a crowded account is greeted, subscribed and cut off after that.
    """

    def __init__(self, timing: StreamTiming) -> None:
        self._timing = timing
        self._failures = 0

    def wait_s(self, ended: Ended, chance: float) -> float:
        """Return the wait after one more end; `chance` in [0, 1) spreads it over its upper half.

        Worked: the third failure in a row waits 2 to 4 s, a crowded account 60 s or more.
        """
        longest = self._timing.backoff_s * 2.0 ** min(self._failures, 16)
        self._failures += 1
        wait = min(longest, self._timing.backoff_s_max) * (0.5 + chance / 2)
        return wait + self._timing.crowded_s if ended.word == "crowded" else wait

    def note_flow(self, flowing_s: float) -> bool:
        """Begin anew once data have flowed for the settled time on one connection."""
        settled = flowing_s >= self._timing.settled_s
        if settled:
            self._failures = 0
        return settled


class Watchdog:
    """Tells a quiet market from a dead stream; its times are monotonic seconds."""

    def __init__(self, timing: StreamTiming, began: float) -> None:
        self._silence_s = timing.silence_s
        self._heard = began
        self._first: float | None = None

    def note(self, now: float) -> None:
        """Say that something of the market came."""
        self._heard = now
        if self._first is None:
            self._first = now

    def rest(self, now: float) -> None:
        """Say that nothing is due now (the market is closed, or nothing is watched)."""
        self._heard = now

    def is_silent(self, now: float, times: int = 1) -> bool:
        """Return whether data were due and none came for `times` the silence time."""
        return now - self._heard >= self._silence_s * times

    def flowing_s(self, now: float) -> float:
        """Return how long data have flowed on this connection: 0 before the first."""
        return 0.0 if self._first is None else now - self._first
