"""Owns rate limits: moving windows in memory, one per group and caller, on the injected clock."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable

from services.kit.errors import refuse
from services.kit.settings import Settings

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_CALLERS_MAX = 20_000
"""Windows kept at once; the one unused for longest goes first."""
GROUPS: dict[str, tuple[str, ...]] = {
    "login": ("limit_login",),
    "chat": ("limit_chat", "limit_chat_day"),
    "confirm": ("limit_confirm",),
    "mutate": ("limit_mutate",),
    "read": ("limit_read",),
    "stream": ("limit_stream",),
    "ws": ("limit_ws",),
    "page": ("limit_page",),
    "none": (),
}
"""The settings that bound each rate group. `none` is never limited: halt and probes."""
PAGE_LIMIT = "1200/minute"
"""Files of the page per address; one load takes about thirty."""


class Limits:
    """Counts hits of the last period exactly; never more than the limit in any window."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._rules = {
            group: tuple(_rule(settings, name) for name in names) for group, names in GROUPS.items()
        }
        self._hits: OrderedDict[tuple[str, str, int], deque[float]] = OrderedDict()

    def take(self, group: str, caller: str) -> None:
        """Count one hit of `caller`; a refused one counts nothing. Raises `RATE_LIMITED`."""
        rules = self._rules[group]
        if not rules:
            return
        now = self._monotonic()
        windows = [self._window(group, caller, period) for _, period, _ in rules]
        for (count, period, text), hits in zip(rules, windows, strict=True):
            while hits and hits[0] <= now - period:
                hits.popleft()
            if len(hits) >= count:
                wait_s = max(1, math.ceil(hits[0] + period - now))
                raise refuse("RATE_LIMITED", limit=text, retry_after_s=wait_s, group=group)
        for hits in windows:
            hits.append(now)

    def _window(self, group: str, caller: str, period: int) -> deque[float]:
        key = (group, caller, period)
        hits = self._hits.get(key)
        if hits is None:
            hits = self._hits[key] = deque()
            if len(self._hits) > _CALLERS_MAX:
                self._hits.popitem(last=False)
        else:
            self._hits.move_to_end(key)
        return hits


def _rule(settings: Settings, name: str) -> tuple[int, int, str]:
    text: str = PAGE_LIMIT if name == "limit_page" else getattr(settings, name)
    count, _, unit = text.partition("/")
    return int(count), _SECONDS[unit], text
