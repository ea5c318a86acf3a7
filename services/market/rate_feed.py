"""Owns the exchange-rate port: what a provider of currency rates answers."""

from __future__ import annotations

from typing import Protocol

from services.kit.context import Context
from services.market.feed import Capability
from services.market.rates import RatePoint


class RateFeed(Protocol):
    """Where exchange rates come from; without one the product has none and says so."""

    def rate(self, ctx: Context, currency: str, base: str) -> RatePoint:
        """Return the newest `base` per one `currency`. Raises `FX_MISSING` and `PROVIDER_*`."""
        ...

    def capability(self) -> Capability:
        """Return whether rates are on; never raises."""
        ...
