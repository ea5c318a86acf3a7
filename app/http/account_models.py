"""Owns the shapes of answers about an account: orders, fills, balances, its value, its journal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from app.http.answer_models import Labelled
from services.ledger.book import Cash
from services.ledger.performance import EquityPoint, Trade
from services.ledger.portfolio import Account, Portfolio
from services.ledger.valuation import Valuation
from services.orders.order import OrderClass, OrderType, Side, State, Tif
from services.orders.store import Transition


class OrderAnswer(Labelled):
    """One order: its terms, where it stands, and what is left of it."""

    id: str
    proposal_id: str
    portfolio_id: str
    account_id: str
    instrument_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType
    tif: Tif
    currency: str
    worst_price: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    protective_stop: Decimal | None
    order_class: OrderClass | None
    take_profit: Decimal | None
    stop_loss: Decimal | None
    parent_id: str | None
    basis_ref: str | None
    mode: str
    client_order_id: str
    broker: str
    broker_order_id: str | None
    state: State
    reason: str
    filled_quantity: Decimal
    avg_price: Decimal | None
    remaining: Decimal
    is_open: bool
    confirmed_by: str
    confirmed_at: datetime
    updated_at: datetime
    conversation_id: str
    run_id: str


class FillAnswer(Labelled):
    """One posted execution; `commission` is in `currency`, `at` the market's time.

    `corrected` says in words what the broker made of it later; empty while it stands.
    """

    id: str
    order_id: str
    portfolio_id: str
    exec_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    currency: str
    at: datetime
    broker: str
    corrected: str


class OrderDetail(OrderAnswer):
    """One order with its fills and every change of its state."""

    fills: list[FillAnswer]
    transitions: list[Transition]


class Balances(Labelled):
    """Cash posted, reserved and available, and the equity."""

    account: Account
    cash: Cash
    equity: Decimal | None
    day_pnl: Decimal | None


class ValuedPortfolio(Labelled):
    """A portfolio, its account and its value."""

    portfolio: Portfolio
    account: Account
    valuation: Valuation


class EquityHistory(Labelled):
    """Equity points, oldest first, and closed trades, newest first."""

    portfolio_id: str
    currency: str
    items: list[EquityPoint]
    trades: list[Trade]


class JournalAnswer(BaseModel):
    """One journal entry; only that of an execution tells market values and has their label."""

    id: str
    kind: str
    ref: str
    symbol: str
    text: str
    summary: str
    facts: dict[str, Any]
    at: datetime
    market_at: datetime
    author: str
    note: str
    tags: list[str]
    note_version: int
    note_updated_at: datetime
    as_of: datetime | None
    provenance: str | None
    source: str | None
