"""Owns the shape of the live state on the wire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from app.http.account_models import OrderAnswer
from app.http.answer_models import Labelled


class LiveRisk(BaseModel):
    """The worst state of the accounts' risk, and the switch of orders."""

    state: str
    reason: str
    switch: str
    switch_reason: str
    items: list[dict[str, Any]]
    at: datetime


class LiveAlerts(BaseModel):
    """The alerts that stand."""

    items: list[dict[str, Any]]


class LiveOrders(BaseModel):
    """The open orders."""

    items: list[OrderAnswer]
    whole: bool


class LivePositions(BaseModel):
    """What is held, by portfolio."""

    items: list[dict[str, Any]]


class LivePrice(BaseModel):
    """One price as `/ws` tells it."""

    symbol: str
    last: Decimal
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    currency: str
    ts: datetime
    provenance: str
    source: str


class Missing(BaseModel):
    """A symbol without a price, and why."""

    symbol: str
    code: str
    message: str
    hint: str


class LiveState(Labelled):
    """The whole live state; the events of the desk behind `cursor` are not in it."""

    cursor: str
    risk: LiveRisk
    alerts: LiveAlerts
    orders: LiveOrders
    positions: LivePositions
    prices: list[LivePrice]
    missing: list[Missing]
