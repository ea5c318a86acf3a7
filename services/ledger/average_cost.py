"""Owns the pure average-cost account: trades and marks in order give cash, P&L and equity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, assert_never

from services.kit.errors import refuse
from services.ledger.performance_math import TradeStats, max_drawdown, total_return, trade_stats

ZERO = Decimal(0)
RejectReason = Literal["INSUFFICIENT_CASH", "INSUFFICIENT_POSITION"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeEvent:
    """A buy or sell that filled: units and price per unit, both above 0."""

    symbol: str
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class MarkEvent:
    """Prices at one instant; a symbol that is missing keeps its last known price."""

    marks: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class ClosingFill:
    """A sell and what it realised after its fee, unrounded."""

    symbol: str
    quantity: Decimal
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class Reject:
    """A trade that changed nothing, and why."""

    symbol: str
    reason: RejectReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """The account after the last event; figures are unrounded, one equity per mark event."""

    cash: Decimal
    trades: tuple[ClosingFill, ...]
    rejects: tuple[Reject, ...]
    equity: tuple[Decimal, ...]
    total_return: Decimal | None
    max_drawdown: Decimal | None
    stats: TradeStats


@dataclass(slots=True)
class _Pool:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass(slots=True)
class _Book:
    cash: Decimal
    fee: Decimal
    pools: dict[str, _Pool] = field(default_factory=dict)
    last: dict[str, Decimal] = field(default_factory=dict)
    trades: list[ClosingFill] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def trade(self, event: TradeEvent) -> None:
        pool = self.pools.setdefault(event.symbol, _Pool())
        reason = self._buy(event, pool) if event.side == "buy" else self._sell(event, pool)
        if reason is None:
            self.last[event.symbol] = event.price
        else:
            self.rejects.append(Reject(event.symbol, reason))

    def _buy(self, event: TradeEvent, pool: _Pool) -> RejectReason | None:
        cost = event.quantity * event.price + self.fee
        if cost > self.cash:
            return "INSUFFICIENT_CASH"
        self.cash -= cost
        pool.quantity += event.quantity
        pool.cost += cost
        return None

    def _sell(self, event: TradeEvent, pool: _Pool) -> RejectReason | None:
        if event.quantity > pool.quantity:
            return "INSUFFICIENT_POSITION"
        proceeds = event.quantity * event.price - self.fee
        if self.cash + proceeds < 0:
            return "INSUFFICIENT_CASH"
        part = (
            pool.cost
            if event.quantity == pool.quantity
            else (pool.cost * event.quantity / pool.quantity)
        )
        self.cash += proceeds
        pool.quantity -= event.quantity
        pool.cost -= part
        self.trades.append(ClosingFill(event.symbol, event.quantity, proceeds - part))
        return None

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        self.last.update(marks)
        held = ((symbol, pool.quantity) for symbol, pool in self.pools.items() if pool.quantity)
        return self.cash + sum((units * self.last[symbol] for symbol, units in held), ZERO)


def run_account(
    starting_cash: Decimal, fee_per_order: Decimal, *, events: Iterable[TradeEvent | MarkEvent]
) -> AccountReport:
    """Return the account after `events`: long only, average cost including buy fees.

    Realised P&L of a sell = quantity * (price - average) - fee. A trade without the cash or the
    position is rejected and changes nothing. Return and drawdown are null without a mark.
    Raises `PARAM_INVALID`. Worked: 100,000, fee 1: buy 100@200, buy 50@206, sell 120@209,
    sell 30@190 realises 837.40 and -361.40 and leaves 100,476.00.
    """
    _require(starting_cash > 0, "starting_cash", starting_cash, "must be above 0")
    _require(fee_per_order >= 0, "fee_per_order", fee_per_order, "must be 0 or more")
    book = _Book(starting_cash, fee_per_order)
    equity: list[Decimal] = []
    for event in events:
        _require_event(event)
        match event:
            case TradeEvent():
                book.trade(event)
            case MarkEvent():
                equity.append(book.equity(event.marks))
            case _:
                assert_never(event)
    return AccountReport(
        cash=book.cash,
        trades=tuple(book.trades),
        rejects=tuple(book.rejects),
        equity=tuple(equity),
        total_return=total_return(starting_cash, equity[-1]) if equity else None,
        max_drawdown=max_drawdown(equity, start=starting_cash),
        stats=trade_stats([trade.pnl for trade in book.trades]),
    )


def _require(condition: object, name: str, value: object, rule: str) -> None:
    if not condition:
        raise refuse("PARAM_INVALID", name=name, value=str(value), rule=rule)


def _require_event(event: TradeEvent | MarkEvent) -> None:
    if isinstance(event, MarkEvent):
        for symbol, mark in event.marks.items():
            _require(mark >= 0, f"marks.{symbol}", mark, "must be 0 or more")
        return
    _require(event.side in ("buy", "sell"), "side", event.side, "must be buy or sell")
    _require(event.quantity > 0, "qty", event.quantity, "must be above 0")
    _require(event.price > 0, "price", event.price, "must be above 0")
