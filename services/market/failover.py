"""Owns the second provider: asked while the first one fails, and never in one value with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from services import audit
from services.kit.clock import Clock, instant_text
from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.outbox import put
from services.market.feed import BarSeries, Capability, Feed, Split, Tick
from services.market.instrument import Instrument
from services.market.provider import ProviderRecord
from services.market.quote import Provenance, Quote
from services.market.recon import Comparison

T = TypeVar("T")
STAY_S = 30.0
"""How long the second provider answers before the first one is asked again."""
OUTAGES = frozenset(
    {
        "PROVIDER_BODY_INVALID",
        "PROVIDER_RATE_LIMITED",
        "PROVIDER_UNAUTHORIZED",
        "PROVIDER_UNAVAILABLE",
    }
)
"""The refusals that mean an outage; what a plan lacks is a capability and stays refused."""
_CHANGES_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the provider that answers; `reason` is the first one's refusal, or empty."""

    leaves: str
    takes_over: str
    reason: str
    at: datetime

    @property
    def failed_over(self) -> bool:
        """Return True when the first provider failed, False when it answers again."""
        return bool(self.reason)


class Changes:
    """The changes that nobody has written down yet; the newest hundred are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Change] = []

    def add(self, change: Change) -> None:
        """Add the newest change."""
        with self._lock:
            self._waiting.append(change)
            del self._waiting[:-_CHANGES_MAX]

    def take(self) -> list[Change]:
        """Return the changes since the last call, oldest first; each is returned once."""
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken


class FailoverFeed:
    """Two feeds behind the port. Each request is answered whole by one of them, under its name.

    Splits come from the first alone: a provider that knows none must not stand for none. So do
    trades: spans of two providers side by side could hold one trade twice, and fill it twice.
    An order on paper waits, and sees the whole span when the first provider is back.
    """

    def __init__(self, first: Feed, second: Feed, clock: Clock) -> None:
        self.first = first
        self.second = second
        self._clock = clock
        self._lock = threading.Lock()
        self._reason = ""
        self._since: datetime | None = None
        self._again_at = 0.0
        self.changes = Changes()
        self.comparison = Comparison(second, is_idle=lambda: self._answering() is not second)

    @property
    def name(self) -> str:
        """Return the name of the provider that answers now."""
        return self._answering().name

    @property
    def provenance(self) -> Provenance:
        """Return how real the quotes are of the provider that answers now."""
        return self._answering().provenance

    def as_of(self, ctx: Context) -> datetime:
        """Return the market's time, which is the same for both."""
        return self.first.as_of(ctx)

    def instruments(self, ctx: Context) -> Sequence[Instrument]:
        """Return the listings known to the provider that answers."""
        return self._ask(lambda feed: feed.instruments(ctx))

    def instrument(self, ctx: Context, symbol: str) -> Instrument:
        """Return one listing; both providers give it the same id."""
        return self._ask(lambda feed: feed.instrument(ctx, symbol))

    def quote(self, ctx: Context, symbol: str) -> Quote:
        """Return the newest quote, whole from the provider that its `source` names."""
        return self._ask(lambda feed: feed.quote(ctx, symbol))

    def bars(
        self,
        ctx: Context,
        symbol: str,
        timeframe: str,
        count: int,
        *,
        include_partial: bool = False,
    ) -> BarSeries:
        """Return one series, whole from the provider that its `source` names."""
        return self._ask(
            lambda feed: feed.bars(ctx, symbol, timeframe, count, include_partial=include_partial)
        )

    def tape(self, ctx: Context, symbol: str, after: datetime, until: datetime) -> Sequence[Tick]:
        """Return the trades of the first provider; refuses while that one fails."""
        return self.first.tape(ctx, symbol, after, until)

    def splits(
        self, ctx: Context, symbol: str, after: datetime, until: datetime
    ) -> Sequence[Split]:
        """Return the splits of the first provider; refuses while that one fails."""
        return self.first.splits(ctx, symbol, after, until)

    def capability(self) -> Capability:
        """Return whether market data are on, and who gives them while the first one fails."""
        with self._lock:
            reason, since = self._reason, self._since
        if since is None:
            return self.first.capability()
        why = (
            f"{self.first.name} fails ({reason}); {self.second.name} answers in its place since "
            f"{instant_text(since)}"
        )
        second = self.second.capability()
        todo = self.first.capability().todo or "Nothing: it is asked again by itself."
        return Capability(second.feature, on=second.on, why=why, todo=todo)

    def record(self) -> ProviderRecord:
        """Return the record of the first provider; the second has one of its own."""
        found = self.first.record()
        with self._lock:
            failed = self._since is not None
        return replace(found, failed_over_to=self.second.name) if failed else found

    def probe(self) -> None:
        """Probe the first provider."""
        self.first.probe()

    def _answering(self) -> Feed:
        with self._lock:
            return self.first if self._since is None else self.second

    def _ask(self, act: Callable[[Feed], T]) -> T:
        with self._lock:
            stays = self._since is not None and self._clock.monotonic() < self._again_at
        if stays:
            return act(self.second)
        try:
            answer = act(self.first)
        except Refusal as refusal:
            if refusal.code not in OUTAGES:
                raise
            self._fail(refusal)
            return act(self.second)
        self._recover()
        return answer

    def _fail(self, refusal: Refusal) -> None:
        with self._lock:
            self._again_at = self._clock.monotonic() + STAY_S
            self._reason = refusal.code
            if self._since is None:
                self._since = self._clock.now()
                self._note(refusal.code)

    def _recover(self) -> None:
        with self._lock:
            if self._since is not None:
                self._since, self._reason = None, ""
                self._note("")

    def _note(self, reason: str) -> None:
        names = (self.first.name, self.second.name)
        leaves, takes_over = names if reason else names[::-1]
        at = self._clock.now()
        self.changes.add(Change(leaves=leaves, takes_over=takes_over, reason=reason, at=at))


def record_change(ctx: Context, change: Change) -> int:
    """Write a change into the audit chain and tell it as an alert; return 1."""
    kind = "provider.failed_over" if change.failed_over else "provider.recovered"
    at = instant_text(change.at)
    audit.record(
        ctx, kind, change.leaves, takes_over=change.takes_over, reason=change.reason, at=at
    )
    said = f"{change.takes_over} gives market data now, and {change.leaves} does not"
    message = f"{said} ({change.reason})." if change.failed_over else f"{said} any more."
    payload = {
        "level": "warning" if change.failed_over else "info",
        "message": message,
        "code": change.reason or "PROVIDER_RECOVERED",
        "subject": change.leaves,
        "topic": "data",
    }
    put(ctx, "alert", change.leaves, payload, dedupe=f"{kind}:{change.leaves}:{at}")
    return 1
