"""Owns the record of a provider: what it gives, what it lacks and why, and how it answers now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """What can be asked for its record, and probed."""

    def record(self) -> ProviderRecord:
        """Return the record of this instant; asks nobody and never raises."""
        ...

    def probe(self) -> None:
        """Ask one cheap question, so that the record tells whether the key works; never raises."""
        ...


class Providers:
    """Every provider that this product knows, the configured ones with what they answer."""

    def __init__(
        self, configured: Sequence[Provider] = (), idle: Sequence[ProviderRecord] = ()
    ) -> None:
        self.configured = tuple(configured)
        self._idle = tuple(idle)

    def records(self) -> tuple[ProviderRecord, ...]:
        """Return the records: the configured providers in their order, then those switched off."""
        return (*(one.record() for one in self.configured), *self._idle)
