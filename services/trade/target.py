"""Owns targets: the chance to reach each, what fraction leaves there, and the runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import check
from services.kit.money import floor_to, rounded, tick_round
from services.trade.param import (
    ONE,
    ZERO,
    Side,
    require,
    require_above_zero,
    require_fraction,
    require_not_negative,
    require_side,
)

MIN_TRADES = 50
FULL_TRADES = 200
SHRINK_STRENGTH = 50
SHARE_DECIMALS = 12
"""Shares are rounded here before the lot floor, so that three thirds of 3 are 1 each."""
P_MIN, P_MAX = Decimal("0.01"), Decimal("0.95")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survival:
    """Share of past setups whose MFE reached x R before the stop, and how many there were."""

    grid: Mapping[Decimal, Decimal]
    n: int

    def at(self, x: Decimal) -> Decimal:
        """Return S at the next grid point at or above x; 0 beyond the grid."""
        above = [point for point in self.grid if point >= x]
        return self.grid[min(above)] if above else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Targets with their chances and fractions, unrounded; quantities when one was given."""

    p: tuple[Decimal, ...]
    runner_conditional: Decimal
    runner_fraction: Decimal
    fractions: tuple[Decimal, ...]
    ev_r: Decimal
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Legs:
    """How a quantity is split over the targets and the runner."""

    quantities: tuple[Decimal, ...]
    runner: Decimal


def scale_targets(
    tp_r: Sequence[Decimal],
    survival: Survival,
    *,
    runner: tuple[Decimal, Decimal],
    confidence: Decimal | None = None,
    cost_r: Decimal = ZERO,
) -> Scaling:
    """Return chance, fraction and expected value of targets at `tp_r` multiples of R.

    `runner` is (threshold, fraction). Below 50 trades p is 1/(1+x), without a runner and with
    `TARGETS_DEFAULT`; up to 200 S is shrunk to that with strength 50. A confidence is p of the
    first target. EV leaves the stop at -1 R for every leg. Raises `PARAM_INVALID`.
    Worked: S .61/.41/.27, S(4) .20, n 320: fractions .3783/.2543/.1674, runner .20, EV .1711.
    """
    _require_scaling(tp_r, survival, runner, confidence, cost_r)
    shape = _shape(tp_r, survival)
    p = _with_confidence(shape, confidence)
    conditional = _runner_conditional(tp_r[-1], survival)
    keeps_runner = survival.n >= MIN_TRADES and conditional >= runner[0]
    rest = runner[1] if keeps_runner else ZERO
    total = sum(p, ZERO)
    require(total > 0, "survival", value="0", rule="must reach the first target sometimes")
    fractions = tuple(item / total * (1 - rest) for item in p)
    return Scaling(
        p=p,
        runner_conditional=conditional,
        runner_fraction=rest,
        fractions=fractions,
        ev_r=_expected_value(tp_r, p, fractions, rest) - cost_r,
        flags=("TARGETS_DEFAULT",) if survival.n < MIN_TRADES else (),
    )


def _require_scaling(
    tp_r: Sequence[Decimal],
    survival: Survival,
    runner: tuple[Decimal, Decimal],
    confidence: Decimal | None,
    cost_r: Decimal,
) -> None:
    require(tp_r, "tp_r", value="[]", rule="must hold at least one target")
    ascending = all(a < b for a, b in zip((ZERO, *tp_r), tp_r, strict=False))
    require(ascending, "tp_r", value=" ".join(map(str, tp_r)), rule="must ascend from above 0")
    require(survival.n >= 0, "n", value=survival.n, rule="must be 0 or more")
    for x, share in survival.grid.items():
        require_not_negative(survival=x)
        require_fraction(survival=share)
    require_fraction(runner_threshold=runner[0], runner_fraction=runner[1], confidence=confidence)
    require(runner[1] < 1, "runner_fraction", value=runner[1], rule="must be below 1")
    require_not_negative(cost_r=cost_r)


def _shape(tp_r: Sequence[Decimal], survival: Survival) -> tuple[Decimal, ...]:
    """Return the running minimum of S, shrunk to the driftless 1/(1+x) on short histories."""
    lowest, shape = ONE, []
    for x in tp_r:
        prior = 1 / (1 + x)
        if survival.n < MIN_TRADES:
            chance = prior
        elif survival.n < FULL_TRADES:
            weight = survival.n + SHRINK_STRENGTH
            chance = (survival.n * survival.at(x) + SHRINK_STRENGTH * prior) / weight
        else:
            chance = survival.at(x)
        lowest = min(lowest, chance)
        shape.append(lowest)
    return tuple(shape)


