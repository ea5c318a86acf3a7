"""Owns asking one market-data provider: its budget, its breaker, its key, what its plan lacks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.kit.clock import Clock
from services.kit.errors import Refusal, refuse
from services.kit.http import HttpAnswer, HttpClient
from services.market.breaker import Breaker
from services.market.budget import Budget
from services.market.decode import Given, Page, Record, instant
from services.market.feed import Capability
from services.market.provider import ProviderRecord
from services.market.quote import Provenance

_LIMITED_S = 12.0
_KEY_REFUSED_S = 300.0
_DENIED_S = 3600.0
"""How long a denied product rests: an upgraded plan is noticed, and a vendor's slip heals."""
_SPARE = 5
_UPGRADE = "Upgrade the plan at the provider; it is asked again every hour."
_QUOTA = ("x-ratelimit-allowed", "x-ratelimit-used", "x-ratelimit-available")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Whom a link asks: the name in refusals, its decoder, and which product shows a delay.

    Products that are not `urgent` leave a fifth of the budget to those that are, so that prices
    still come when news and chains have to wait.
    `due_of` finds the instant that a refusal names as the end of a limit; `key_todo` is what to
    do when the key is refused.
    """

    provider: str
    decode: Callable[[str, bytes, Given], Page]
    key_todo: str
    priced: frozenset[str]
    urgent: frozenset[str]
    due_of: Callable[[Refusal], datetime | None] = lambda _: None


class Link:
    """One account at one provider; safe for many threads, never sleeps for the budget."""

    def __init__(
        self, http: HttpClient, clock: Clock, vendor: Vendor, *, requests_minute: int
    ) -> None:
        self.requests_minute = requests_minute
        self.delayed: bool | None = None
        self._http = http
        self._clock = clock
        self._vendor = vendor
        self._lock = threading.Lock()
        self._budget = Budget(requests_minute)
        self._breaker = Breaker()
        self._denied: dict[str, str] = {}
        self._denied_at: dict[str, float] = {}
        self._answered: set[str] = set()
        self._key_refused_at: float | None = None
        self._checked_at: datetime | None = None

    def page(self, ask: Ask, path: str = "") -> Page:
        """Return one page. Raises the refusals of the edge; a denied product rests for an hour."""
        self._require_open(ask)
        wait_s: float | None = None
        try:
            params = None if path else ask.params
            answer = self._http.get(path or ask.path, params, template=ask.template)
            wait_s = answer.retry_after_s
            self._note_quota(answer)
            page = self._vendor.decode(ask.kind, answer.body, _given(answer, ask.symbol))
        except Refusal as refusal:
            self._note_refusal(ask, refusal, wait_s)
            raise
        with self._lock:
            self._breaker.note_answer()
            self._key_refused_at = None
            self._checked_at = self._clock.now()
            self._answered.add(ask.product)
            self._denied.pop(ask.product, None)
            if ask.product in self._vendor.priced:
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
                provider = self._vendor.provider
                raise refuse("PROVIDER_BODY_INVALID", provider=provider, reason="too many pages")
            page, turned = self.page(ask, page.next_path), turned + 1
            records += page.records
            delayed = delayed or page.delayed
        return Page(records, None, delayed)

    def state(self) -> tuple[bool, str, str]:
        """Return whether the account works, why, and what to do; for the capability record."""
        now, provider = self._clock.monotonic(), self._vendor.provider
        with self._lock:
            if self._key_refused_at is not None:
                return False, f"{provider} refused the key", self._vendor.key_todo
            said = [f"{provider} provides market data"]
            if self.delayed:
                said.append("delayed by the plan")
            if self._denied:
                said.append(f"not in the plan: {', '.join(sorted(self._denied))}")
            rests, limited = self._breaker.rests_for(now), self._budget.limited_for(now)
            if rests:
                said.append(f"not answering, asked again in {round(rests)} s")
            elif limited:
                said.append(f"rate limited for {round(limited)} s")
            todo = _UPGRADE if self._denied else ""
            return True, "; ".join(said), todo

    def record(
        self,
        name: str,
        provenance: Provenance,
        products: Mapping[str, str],
        missing: Sequence[Capability] = (),
    ) -> ProviderRecord:
        """Return the record; `products` maps the product of an `Ask` to what a person calls it."""
        on, why, todo = self.state()
        now = self._clock.monotonic()
        with self._lock:
            return ProviderRecord(
                name=name,
                host=self._http.host,
                on=on,
                why=why,
                todo=todo,
                provenance=provenance if on else None,
                products=(
                    *(self._product(key, label, on=on) for key, label in products.items()),
                    *missing,
                ),
                breaker=self._breaker.state(now),
                requests_used=self._budget.used(now),
                requests_allowed=self._budget.allowed,
                limited_for_s=round(self._budget.limited_for(now)),
                checked_at=self._checked_at,
            )

    def asked(self) -> tuple[str, ...]:
        """Return every product that was answered or denied so far, by name."""
        with self._lock:
            return tuple(sorted(self._denied.keys() | self._answered))

    def _product(self, key: str, label: str, *, on: bool) -> Capability:
        provider = self._vendor.provider
        if key in self._denied:
            why, todo = f"not in the plan: {self._denied[key]}", _UPGRADE
            return Capability(label, on=False, why=why, todo=todo)
        if not on:
            why = f"{provider} refused the key"
            return Capability(label, on=False, why=why, todo=self._vendor.key_todo)
        said = "answered" if key in self._answered else "not asked yet"
        return Capability(label, on=True, why=f"{provider}: {said}")

    def _require_open(self, ask: Ask) -> None:
        now, provider = self._clock.monotonic(), self._vendor.provider
        with self._lock:
            refused_at = self._key_refused_at
            if refused_at is not None and now - refused_at < _KEY_REFUSED_S:
                raise refuse("PROVIDER_UNAUTHORIZED", provider=provider)
            rests = ask.product in self._denied
            if rests and now - self._denied_at[ask.product] < _DENIED_S:
                raise refuse("PROVIDER_NOT_ENTITLED", provider=provider, what=ask.product)
            spare = 0 if ask.product in self._vendor.urgent else self._budget.allowed // _SPARE
            wait_s = self._budget.wait_s(now, spare)
            if wait_s:
                retry_after_s = max(1, round(wait_s))
                raise refuse(
                    "PROVIDER_RATE_LIMITED", provider=provider, retry_after_s=retry_after_s
                )
            if not self._breaker.admits(now):
                reason = "the circuit breaker is open"
                raise refuse("PROVIDER_UNAVAILABLE", provider=provider, reason=reason)
            self._budget.spend(now)

    def _note_refusal(self, ask: Ask, refusal: Refusal, wait_s: float | None) -> None:
        now = self._clock.monotonic()
        with self._lock:
            match refusal.code:
                case "PROVIDER_UNAVAILABLE" | "PROVIDER_BODY_INVALID":
                    self._breaker.note_failure(now)
                    return
                case "PROVIDER_UNAUTHORIZED":
                    self._key_refused_at = now
                case "PROVIDER_NOT_ENTITLED":
                    self._denied[ask.product] = refusal.message
                    self._denied_at[ask.product] = now
                case "PROVIDER_RATE_LIMITED":
                    self._budget.limit(now + self._limit_s(refusal, wait_s))
            self._breaker.note_answer()
            self._checked_at = self._clock.now()

    def _limit_s(self, refusal: Refusal, wait_s: float | None) -> float:
        if wait_s is not None:
            return wait_s
        due = self._vendor.due_of(refusal)
        return _LIMITED_S if due is None else max(1.0, (due - self._clock.now()).total_seconds())

    def _note_quota(self, answer: HttpAnswer) -> None:
        """Take the `X-Ratelimit` headers; `Expiry` is an epoch in s or ms."""
        counts = [answer.headers.get(name, "") for name in _QUOTA]
        ends = instant(answer.headers.get("x-ratelimit-expiry"))
        if ends is None or not all(count.isascii() and count.isdecimal() for count in counts):
            return
        left = min(120.0, (ends - self._clock.now()).total_seconds())
        allowed, used, available = (int(count[:9]) for count in counts)
        with self._lock:
            until = self._clock.monotonic() + left
            self._budget.note_quota(allowed=allowed, used=used, available=available, until=until)


def _given(answer: HttpAnswer, symbol: str) -> Given:
    return Given(http_status=answer.status, content_type=answer.content_type, symbol=symbol)
