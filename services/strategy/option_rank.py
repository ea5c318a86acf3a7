"""Owns ranking screened option contracts: fit of delta and days, liquidity, cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import check
from services.strategy.option_screen import YEAR_DAYS, ScreenContract, ScreenProfile, extrinsic_of

ZERO, ONE, HALF = Decimal(0), Decimal(1), Decimal("0.5")
WEIGHTS = (Decimal("0.40"), Decimal("0.25"), Decimal("0.20"), Decimal("0.15"))
FULL_INTEREST = 1000


@dataclass(frozen=True, slots=True)
class RankAim:
    """What a profile aims at: delta with the half width of its range, days with their range.

    Between the two days the fit is 1.
    """

    delta: Decimal
    delta_halfwidth: Decimal
    dte_low: int
    dte_high: int
    dte_range: int


AIMS: dict[str, RankAim] = {
    "intraday_long": RankAim(Decimal("0.55"), Decimal("0.10"), 7, 7, 14),
    "swing_long": RankAim(Decimal("0.60"), Decimal("0.10"), 45, 45, 60),
    "leaps_call": RankAim(Decimal("0.80"), Decimal("0.10"), 480, 760, 280),
    "protective_put": RankAim(Decimal("0.30"), Decimal("0.10"), 75, 75, 90),
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A contract with its rank score and the four parts of it, 0 to 1, unrounded."""

    contract: ScreenContract
    score: Decimal
    delta_fit: Decimal
    liquidity: Decimal
    cost: Decimal
    dte_fit: Decimal


def rank(
    contracts: Iterable[ScreenContract], profile: ScreenProfile, *, aim: RankAim, spot: Decimal
) -> list[Ranked]:
    """Return contracts that passed `profile`, the best first.

    .40 delta fit + .25 liquidity + .20 cost + .15 days' fit; ties by spread, open interest, id.
    A profile without a limit of cost gives everybody 0 for it. Worked: delta .60 at an aim of
    .60, 1,000 open, spread 4 of 8 %, half the theta limit, 45 days: .40 + .1875 + .10 + .15.
    """
    ranked = [_ranked(one, profile, aim, spot) for one in contracts]
    return sorted(
        ranked,
        key=lambda one: (
            -one.score,
            one.contract.spread_pct,
            -one.contract.open_interest,
            one.contract.id,
        ),
    )


def _ranked(one: ScreenContract, profile: ScreenProfile, aim: RankAim, spot: Decimal) -> Ranked:
    check(one.delta is not None, "a ranked contract passed the screen", contract=one.id)
    delta = abs(one.delta or ZERO)
    interest = min(ONE, Decimal(one.open_interest) / FULL_INTEREST)
    width = _clamped(1 - one.spread_pct / profile.spread_pct_max)
    away = max(aim.dte_low - one.dte, one.dte - aim.dte_high, 0)
    parts = (
        _clamped(1 - abs(delta - aim.delta) / aim.delta_halfwidth),
        HALF * interest + HALF * width,
        _clamped(_cost(one, profile, spot)),
        _clamped(1 - Decimal(away) / aim.dte_range),
    )
    score = sum((weight * part for weight, part in zip(WEIGHTS, parts, strict=True)), ZERO)
    return Ranked(one, score, *parts)


def _cost(one: ScreenContract, profile: ScreenProfile, spot: Decimal) -> Decimal:
    if profile.extrinsic_pct_max is not None:
        carry = extrinsic_of(one, spot) / spot * YEAR_DAYS / one.dte
        return 1 - carry / profile.extrinsic_pct_max
    if profile.theta_pct_max is not None and one.theta is not None:
        return 1 - abs(one.theta) / one.mid / profile.theta_pct_max
    return ZERO


def _clamped(value: Decimal) -> Decimal:
    return min(max(value, ZERO), ONE)
