"""Owns the guards as one ordered set: pure, run at propose, at confirm and at claim."""

from __future__ import annotations

from collections.abc import Callable

from services.orders.guard_account import (
    account_risk,
    buying_power,
    day_loss,
    day_trade_check,
    order_bounds,
    order_notional,
    position_limit,
)
from services.orders.guard_context import GuardContext, GuardResult, Stage
from services.orders.guard_market import (
    price_collar,
    provenance_tradable,
    quote_fresh,
    session_open,
)
from services.orders.guard_standing import (
    duplicate_like,
    execution_ready,
    frozen,
    in_doubt,
    kill_switch,
    live_allowed,
    proposal_ttl,
)

GUARDS: tuple[Callable[[GuardContext], GuardResult], ...] = (
    kill_switch,
    frozen,
    execution_ready,
    live_allowed,
    provenance_tradable,
    session_open,
    quote_fresh,
    price_collar,
    order_bounds,
    order_notional,
    position_limit,
    day_loss,
    buying_power,
    day_trade_check,
    account_risk,
    in_doubt,
    duplicate_like,
    proposal_ttl,
)
"""The set of `safety.md` 1.6 and the account's risk, in the order in which a refusal is told."""

_HELD_BY_ORDER = frozenset({"buying_power", "day_trade_check"})
"""At claim the order's own reservation already holds what these two ask for."""


def evaluate(seen: GuardContext) -> list[GuardResult]:
    """Return every guard's verdict, in order; pure."""
    return [
        guard(seen)
        for guard in GUARDS
        if not (seen.stage is Stage.CLAIM and guard.__name__ in _HELD_BY_ORDER)
    ]


def first_block(results: list[GuardResult]) -> GuardResult | None:
    """Return the first blocking verdict, or None."""
    return next((result for result in results if result.severity == "block"), None)


def needs_typing(results: list[GuardResult]) -> bool:
    """Return True when a guard asks the person to type the order."""
    return any(result.severity == "typed" for result in results)
