"""Owns the record of a provider: what it gives, what it lacks and why, and how it answers now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

from services.market.feed import Capability
from services.market.quote import Provenance

BreakerState = Literal["closed", "open", "half_open"]
"""Whether requests pass, are held back, or one is let through to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRecord:
    """One provider at one instant.

    `products` says part by part what it gives; requests are those of the running minute, 0 of 0
    where nothing is asked over the network. `failed_over_to` names the provider that answers in
    its place, and `checked_at` is when it last answered at all.
    """

    name: str
    host: str
    on: bool
    why: str
    todo: str = ""
    provenance: Provenance | None = None
    products: tuple[Capability, ...] = ()
    breaker: BreakerState = "closed"
    requests_used: int = 0
    requests_allowed: int = 0
    limited_for_s: int = 0
    failed_over_to: str | None = None
    checked_at: datetime | None = None


class Provider(Protocol):
    """What can be asked for its record, and probed; every feed can."""

    def record(self) -> ProviderRecord:
        """Return the record of this instant; asks nobody and never raises."""
        ...

    def probe(self) -> None:
        """Ask one cheap question, so that the record tells whether the key works; never raises."""
        ...


class StandBy:
    """A configured provider that is not in use: its record says why and what would use it."""

    def __init__(self, provider: Provider, why: str, todo: str) -> None:
        self._provider = provider
        self._why = why
        self._todo = todo

    def record(self) -> ProviderRecord:
        """Return the record, off; a key that was refused stays the reason."""
        found = self._provider.record()
        if not found.on:
            return found
        return replace(found, on=False, why=self._why, todo=self._todo)

    def probe(self) -> None:
        """Ask the provider all the same, so that a wrong key shows before it is needed."""
        self._provider.probe()


class Providers:
    """Every provider that this product knows: the configured ones, then those without a key."""

    def __init__(
        self,
        configured: Sequence[Provider] = (),
        idle: Sequence[ProviderRecord] = (),
        *,
        closing: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.configured = tuple(configured)
        self.idle = tuple(idle)
        self._closing = tuple(closing)

    def close(self) -> None:
        """Close every connection to a provider."""
        for close in self._closing:
            close()

    def records(self) -> tuple[ProviderRecord, ...]:
        """Return the records, the provider of the feed first."""
        return (*(one.record() for one in self.configured), *self.idle)
