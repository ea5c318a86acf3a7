"""Owns the size suggested to an account: its caps from the account and the policy, and flags."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import refuse
from services.kit.money import rounded
from services.kit.policy import Policy
from services.trade.confidence_tie import Confidence, EdgeRules
from services.trade.param import ZERO
from services.trade.position_size import CapInputs, Levels, RiskTaken, Size, size

__all__ = [
    "AccountView",
    "CapInputs",
    "Levels",
    "RiskTaken",
    "Size",
    "SizingAsk",
    "SizingResult",
    "size",
    "suggest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """What sizing knows of the account, in account currency; None when it is not known.

    `symbol_notional` is what is held of this symbol already, `adv_units` its mean daily volume,
    `leaps_held` what all long-dated calls held are worth.
    The two `_left` figures are less what open positions and working orders risk. `near_limit` says
    that the account's risk stands at `warn`.
    """

    currency: str
    equity: Decimal
    buying_power: Decimal | None = None
    day_risk_left: Decimal | None = None
    portfolio_risk_left: Decimal | None = None
    symbol_notional: Decimal = ZERO
    adv_units: Decimal | None = None
    leaps_held: Decimal = ZERO
    near_limit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingAsk:
    """What the person asks for beside the levels; None takes the policy's number.

    `holding` chooses the concentration limit: a stock over night (`swing`), within the session
    (`intraday`), or the premium of an option. `for_order` makes buying power and day risk due.
    """

    holding: str = "swing"
    risk_pct: Decimal | None = None
    max_units: Decimal | None = None
    confidence: Confidence | None = None
    for_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingResult:
    """A suggested size with every figure a coach would say; money at 2, caps at 4 decimals."""

    quantity: Decimal
    binding: str
    size_multiplier: Decimal
    risk_per_unit: Decimal
    ru: Decimal
    one_r: Decimal
    notional: Decimal
    risk_pct: Decimal
    risk_pct_used: Decimal
    equity: Decimal
    notional_pct: Decimal
    currency: str
    caps: dict[str, Decimal]
    caps_skipped: tuple[str, ...]
    notes: tuple[str, ...]
    flags: tuple[str, ...]


ASK = SizingAsk()
_EASED = Decimal("0.5")
"""The part of the usual risk that is suggested while the account's risk is near a limit."""


def suggest(
    levels: Levels, account: AccountView, *, policy: Policy, ask: SizingAsk = ASK
) -> SizingResult:
    """Return the size for `account` under `policy`, its caps, flags, and the caps left out.

    Raises what `size` raises, and `CAP_INPUT_MISSING` when an order lacks buying power or day
    risk. Near a limit of the account half of the usual risk is suggested; a share that the person
    names stays. Flags: `NO_CONFIDENCE` (a plan drawn by a person), `UNCALIBRATED` (tier prior),
    `RISK_NEAR_LIMIT`.
    """
    caps = _account_caps(account, policy, ask)
    skipped = _skipped(account, ask)
    eased = account.near_limit and ask.risk_pct is None
    usual = policy.sizing.risk_pct * (_EASED if eased else 1)
    risk_pct = usual if ask.risk_pct is None else ask.risk_pct
    rules = EdgeRules(
        kelly_fraction=policy.sizing.kelly_fraction,
        min_multiplier=policy.sizing.min_multiplier,
        full_edge=policy.sizing.full_edge,
    )
    taken = RiskTaken(
        equity=account.equity,
        risk_pct=risk_pct,
        confidence=ask.confidence,
        max_risk_pct=policy.sizing.max_risk_pct,
        edge_rules=rules,
    )
    sized = size(levels, taken, caps=caps)
    return SizingResult(
        quantity=sized.quantity,
        binding=sized.binding,
        size_multiplier=sized.multiplier,
        risk_per_unit=rounded(sized.risk_per_unit, 6),
        ru=rounded(sized.ru, 6),
        one_r=rounded(sized.one_r, 2),
        notional=rounded(sized.notional, 2),
        risk_pct=risk_pct,
        risk_pct_used=rounded(sized.risk_pct_used, 6),
        equity=account.equity,
        notional_pct=rounded(sized.notional / account.equity, 6),
        currency=account.currency,
        caps={key: rounded(cap, 4) for key, cap in sized.caps.items()},
        caps_skipped=skipped,
        notes=sized.notes,
        flags=(*_flags(ask.confidence), *(("RISK_NEAR_LIMIT",) if eased else ())),
    )


def _flags(confidence: Confidence | None) -> tuple[str, ...]:
    if confidence is None:
        return ("NO_CONFIDENCE",)
    return ("UNCALIBRATED",) if confidence.tier == "prior" else ()


def _account_caps(account: AccountView, policy: Policy, ask: SizingAsk) -> CapInputs:
    return CapInputs(
        day_risk_left=account.day_risk_left,
        portfolio_risk_left=account.portfolio_risk_left,
        max_notional_pct=_notional_limit(policy, ask.holding),
        symbol_notional=account.symbol_notional,
        buying_power=account.buying_power,
        adv_units=account.adv_units,
        max_adv_pct=policy.sizing.max_adv_pct,
        max_units=ask.max_units,
    )


def _notional_limit(policy: Policy, holding: str) -> Decimal:
    limits = {
        "swing": policy.sizing.max_notional_pct_swing,
        "intraday": policy.sizing.max_notional_pct_intraday,
        "option": policy.sizing.option_premium_pct,
    }
    limit = limits.get(holding)
    if limit is None:
        raise refuse(
            "PARAM_INVALID", name="holding", value=holding, rule="must be swing, intraday or option"
        )
    return limit


def _skipped(account: AccountView, ask: SizingAsk) -> tuple[str, ...]:
    known = {
        "buying_power": account.buying_power,
        "day_risk": account.day_risk_left,
        "liquidity": account.adv_units,
        "portfolio_risk": account.portfolio_risk_left,
    }
    skipped = tuple(name for name, value in known.items() if value is None)
    for name in ("buying_power", "day_risk"):
        if ask.for_order and name in skipped:
            raise refuse("CAP_INPUT_MISSING", what=f"{name} is not known")
    return skipped
