"""Owns confidence without a calibrator: the shrunken win rate of a setup and Wilson's interval."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist

from services.kit.money import decimal_text, from_float
from services.market.param import require

FLOOR, CEILING = Decimal("0.05"), Decimal("0.95")
LEVEL = Decimal("0.95")
STRENGTH = 50
ZERO, ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True)
class PriorConfidence:
    """The chance to reach target 1 before the stop, from few trades; all unrounded.

    `ci95` is null without a trade. `edge` is the chance above break-even.
    """

    value: Decimal
    n: int
    wins: int
    p0: Decimal
    p_breakeven_tp1: Decimal
    ci95: tuple[Decimal, Decimal] | None
    edge: Decimal


def wilson(k: int, n: int, *, level: Decimal = LEVEL) -> tuple[Decimal, Decimal]:
    """Return the Wilson score interval of `k` hits in `n` trials, unrounded.

    (p + z^2/2n -+ z * sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) without continuity correction, as
    scipy's `proportion_ci`. Raises `PARAM_INVALID`. Worked: 22 of 40 at 0.95 is 0.3983 to 0.6929.
    """
    require(n >= 1, "n", value=n, rule="must be 1 or more")
    require(0 <= k <= n, "k", value=k, rule=f"must be 0 to {n}")
    require(0 < level < 1, "level", value=decimal_text(level), rule="must lie between 0 and 1")
    z = from_float(NormalDist().inv_cdf(float((1 + level) / 2)), 15)
    p, spread = Decimal(k) / n, z * z / n
    centre = p + spread / 2
    reach = z * (p * (1 - p) / n + spread / n / 4).sqrt()
    low, high = (centre - reach) / (1 + spread), (centre + reach) / (1 + spread)
    return (ZERO if k == 0 else max(low, ZERO), ONE if k == n else min(high, ONE))


def prior_confidence(
    wins: int, n: int, *, rr_tp1: Decimal, strength: int = STRENGTH
) -> PriorConfidence:
    """Return (wins + strength * p0) / (n + strength) with p0 = 1/(1 + rr_tp1), within its caps.

    p0 is the chance of a driftless price to meet target 1 first; `rr_tp1` is net of costs. Kept to
    0.05 to 0.95, then never above the Wilson upper bound of the trades. Raises `PARAM_INVALID`.
    Worked: 22 wins of 40 at 1.5 is 0.4667, edge 0.0667.
    """
    _require_trades(wins, n, rr_tp1=rr_tp1)
    require(strength >= 1, "strength", value=strength, rule="must be 1 or more")
    return _shrunk(wins, n, rr_tp1=rr_tp1, mean=1 / (1 + rr_tp1), strength=strength)


def pooled_confidence(
    wins: int, n: int, *, rr_tp1: Decimal, pool: tuple[int, int]
) -> PriorConfidence:
    """Return the chance shrunk to that of all setups held as long, `pool` (wins, n) at 1 R.

    A time stop makes both barriers rarer than the driftless 1/(1 + rr) says, so few trades lean
    on what their like did: (wins + 50 * m) / (n + 50), where m is the pool's own shrunken chance
    at 1 R times p0 over a half (ADR 16). Without a pool it is `prior_confidence`.
    Raises `PARAM_INVALID`. Worked: 2 of 10 at 1.0 beside a pool of 100 in 500 is 0.2227.
    """
    _require_trades(wins, n, rr_tp1=rr_tp1)
    p0 = 1 / (1 + rr_tp1)
    of_pool = prior_confidence(*pool, rr_tp1=ONE)
    return _shrunk(wins, n, rr_tp1=rr_tp1, mean=min(of_pool.value * p0 * 2, ONE), strength=STRENGTH)


def _require_trades(wins: int, n: int, *, rr_tp1: Decimal) -> None:
    require(n >= 0, "n", value=n, rule="must be 0 or more")
    require(0 <= wins <= n, "wins", value=wins, rule=f"must be 0 to {n}")
    require(rr_tp1 > 0, "rr_tp1", value=decimal_text(rr_tp1), rule="must be above 0")


def _shrunk(wins: int, n: int, *, rr_tp1: Decimal, mean: Decimal, strength: int) -> PriorConfidence:
    p0 = 1 / (1 + rr_tp1)
    value = min(max((wins + strength * mean) / (n + strength), FLOOR), CEILING)
    ci95 = wilson(wins, n) if n else None
    if ci95 is not None:
        value = min(value, ci95[1])
    return PriorConfidence(value, n, wins, p0, p0, ci95, value - p0)
