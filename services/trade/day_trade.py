"""Owns the day-trade and settlement checks of an account; which rule holds is data, not code."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, assert_never

from services.kit.errors import refuse
from services.kit.money import decimal_text, rounded
from services.trade.param import ZERO, require, require_not_negative

DayTradeRule = Literal["none", "pdt_legacy", "intraday_margin", "cash"]
RULES = ("none", "pdt_legacy", "intraday_margin", "cash")
ASSUMED: DayTradeRule = "pdt_legacy"
"""The strictest rule; taken when neither the broker nor the settings name one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTradeAccount:
    """What the checks read, in account currency; `rule` is None when nobody named it.

    `day_trades` counts the last five sessions, today included. `maintenance` is what the broker
    requires for all positions after the order; `cost` is the money that the order takes.
    """

    rule: DayTradeRule | None
    equity: Decimal
    day_trades: int = 0
    maintenance: Decimal = ZERO
    settled_cash: Decimal = ZERO
    cost: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternLimits:
    """The numbers of the legacy pattern-day-trader rule; brokers drop it until October 2027."""

    min_equity: Decimal
    max_day_trades: int


def require_day_trade(account: DayTradeAccount, *, limits: PatternLimits) -> tuple[str, ...]:
    """Refuse an opening order that may not be closed in its session; return the flags.

    An unknown rule is taken as the legacy one, flag `DAY_TRADE_RULE_ASSUMED`. Raises `PDT_LIMIT`,
    `INTRADAY_MARGIN_DEFICIT`, `UNSETTLED_FUNDS`. Worked: 24,999.99 with 3 day trades under
    25,000 and 3 is refused; 25,000 is not.
    """
    rule = account.rule or ASSUMED
    require(rule in RULES, "day_trade_rule", value=rule, rule="must be one of " + ", ".join(RULES))
    require_not_negative(
        maintenance=account.maintenance, cost=account.cost, day_trades=Decimal(account.day_trades)
    )
    match rule:
        case "none":
            pass
        case "pdt_legacy":
            _require_pattern(account, limits)
        case "intraday_margin":
            _require_margin(account)
        case "cash":
            _require_settled(account)
        case _:
            assert_never(rule)
    return ("DAY_TRADE_RULE_ASSUMED",) if account.rule is None else ()


def _require_pattern(account: DayTradeAccount, limits: PatternLimits) -> None:
    if account.equity < limits.min_equity and account.day_trades >= limits.max_day_trades:
        numbers = (
            f"{account.day_trades} day trades in 5 sessions, equity {_money(account.equity)} "
            f"below {_money(limits.min_equity)}"
        )
        raise refuse("PDT_LIMIT", rule="pdt_legacy", numbers=numbers)


def _require_margin(account: DayTradeAccount) -> None:
    if account.equity < account.maintenance:
        numbers = f"equity {_money(account.equity)}, required {_money(account.maintenance)}"
        raise refuse("INTRADAY_MARGIN_DEFICIT", rule="intraday_margin", numbers=numbers)


def _require_settled(account: DayTradeAccount) -> None:
    if account.settled_cash < account.cost:
        numbers = f"settled {_money(account.settled_cash)}, cost {_money(account.cost)}"
        raise refuse("UNSETTLED_FUNDS", rule="cash", numbers=numbers)


def _money(amount: Decimal) -> str:
    return decimal_text(rounded(amount, 2))
