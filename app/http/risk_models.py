"""Owns the shape of an account's risk on the wire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from app.http.answer_models import Labelled
from services.orders.risk_engine import RiskView


class RiskLimit(BaseModel):
    """One limit: `value` of `limit` in its own unit; `used` 1 is the limit."""

    name: str
    label: str
    value: Decimal
    limit: Decimal
    used: Decimal


class RiskPart(BaseModel):
    """One position or unfilled opening order; without a stop all of it is at risk."""

    symbol: str
    side: str
    quantity: Decimal
    last: Decimal
    stop: Decimal | None
    notional: Decimal
    open_risk: Decimal
    open_risk_r: Decimal


class RiskAnswer(Labelled):
    """Where an account stands; figures are null while it has no equity to measure against."""

    portfolio_id: str
    state: str
    reason: str
    text: str
    currency: str
    equity: Decimal | None
    one_r: Decimal | None
    open_risk: Decimal | None
    open_risk_r: Decimal | None
    gross: Decimal | None
    net: Decimal | None
    day_pnl: Decimal | None
    day_r: Decimal | None
    week_pnl: Decimal | None
    breaches: list[str]
    flags: list[str]
    cools_until: datetime | None
    market_open: bool
    limits: list[RiskLimit]
    positions: list[RiskPart]


_FIGURES = (
    "equity", "one_r", "open_risk", "open_risk_r", "gross", "net", "day_pnl", "day_r", "week_pnl",
)  # fmt: skip


def risk_items(found: RiskView) -> dict[str, Any]:
    """Return a view as it is shown, without its label."""
    body, now = found.body, found.now
    return {
        "portfolio_id": found.portfolio_id,
        "state": found.state,
        "reason": found.reason,
        "text": found.text,
        "currency": now.currency,
        **{name: body.get(name) for name in _FIGURES},
        **{name: body.get(name, []) for name in ("breaches", "flags", "limits", "positions")},
        "cools_until": now.cools_until,
        "market_open": now.market_open,
    }
