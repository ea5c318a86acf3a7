"""Owns what any account outside says of itself: its money, its positions and its past."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """Money of the account in USD; `buying_power` is what stocks may still cost.

    `type` is `cash`, `margin` or `pdt`.
    """

    type: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    unsettled: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAtBroker:
    """One position: signed units or contracts, its whole cost, and the average per unit."""

    symbol: str
    quantity: Decimal
    cost: Decimal
    avg_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One entry of the account's history: a trade, a dividend, interest, a fee and so on."""

    type: str
    on: date | None
    amount: Decimal
    symbol: str
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedAtBroker:
    """One closed position with its gain by the broker's own lots."""

    symbol: str
    quantity: Decimal
    cost: Decimal
    proceeds: Decimal
    gain: Decimal
    opened_on: date | None
    closed_on: date | None
