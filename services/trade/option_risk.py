"""Owns the risk of a long option: its estimated premium at the underlying's stop."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import refuse
from services.kit.money import rounded
from services.trade.param import ZERO, require, require_above_zero, require_not_negative

LOSS_FLOOR = Decimal("0.5")
"""At least half of the premium is at risk: falling volatility, spread and gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTrade:
    """A long option per unit of premium; fees are per contract for the round trip."""

    premium: Decimal
    delta: Decimal
    gamma: Decimal
    underlying_entry: Decimal
    underlying_stop: Decimal
    multiplier: Decimal | None
    fees_per_contract: Decimal = ZERO
    symbol: str = "contract"


@dataclass(frozen=True, slots=True)
class OptionRisk:
    """Premium at the underlying's stop (6 decimals) and money at risk per contract (2)."""

    estimated_premium_at_stop: Decimal
    risk_per_contract: Decimal


def option_stop_estimate(trade: OptionTrade) -> OptionRisk:
    """Return the second-order estimate of the premium at the stop, and the risk per contract.

    est = premium + delta*dS + gamma*dS^2/2, not below 0; risk = max(premium - est, half of the
    premium) * multiplier + fees. Raises `MULTIPLIER_UNKNOWN`, `PARAM_INVALID`.
    Worked: 4.20, delta .55, gamma .03, 100.20 -> 98.94: 3.530814, so 210.00 per contract.
    """
    require_above_zero(
        premium=trade.premium,
        underlying_entry=trade.underlying_entry,
        underlying_stop=trade.underlying_stop,
        multiplier=trade.multiplier,
    )
    require(abs(trade.delta) <= 1, "delta", value=trade.delta, rule="must be -1 to 1")
    require_not_negative(gamma=trade.gamma, fees_per_contract=trade.fees_per_contract)
    if trade.multiplier is None:
        raise refuse("MULTIPLIER_UNKNOWN", symbol=trade.symbol, what="multiplier")
    move = trade.underlying_stop - trade.underlying_entry
    raw = trade.premium + trade.delta * move + trade.gamma * move * move / 2
    estimate = max(ZERO, raw)
    loss = max(trade.premium - estimate, LOSS_FLOOR * trade.premium)
    risk = loss * trade.multiplier + trade.fees_per_contract
    return OptionRisk(rounded(estimate, 6), rounded(risk, 2))
