"""Owns how many contracts of a plan's option alternative an account may buy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from services.kit.errors import Refusal
from services.kit.policy import SizingPolicy
from services.market.osi import find_option
from services.trade.confidence_tie import Confidence
from services.trade.option_choice import FEES, LEAPS
from services.trade.option_risk import LOSS_FLOOR
from services.trade.position_size import CapInputs, Levels, RiskTaken, size
from services.trade.sizing import AccountView

ZERO, ONE = Decimal(0), Decimal(1)
YEAR = 365
_TWO_SIDES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSize:
    """Whole contracts, what binds them, and their money; 0 contracts say which limit binds."""

    contract: str
    contracts: Decimal
    binding: str
    premium: Decimal
    one_r: Decimal
    why: str = ""


def contract_size(
    alternative: Mapping[str, Any],
    account: AccountView,
    *,
    policy: SizingPolicy,
    confidence: Confidence | None = None,
    factor: Decimal = ONE,
) -> ContractSize:
    """Return the contracts of one alternative of a plan for an account.

    The core formula on the alternative's own risk per contract, under 2 % of equity in premium.
    The premium of a LEAPS call is all of its risk: 5 % of equity limits it in place of the risk
    budget, and in premium; with every LEAPS call held it is limited to 15 %. `factor` is account
    currency per unit of premium. A refusal becomes 0 contracts with its words.
    Worked: premium 4.20, risk 211.30 a contract with fees, equity 50,000: caps risk 2.3663 and
    concentration 2.3810, so 2 contracts, 840.00 of premium, 1R 422.60.
    """
    metrics, name = alternative["metrics"], str(alternative["contract"])
    if metrics.get("risk_per_contract") is None:
        return _none(name, "MULTIPLIER_UNKNOWN", "its multiplier or its Greeks are not known")
    long_dated = alternative["kind"] == LEAPS
    most = policy.leaps_pct if long_dated else policy.option_premium_pct
    risk = RiskTaken(
        equity=account.equity,
        risk_pct=policy.leaps_pct if long_dated else policy.risk_pct,
        max_risk_pct=max(policy.leaps_pct, policy.max_risk_pct),
        confidence=confidence,
    )
    caps = CapInputs(
        day_risk_left=account.day_risk_left,
        portfolio_risk_left=account.portfolio_risk_left,
        max_notional_pct=most,
        buying_power=account.buying_power,
        leaps_left=policy.leaps_total_pct * account.equity - account.leaps_held
        if long_dated
        else None,
    )
    try:
        sized = size(_levels(metrics, factor), risk, caps=caps)
    except Refusal as refusal:
        return _none(name, str(refusal.facts.get("binding", refusal.code)), refusal.message)
    return ContractSize(
        contract=name,
        contracts=sized.quantity,
        binding=sized.binding,
        premium=sized.notional,
        one_r=sized.one_r,
    )


def _levels(metrics: Mapping[str, Any], factor: Decimal) -> Levels:
    """Return premium levels whose risk is the alternative's own.

    Half of the premium is the stop that is always assumed; what is lost beyond it is slippage.
    """
    premium, multiplier = Decimal(metrics["limit_price"]), Decimal(metrics["multiplier"])
    loss = (Decimal(metrics["risk_per_contract"]) - FEES) / multiplier
    floor = LOSS_FLOOR * premium
    return Levels(
        side="long",
        entry=premium,
        stop=premium - floor,
        slippage_per_unit=max(loss - floor, ZERO),
        commission_per_unit=FEES / _TWO_SIDES / multiplier,
        multiplier=multiplier,
        fx_to_account=factor,
    )


def is_leaps(symbol: str, on: date) -> bool:
    """Return whether a symbol is a call with more than a year to run on a day.

    Worked: `AAPL  270115C00182500` is one on 2026-01-14, and on 2026-01-15 no longer.
    """
    found = find_option(symbol)
    long_dated = found is not None and (found.expiry - on).days > YEAR
    return found is not None and found.right == "call" and long_dated


def _none(contract: str, binding: str, why: str) -> ContractSize:
    return ContractSize(
        contract=contract, contracts=ZERO, binding=binding, premium=ZERO, one_r=ZERO, why=why
    )
