"""Owns talking to Massive: the request budget, the circuit breaker, and what the plan allows."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.kit.clock import Clock
from services.kit.errors import Refusal, refuse
from services.kit.http import HttpAnswer, HttpClient
from services.market.decode import Given, Record
from services.market.massive_decode import Page, decode_page
from services.market.massive_refusal import PROVIDER

_FAILURES_MAX = 5
_BREAK_S = 30.0
_LIMITED_S = 12.0
_KEY_REFUSED_S = 300.0
_MINUTE_S = 60.0
PAGES_MAX = 20
"""Bound of the pages that one answer is put together from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request: the kind of its records, its path, and the product of the plan it needs."""

    kind: str
    product: str
    path: str
    template: str
    params: Mapping[str, str] = field(default_factory=dict)
    symbol: str = ""


class MassiveLink:
    """One account at Massive; safe for many threads, never sleeps for the budget."""

    def __init__(self, http: HttpClient, clock: Clock, requests_minute: int) -> None:
        self.requests_minute = requests_minute
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: deque[float] = deque()
        self._denied: dict[str, str] = {}
        self._failures = 0
        self._closed_until = 0.0
        self._limited_until = 0.0
        self._key_refused_at: float | None = None
        self.delayed: bool | None = None

    def page(self, ask: Ask, path: str = "") -> Page:
        """Return one page. Raises the refusals of the edge; a denied product is not asked again."""
        self._require_open(ask)
        wait_s: float | None = None
        try:
            params = None if path else ask.params
            answer = self._http.get(path or ask.path, params, template=ask.template)
            wait_s = answer.retry_after_s
            page = decode_page(ask.kind, answer.body, _given(answer, ask.symbol))
        except Refusal as refusal:
            self._note_refusal(ask, refusal, wait_s)
            raise
        with self._lock:
            self._failures = 0
            self._key_refused_at = None
            if ask.product in ("snapshots", "aggregates"):
                self.delayed = page.delayed
        return page

    def pages(self, ask: Ask, enough: int | None = None) -> Page:
        """Return all pages as one; an explicit null is asked a second time.

        With `enough` records it stops early. Raises `PROVIDER_BODY_INVALID` when there are more
        pages than allowed and nothing says that the part is enough.
        """
        page = self.page(ask)
        if page.is_null:
            page = self.page(ask)
        records: list[Record] = list(page.records)
        delayed, turned = page.delayed, 1
        while page.next_path is not None and (enough is None or len(records) < enough):
            if turned == PAGES_MAX:
                if enough is not None:
                    break
                raise refuse("PROVIDER_BODY_INVALID", provider=PROVIDER, reason="too many pages")
            page, turned = self.page(ask, page.next_path), turned + 1
            records += page.records
            delayed = delayed or page.delayed
        return Page(records, None, delayed)

    def state(self) -> tuple[bool, str, str]:
        """Return whether the account works, why, and what to do; for the capability record."""
        now = self._clock.monotonic()
        with self._lock:
            if self._key_refused_at is not None:
                todo = "Correct MASSIVE_API_KEY (or POLYGON_API_KEY) and restart."
                return False, f"{PROVIDER} refused the key", todo
            said = [f"{PROVIDER} provides market data"]
            if self.delayed:
                said.append("delayed by the plan")
            if self._denied:
                said.append(f"not in the plan: {', '.join(sorted(self._denied))}")
            if now < self._closed_until:
                said.append(f"not answering, asked again in {round(self._closed_until - now)} s")
            elif now < self._limited_until:
                said.append(f"rate limited for {round(self._limited_until - now)} s")
            todo = "Upgrade the plan at the provider for these." if self._denied else ""
            return True, "; ".join(said), todo

    def _require_open(self, ask: Ask) -> None:
        now = self._clock.monotonic()
        with self._lock:
            refused_at = self._key_refused_at
            if refused_at is not None and now - refused_at < _KEY_REFUSED_S:
                raise refuse("PROVIDER_UNAUTHORIZED", provider=PROVIDER)
            if ask.product in self._denied:
                raise refuse("PROVIDER_NOT_ENTITLED", provider=PROVIDER, what=ask.product)
            if now < self._closed_until:
                raise refuse(
                    "PROVIDER_UNAVAILABLE", provider=PROVIDER, reason="the circuit breaker is open"
                )
            while self._asked and self._asked[0] <= now - _MINUTE_S:
                self._asked.popleft()
            spent = len(self._asked) >= self.requests_minute
            if now < self._limited_until or spent:
                due = self._asked[0] + _MINUTE_S if spent else self._limited_until
                raise refuse(
                    "PROVIDER_RATE_LIMITED",
                    provider=PROVIDER,
                    retry_after_s=max(1, round(due - now)),
                )
            self._asked.append(now)

    def _note_refusal(self, ask: Ask, refusal: Refusal, wait_s: float | None) -> None:
        now = self._clock.monotonic()
        with self._lock:
            match refusal.code:
                case "PROVIDER_UNAUTHORIZED":
                    self._key_refused_at = now
                case "PROVIDER_NOT_ENTITLED":
                    self._denied[ask.product] = refusal.message
                case "PROVIDER_RATE_LIMITED":
                    self._limited_until = now + (_LIMITED_S if wait_s is None else wait_s)
                case "PROVIDER_UNAVAILABLE" | "PROVIDER_BODY_INVALID":
                    self._failures += 1
                    if self._failures >= _FAILURES_MAX:
                        self._closed_until = now + _BREAK_S
                case _:
                    self._failures = 0


def _given(answer: HttpAnswer, symbol: str) -> Given:
    return Given(http_status=answer.status, content_type=answer.content_type, symbol=symbol)
