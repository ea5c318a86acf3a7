"""Owns what a guard sees and what it answers: one frozen context, one verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from services.kit.errors import Refusal, refuse
from services.kit.money import decimal_text, tick_round
from services.kit.policy import OrderPolicy, RiskPolicy
from services.orders.order import Order, Side
from services.trade.day_trade import DayTradeRule
from services.trade.risk import RiskPosition, RiskReading


class Stage(StrEnum):
    """When the guards run."""

    PROPOSE = "propose"
    CONFIRM = "confirm"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardContext:
    """Everything the guards look at, gathered once; prices per unit, money in order currency.

    `held` is the signed position; `available_quantity` is what open sell orders have not
    reserved. `reference_mid` is the middle price the person saw, None at propose. `account_risk` is
    the account without this order, `opening` the units of the order that open or add.
    """

    stage: Stage
    order: Order
    now: datetime
    expires_at: datetime
    switch_state: str
    switch_reason: str
    frozen_reason: str
    unready_reason: str
    account_mode: str
    allow_short: bool
    live_process: bool
    sandbox: bool
    day_trade_rule: DayTradeRule
    quote_provenance: str
    bid: Decimal
    ask: Decimal
    quote_age_s: Decimal
    dq_findings: tuple[str, ...]
    market_state: str
    next_open: str
    calendar: str
    tick: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    held: Decimal
    available_quantity: Decimal
    cash_available: Decimal
    unsettled_cash: Decimal
    commission: Decimal
    equity: Decimal
    open_equity: Decimal
    gross_value: Decimal
    day_pnl: Decimal
    day_loss_latched: bool
    day_trades: int
    in_doubt: int
    alike_recently: int
    reference_mid: Decimal | None
    policy: OrderPolicy
    risk: RiskPolicy
    account_risk: RiskReading | None = None
    opening: RiskPosition | None = None

    @property
    def mid(self) -> Decimal:
        """Return the middle of bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def reduces(self) -> bool:
        """Return True when the order only makes the position smaller."""
        signed = self.order.quantity * self.order.sign
        return self.held * signed < 0 and abs(signed) <= abs(self.held)

    @property
    def cost(self) -> Decimal:
        """Return the most a buy may take from cash, or the commission of a sale."""
        if self.order.side is Side.SELL:
            return self.commission
        worst = tick_round(self.notional, Decimal("0.01"), "ceil")
        return worst + self.commission

    @property
    def notional(self) -> Decimal:
        """Return quantity times worst price."""
        return self.order.quantity * self.order.worst_price


@dataclass(frozen=True, slots=True)
class GuardResult:
    """One guard's verdict. `severity` is `ok`, `warn`, `typed` (type to confirm) or `block`."""

    guard: str
    severity: str = "ok"
    code: str = ""
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def refusal(self) -> Refusal:
        """Return the refusal of a blocking result."""
        facts = {"guard": self.guard, "reason": self.reason, **self.facts}
        if self.code == "GUARD_REFUSED":
            facts.setdefault("todo", "Change the order, or wait until it is allowed.")
        return refuse(self.code, **facts)


def block(guard: str, code: str, reason: str, **facts: object) -> GuardResult:
    """Return a blocking verdict; `facts` become text, decimals without loss."""
    said = {
        name: decimal_text(value) if isinstance(value, Decimal) else str(value)
        for name, value in facts.items()
    }
    return GuardResult(guard, "block", code, reason, said)


def ok(guard: str, **facts: Decimal | str | int) -> GuardResult:
    """Return a passing verdict with the figures it looked at."""
    said = {
        name: decimal_text(value) if isinstance(value, Decimal) else str(value)
        for name, value in facts.items()
    }
    return GuardResult(guard, facts=said)
