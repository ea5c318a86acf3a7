"""Owns the circuit breaker: after failures in a row it rests, then lets one request try."""

from __future__ import annotations

from services.market.provider import BreakerState

FAILURES_MAX = 5
REST_S = 30.0


class Breaker:
    """Counts failures in a row; every time is of a monotonic clock. The caller holds the lock."""

    def __init__(self, failures_max: int = FAILURES_MAX, rest_s: float = REST_S) -> None:
        self._failures_max = failures_max
        self._rest_s = rest_s
        self._failures = 0
        self._opened_at: float | None = None
        self._tried_at: float | None = None

    def state(self, now: float) -> BreakerState:
        """Return `open` while it rests, then `half_open` until a request went well."""
        if self._opened_at is None:
            return "closed"
        return "open" if now < self._opened_at + self._rest_s else "half_open"

    def admits(self, now: float) -> bool:
        """Return whether a request may go out; half open it is one, until that has ended."""
        match self.state(now):
            case "closed":
                return True
            case "open":
                return False
        if self._tried_at is not None and now < self._tried_at + self._rest_s:
            return False
        self._tried_at = now
        return True

    def rests_for(self, now: float) -> float:
        """Return the seconds until a request is let through; 0 when one may go now."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._rest_s - now)

    def note_answer(self) -> None:
        """Close: the provider answered, whatever it said."""
        self._failures, self._opened_at, self._tried_at = 0, None, None

    def note_failure(self, now: float) -> None:
        """Count one failure; the fifth in a row opens, and so does a failed try."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._opened_at, self._tried_at = now, None
