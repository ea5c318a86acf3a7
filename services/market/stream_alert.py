"""Owns what an operator is told of the stream: each interruption once, and that it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.outbox import put
from services.market.stream_state import StreamState

PATIENCE_S = 30
"""How long an interruption may last untold, and how long prices must flow to end it."""
_PATIENCE = timedelta(seconds=PATIENCE_S)
_DOWN = ("connecting", "waiting", "silent")


@dataclass(frozen=True, slots=True)
class StreamNotice:
    """One thing to tell; `at` makes it unique."""

    level: Literal["info", "warning", "critical"]
    code: str
    message: str
    at: datetime


class StreamReporter:
    """Follows the states of one stream, seen now and then, and says what is new about it.

    A connection that comes and goes is one interruption until prices have flowed for 30 s.
    """

    def __init__(self) -> None:
        self._refused = False
        self._crowded = False
        self._down_since: datetime | None = None
        self._told = False

    def look(self, state: StreamState, now: datetime) -> list[StreamNotice]:
        """Return the notices that `state` gives rise to at `now`; most looks give none."""
        found = [self._refusal(state, now), self._crowd(state, now), self._outage(state, now)]
        return [notice for notice in found if notice is not None]

    def _refusal(self, state: StreamState, now: datetime) -> StreamNotice | None:
        was, self._refused = self._refused, state.phase == "refused"
        if was or not self._refused:
            return None
        return _notice("critical", "STREAM_REFUSED", f"{state.reason}. {state.todo}", now)

    def _crowd(self, state: StreamState, now: datetime) -> StreamNotice | None:
        was, self._crowded = self._crowded, state.crowded
        if was or not self._crowded:
            return None
        return _notice("critical", "STREAM_CROWDED", f"{state.reason}. {state.todo}", now)

    def _outage(self, state: StreamState, now: datetime) -> StreamNotice | None:
        if state.phase in _DOWN:
            self._down_since = self._down_since or state.since
            late = now - self._down_since >= _PATIENCE and not self._told
            if not late:
                return None
            self._told = True
            why = state.reason or "no connection yet"
            return _notice("warning", "STREAM_DOWN", f"live prices are interrupted: {why}", now)
        settled = state.phase == "live" and now - state.since >= _PATIENCE
        if self._down_since is None or not (settled or state.phase in ("off", "not_leader")):
            return None
        told, self._told, self._down_since = self._told, False, None
        return _notice("info", "STREAM_UP", "live prices flow again", now) if told else None


def _notice(
    level: Literal["info", "warning", "critical"], code: str, said: str, now: datetime
) -> StreamNotice:
    said = said.strip()
    return StreamNotice(level, code, f"Market stream: {said.rstrip('.')}.", now)


def tell(ctx: Context, notices: list[StreamNotice]) -> int:
    """Put the notices into the outbox as alerts about the data; return how many."""
    for notice in notices:
        payload = {
            "level": notice.level,
            "message": notice.message,
            "code": notice.code,
            "subject": "market stream",
            "topic": "data",
        }
        dedupe = f"stream:{notice.code}:{instant_text(notice.at)}"
        put(ctx, "alert", "market stream", payload, dedupe=dedupe)
    return len(notices)
