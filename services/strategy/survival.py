"""Owns survival: how far past setups went before their stop, and the targets that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

ZERO, ONE = Decimal(0), Decimal(1)
STEP = Decimal("0.1")
GRID_STEPS = 100
"""The grid reaches 10 R; further, the share is 0."""
TRADES_MIN = 50
DEFAULT_TARGETS_R = (Decimal(1), Decimal(2), Decimal(3))
SHARES = (Decimal("0.60"), Decimal("0.40"), Decimal("0.25"))
CEILINGS = (Decimal("1.5"), Decimal("3.0"), Decimal("5.0"))
FIRST_MIN, APART_MIN = Decimal("0.8"), Decimal("0.5")


def survival_grid(mfe_r: Sequence[Decimal]) -> dict[Decimal, Decimal]:
    """Return S(x), the share of trades whose free MFE reached x R, for x = 0.0, 0.1 ... 10.0.

    Unrounded and never rising; the grid ends at the first 0. `mfe_r` must come from runs without
    targets, or the exits at targets cut it short (domain 9.4, trap 7). Empty without a trade.
    Worked: MFEs 0.5, 1.0, 1.2, 3.0 have S(1) 0.75 and S(1.1) 0.5.
    """
    ranked, n, at = sorted(mfe_r), len(mfe_r), 0
    grid: dict[Decimal, Decimal] = {}
    for step in range(GRID_STEPS + 1 if n else 0):
        x = STEP * step
        while at < n and ranked[at] < x:
            at += 1
        grid[x] = Decimal(n - at) / n
        if at == n:
            break
    return grid


def survival_at(grid: Mapping[Decimal, Decimal], x: Decimal) -> Decimal:
    """Return S at the next grid point at or above x; 0 beyond the grid."""
    above = [point for point in grid if point >= x]
    return grid[min(above)] if above else ZERO


def target_multiples(
    grid: Mapping[Decimal, Decimal], n: int, *, shares: Sequence[Decimal] = SHARES
) -> tuple[Decimal, ...]:
    """Return the three targets in R: the largest x that 60, 40 and 25 % of past setups reached.

    Kept to 0.8 to 1.5, then at least 0.5 apart and at most 3.0 and 5.0. Below 50 trades 1, 2, 3.
    Worked: S .61 at 1.0, .41 at 2.0 and .27 at 3.0, less just beyond each, gives 1.0, 2.0, 3.0.
    """
    if n < TRADES_MIN:
        return DEFAULT_TARGETS_R
    floor, targets = FIRST_MIN, []
    for share, ceiling in zip(shares, CEILINGS, strict=True):
        reached = max((x for x, left in grid.items() if left >= share), default=ZERO)
        target = min(max(reached, floor), ceiling)
        targets.append(target)
        floor = target + APART_MIN
    return tuple(targets)