def _with_confidence(shape: tuple[Decimal, ...], confidence: Decimal | None) -> tuple[Decimal, ...]:
    if confidence is None:
        return shape
    first = shape[0]
    ratios = [item / first if first else ZERO for item in shape]
    ratios[0] = ONE
    return tuple(min(max(confidence * ratio, P_MIN), P_MAX) for ratio in ratios)


def _runner_conditional(last: Decimal, survival: Survival) -> Decimal:
    reached = survival.at(last)
    return survival.at(last + 1) / reached if reached else ZERO


def _expected_value(
    tp_r: Sequence[Decimal], p: Sequence[Decimal], fractions: Sequence[Decimal], runner: Decimal
) -> Decimal:
    legs = zip(fractions, p, tp_r, strict=True)
    value = sum((f * (chance * (x + 1) - 1) for f, chance, x in legs), ZERO)
    return value + runner * (p[-1] * (tp_r[-1] + 1) - 1)


def split_quantity(quantity: Decimal, scaling: Scaling, *, lot: Decimal = ONE) -> Legs:
    """Return whole lots per target and for the runner; what is left over leaves at target 1.

    Too little for every leg drops the runner first, then the last target, and so on, and shares
    the quantity over the legs that stay. Raises `PARAM_INVALID` for a quantity off the lot.
    Worked: 97 at .3783/.2543/.1674 and runner .20 is 38/24/16 and 19.
    """
    require_above_zero(quantity=quantity, lot=lot)
    require(quantity % lot == 0, "quantity", value=quantity, rule="must be whole lots")
    weights = [*scaling.fractions, scaling.runner_fraction]
    size = len(scaling.fractions)
    for at in (size, *range(size - 1, 0, -1)):
        shares = _floors(quantity, weights, lot)
        if all(share > 0 for share, weight in zip(shares, weights, strict=True) if weight):
            break
        weights[at] = ZERO
    shares = _floors(quantity, weights, lot)
    shares[0] += quantity - sum(shares, ZERO)
    check(sum(shares, ZERO) == quantity, "legs add up to the quantity")
    return Legs(tuple(shares[:size]), shares[size])


def _floors(quantity: Decimal, weights: Sequence[Decimal], lot: Decimal) -> list[Decimal]:
    total = sum(weights, ZERO)
    exact = (rounded(quantity * weight / total, SHARE_DECIMALS) for weight in weights)
    return [floor_to(share, lot) for share in exact]


def runner_extension(
    mfe_r: Sequence[Decimal], *, last_tp_r: Decimal, quantile: Decimal = Decimal("0.75")
) -> Decimal:
    """Return the MFE quantile in R among trades that reached `last_tp_r`, unrounded.

    Linear between order statistics at position (n-1)*q, as numpy.percentile. Raises
    `PARAM_INVALID` when no trade reached it. Worked: 2.1 2.6 2.0 3.3 4.2 2.9 5.5 is 3.75.
    """
    require_fraction(quantile=quantile)
    require_not_negative(last_tp_r=last_tp_r)
    reached = sorted(item for item in mfe_r if item >= last_tp_r)
    require(reached, "mfe_r", value="[]", rule="must hold a trade that reached the last target")
    position = (len(reached) - 1) * quantile
    below = int(position)
    above = min(below + 1, len(reached) - 1)
    return reached[below] + (position - below) * (reached[above] - reached[below])


def target_price(
    side: Side, entry: Decimal, *, stop_distance: Decimal, x: Decimal, tick: Decimal
) -> Decimal:
    """Return entry + side * x * stop_distance on tick: down for a long, up for a short.

    Worked: long 64.10, distance 0.85, x 3.75, tick 0.01 is 67.28 (67.2875 rounded down).
    """
    sign = require_side(side)
    require_above_zero(entry=entry, stop_distance=stop_distance, tick=tick)
    raw = entry + sign * x * stop_distance
    price = tick_round(raw, tick, "floor" if sign > 0 else "ceil")
    require(price > 0, "target", value=price, rule="must be above 0")
    return price
