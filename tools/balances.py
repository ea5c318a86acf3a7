"""Owns the tool `balances`: the account's cash, what is held back of it, and the equity."""

from __future__ import annotations

from services.kit.context import Context
from services.ledger.portfolio import account_of
from services.ledger.valuation import value
from tools.registry import Args, Effect, Result, cite_held, tool
from tools.wording.account import balances_sentence
from tools.wording.figures import Cents, Moment


class BalancesArgs(Args):
    """No arguments."""


class BalancesResult(Result):
    """The account's money; the equity is absent while a price is missing."""

    broker: str
    account_mode: str
    currency: str
    cash: Cents
    reserved: Cents
    available: Cents
    equity: Cents | None
    day_pnl: Cents | None
    as_of: Moment


@tool(effect=Effect.READ)
def balances(ctx: Context, args: BalancesArgs) -> BalancesResult:  # noqa: ARG001 - a tool's shape
    """Return the account's balances: cash posted, held back by orders and free, and the equity."""
    worth = value(ctx, None)
    account, cash = account_of(ctx, worth.portfolio_id), worth.cash
    return BalancesResult(
        broker=account.broker,
        account_mode=account.mode,
        currency=worth.currency,
        cash=cash.posted.amount,
        reserved=cash.reserved.amount,
        available=cash.available.amount,
        equity=worth.equity,
        day_pnl=worth.day_pnl,
        as_of=worth.as_of,
        flags=worth.flags,
        summary=balances_sentence(account, worth),
        source=cite_held(worth.holdings),
    )
