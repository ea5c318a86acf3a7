"""Owns the request budget of one account: its own count, and what the provider says of it."""

from __future__ import annotations

from collections import deque

_MINUTE_S = 60.0


class Budget:
    """Requests of a sliding minute; every time is monotonic. The caller holds the lock."""

    def __init__(self, requests_minute: int) -> None:
        self.allowed = requests_minute
        self._asked: deque[float] = deque()
        self._limited_until = 0.0
        self._said_used = 0
        self._said_until = 0.0

    def wait_s(self, now: float, spare: int = 0) -> float:
        """Return the seconds until the next request is allowed; 0 when it is now.

        With `spare` that many requests of the minute stay free for what is more urgent.
        """
        open_to = max(1, self.allowed - spare)
        while self._asked and self._asked[0] <= now - _MINUTE_S:
            self._asked.popleft()
        spent = len(self._asked) >= open_to
        due = self._asked[-open_to] + _MINUTE_S if spent else 0.0
        return max(0.0, due - now, self._limited_until - now)

    def spend(self, now: float) -> None:
        """Count one request."""
        self._asked.append(now)

    def used(self, now: float) -> int:
        """Return the requests of this minute: the higher of the own count and the provider's."""
        own = sum(1 for at in self._asked if at > now - _MINUTE_S)
        return max(own, self._said_used) if now < self._said_until else own

    def limited_for(self, now: float) -> float:
        """Return for how long the provider wants no request."""
        return max(0.0, self._limited_until - now)

    def limit(self, until: float) -> None:
        """Hold requests back until then; a longer wait is never shortened."""
        self._limited_until = max(self._limited_until, until)

    def note_quota(self, *, allowed: int, used: int, available: int, until: float) -> None:
        """Take the provider's own count, valid until its window ends; none left means wait."""
        self.allowed = min(self.allowed, allowed) if allowed > 0 else self.allowed
        self._said_used, self._said_until = used, until
        if available <= 0:
            self.limit(until)
