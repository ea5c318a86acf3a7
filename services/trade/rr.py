"""Owns reward to risk: net of costs per target, blended, its band and the break-even chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.kit.errors import refuse
from services.kit.money import decimal_text
from services.trade.param import (
    ZERO,
    Side,
    require,
    require_above_zero,
    require_not_negative,
    require_prices,
    require_side,
)

Band = Literal["poor", "marginal", "acceptable", "good", "excellent"]
FRACTIONS_TOLERANCE = Decimal("0.0001")
_BANDS: tuple[tuple[Decimal, Band], ...] = (
    (Decimal(1), "poor"),
    (Decimal("1.5"), "marginal"),
    (Decimal(2), "acceptable"),
    (Decimal(3), "good"),
)


@dataclass(frozen=True, slots=True)
class RewardRisk:
    """Reward to risk, unrounded. `risk_per_unit` contains the round-trip cost."""

    risk_per_unit: Decimal
    per_target: tuple[Decimal, ...]
    blended: Decimal
    band: Band
    p_breakeven_tp1: Decimal


def band_of(blended: Decimal) -> Band:
    """Return the band of an unrounded RR: below 1 poor, 1.5 marginal, 2 acceptable, 3 good."""
    for limit, band in _BANDS:
        if blended < limit:
            return band
    return "excellent"


def break_even_probability(rr: Decimal) -> Decimal:
    """Return 1/(1+rr), the chance at which a trade of this net RR neither wins nor loses.

    Raises `PARAM_INVALID` for rr of -1 or less, where no chance is enough.
    """
    require(rr > -1, "rr", value=rr, rule="must be above -1")
    return 1 / (1 + rr)


def fractions_hold(fractions: Sequence[Decimal], runner_fraction: Decimal) -> bool:
    """Return whether the fractions are each above 0 and add up to 1 (+- 0.0001) with the runner."""
    total = sum(fractions, runner_fraction)
    positive = all(item > 0 for item in fractions) and runner_fraction >= 0
    return positive and abs(total - 1) <= FRACTIONS_TOLERANCE


def reward_risk(
    side: Side, entry: Decimal, *, stop: Decimal, targets: Sequence[Decimal], cost_per_unit: Decimal
) -> tuple[Decimal, tuple[Decimal, ...]]:
    """Return (risk per unit, RR per target), unrounded and net of `cost_per_unit` (round trip).

    R = |entry - stop| + cost; RR_i = (side * (T_i - entry) - cost) / R. `entry` is the worst of
    the zone. Raises `STOP_WRONG_SIDE`, `PARAM_INVALID`.
    """
    sign = require_side(side)
    require_above_zero(entry=entry, stop=stop)
    require_prices("targets", targets)
    require_not_negative(cost_per_unit=cost_per_unit)
    if sign * (entry - stop) <= 0:
        raise refuse(
            "STOP_WRONG_SIDE", stop=decimal_text(stop), entry=decimal_text(entry), side=side
        )
    risk = abs(entry - stop) + cost_per_unit
    return risk, tuple((sign * (target - entry) - cost_per_unit) / risk for target in targets)


def rr(
    side: Side,
    entry: Decimal,
    *,
    levels: tuple[Decimal, Sequence[Decimal]],
    cost_per_unit: Decimal,
    fractions: Sequence[Decimal],
    runner_fraction: Decimal = ZERO,
) -> RewardRisk:
    """Return the reward to risk of `levels` (stop, targets); the runner counts at the last one.

    Raises `STOP_WRONG_SIDE`, then `FRACTIONS_SUM`; `PARAM_INVALID` for values out of range.
    Worked: long 100.20, stop 98.94, cost 0.02, targets 101.46 / 102.72 / 103.98, fractions
    .5/.3/.2 gives R 1.28, RR .9688 / 1.9531 / 2.9375, blended 1.6578 acceptable, even at .5079.
    """
    stop, targets = levels
    require(targets, "targets", value="[]", rule="must hold at least one target")
    require(
        len(fractions) == len(targets),
        "fractions",
        value=len(fractions),
        rule="must be one per target",
    )
    risk, per_target = reward_risk(
        side, entry, stop=stop, targets=targets, cost_per_unit=cost_per_unit
    )
    if not fractions_hold(fractions, runner_fraction):
        raise refuse("FRACTIONS_SUM", total=decimal_text(sum(fractions, runner_fraction)))
    blended = sum((f * x for f, x in zip(fractions, per_target, strict=True)), ZERO)
    blended += runner_fraction * per_target[-1]
    even = break_even_probability(per_target[0])
    return RewardRisk(risk, per_target, blended, band_of(blended), even)
