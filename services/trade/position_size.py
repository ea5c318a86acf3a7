"""Owns position size: the core formula, pure, under all of its caps."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import check, refuse
from services.kit.money import decimal_text, floor_to, rounded
from services.trade.confidence_tie import (
    DEFAULT_EDGE_RULES,
    Confidence,
    EdgeRules,
    require_confidence,
    size_multiplier,
)
from services.trade.param import (
    ONE,
    ZERO,
    Side,
    require_above_zero,
    require_fraction,
    require_not_negative,
    require_side,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What is traded: prices per unit in plan currency, and what a unit is worth.

    `entry` is the worst of the zone. `commission_per_unit` is per side and unit of the
    underlying quantity; `fx_to_account` is account currency per unit of plan currency.
    """

    side: Side
    entry: Decimal
    stop: Decimal
    slippage_per_unit: Decimal = ZERO
    commission_per_unit: Decimal = ZERO
    lot: Decimal = ONE
    multiplier: Decimal = ONE
    fx_to_account: Decimal = ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskTaken:
    """How much of equity may be lost, as fractions (0.01 is 1 %), and the confidence in it."""

    equity: Decimal
    risk_pct: Decimal
    max_risk_pct: Decimal = Decimal("0.02")
    confidence: Confidence | None = None
    edge_rules: EdgeRules = DEFAULT_EDGE_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class CapInputs:
    """What the caps beside `risk` are made from, in account currency; None leaves a cap out.

    `leaps_left` is the premium that LEAPS together may still take.
    """

    day_risk_left: Decimal | None = None
    portfolio_risk_left: Decimal | None = None
    max_notional_pct: Decimal | None = None
    symbol_notional: Decimal = ZERO
    buying_power: Decimal | None = None
    adv_units: Decimal | None = None
    max_adv_pct: Decimal = Decimal("0.01")
    max_units: Decimal | None = None
    leaps_left: Decimal | None = None


NO_CAPS = CapInputs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A size in whole lots; figures are unrounded but for the multiplier (4 decimals)."""

    quantity: Decimal
    binding: str
    multiplier: Decimal
    risk_per_unit: Decimal
    ru: Decimal
    one_r: Decimal
    notional: Decimal
    risk_pct_used: Decimal
    caps: dict[str, Decimal]
    notes: tuple[str, ...]


def size(levels: Levels, risk: RiskTaken, *, caps: CapInputs = NO_CAPS) -> Size:
    """Return the largest whole-lot size under every cap; the smallest cap binds.

    ru = (|entry - stop| + slippage + 2 * commission) * fx * multiplier; quantity =
    floor(min(caps)); one_r = quantity * ru. Refuses, in this order, `PARAM_INVALID`,
    `EQUITY_NON_POSITIVE`, `STOP_WRONG_SIDE`, `RISK_PCT_TOO_HIGH`, `NEGATIVE_EDGE`,
    `SIZE_BELOW_MIN_LOT`. Worked: equity 50,000, 1 %, 100.20 / 98.94, slippage .01, commission
    .005 is 390 units, risk cap 390.6250, 1R 499.20.
    """
    _require_ranges(levels, risk, caps)
    _require_possible(levels, risk)
    multiplier = size_multiplier(risk.confidence, risk.risk_pct, rules=risk.edge_rules)
    worth = levels.fx_to_account * levels.multiplier
    risk_per_unit = (
        abs(levels.entry - levels.stop) + levels.slippage_per_unit + 2 * levels.commission_per_unit
    )
    ru = risk_per_unit * worth
    allowed = {"risk": risk.equity * risk.risk_pct * multiplier.value / ru}
    allowed |= _caps(levels, risk.equity, ru, caps)
    binding = min(sorted(allowed), key=lambda key: allowed[key])
    quantity = floor_to(allowed[binding], levels.lot)
    if quantity <= 0:
        raise refuse(
            "SIZE_BELOW_MIN_LOT",
            x=str(rounded(allowed[binding], 4)),
            lot=decimal_text(levels.lot),
            binding=binding,
        )
    check(all(quantity <= cap for cap in allowed.values()), "size is under every cap")
    one_r = quantity * ru
    return Size(
        quantity=quantity,
        binding=binding,
        multiplier=multiplier.value,
        risk_per_unit=risk_per_unit,
        ru=ru,
        one_r=one_r,
        notional=quantity * levels.entry * worth,
        risk_pct_used=one_r / risk.equity,
        caps={key: allowed[key] for key in sorted(allowed)},
        notes=multiplier.notes,
    )


def _require_ranges(levels: Levels, risk: RiskTaken, caps: CapInputs) -> None:
    require_side(levels.side)
    require_above_zero(
        entry=levels.entry,
        stop=levels.stop,
        lot=levels.lot,
        multiplier=levels.multiplier,
        fx_to_account=levels.fx_to_account,
        risk_pct=risk.risk_pct,
        max_risk_pct=risk.max_risk_pct,
    )
    require_fraction(max_risk_pct=risk.max_risk_pct, max_adv_pct=caps.max_adv_pct)
    require_not_negative(
        slippage_per_unit=levels.slippage_per_unit,
        symbol_notional=caps.symbol_notional,
        commission_per_unit=levels.commission_per_unit,
        adv_units=caps.adv_units,
        max_notional_pct=caps.max_notional_pct,
        max_units=caps.max_units,
    )
    require_confidence(risk.confidence)


def _require_possible(levels: Levels, risk: RiskTaken) -> None:
    if risk.equity <= 0:
        what = f"equity is {decimal_text(risk.equity)}"
        raise refuse("EQUITY_NON_POSITIVE", what=what)
    if require_side(levels.side) * (levels.entry - levels.stop) <= 0:
        raise refuse(
            "STOP_WRONG_SIDE",
            stop=decimal_text(levels.stop),
            entry=decimal_text(levels.entry),
            side=levels.side,
        )
    if risk.risk_pct > risk.max_risk_pct:
        raise refuse(
            "RISK_PCT_TOO_HIGH", x=decimal_text(risk.risk_pct), max=decimal_text(risk.max_risk_pct)
        )


def _caps(levels: Levels, equity: Decimal, ru: Decimal, caps: CapInputs) -> dict[str, Decimal]:
    worth = levels.fx_to_account * levels.multiplier
    out: dict[str, Decimal] = {}
    if caps.day_risk_left is not None:
        out["day_risk"] = max(ZERO, caps.day_risk_left) / ru
    if caps.portfolio_risk_left is not None:
        out["portfolio_risk"] = max(ZERO, caps.portfolio_risk_left) / ru
    if caps.max_notional_pct is not None:
        room = equity * caps.max_notional_pct - caps.symbol_notional
        out["concentration"] = max(ZERO, room) / (levels.entry * worth)
    if caps.leaps_left is not None:
        out["leaps_total"] = max(ZERO, caps.leaps_left) / (levels.entry * worth)
    if caps.buying_power is not None:
        cost = (levels.entry + levels.commission_per_unit) * worth
        out["buying_power"] = max(ZERO, caps.buying_power) / cost
    if caps.adv_units is not None:
        out["liquidity"] = caps.adv_units * caps.max_adv_pct
    if caps.max_units is not None:
        out["user"] = caps.max_units
    return out
