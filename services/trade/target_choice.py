"""Owns the choice of targets: multiples of R from the record's survival, snapped to levels."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.errors import refuse
from services.kit.money import rounded, tick_round
from services.kit.policy import PlanPolicy
from services.strategy.level_list import levels_between
from services.strategy.survival import target_multiples
from services.trade.idea import Idea
from services.trade.target import Survival, target_price

FIRST = Decimal("0.8")


@dataclass(frozen=True, slots=True)
class ChosenTarget:
    """A target on tick, its distance in stop distances (unrounded), and what it snapped to."""

    price: Decimal
    r: Decimal
    snapped_to: str | None = None


def choose_targets(
    idea: Idea, survival: Survival, *, cost: Decimal, policy: PlanPolicy
) -> tuple[ChosenTarget, ...]:
    """Return the targets of an idea on tick, nearest first, at its survival's multiples.

    A rule with a target of its own (a return to VWAP) has that one alone. The first is no nearer
    than pays `min_rr1` after costs, up to 1 R. A target with an opposing level within 0.15 R
    before it goes one tick before the level, unless it would come nearer than that or out of
    order. A short has no target at or below 0. Raises `NO_TARGET`.
    """
    if idea.setup.target is not None:
        mode = "floor" if idea.sign > 0 else "ceil"
        price = tick_round(idea.setup.target, idea.context.tick, mode)  # type: ignore[arg-type]
        return (ChosenTarget(price, _r(idea, price)),)
    distance, tick = idea.stop.distance, idea.context.tick
    paying = (policy.min_rr1 * (distance + cost) + cost + tick) / distance
    first = min(max(FIRST, paying), Decimal(1))
    found: list[ChosenTarget] = []
    for x in target_multiples(survival.grid, survival.n, shares=policy.survival):
        reach = x if found else max(x, first)
        if idea.worst + idea.sign * reach * distance < tick:
            break
        price = target_price(
            idea.setup.side, idea.worst, stop_distance=distance, x=reach, tick=tick
        )
        least = found[-1].r if found else min(first, _r(idea, price))
        found.append(_snapped(idea, price, least=least, is_first=not found, reach=policy.snap_r))
    if not found:
        raise refuse("NO_TARGET")
    return tuple(found)


def _snapped(
    idea: Idea, price: Decimal, *, least: Decimal, is_first: bool, reach: Decimal
) -> ChosenTarget:
    """Return the target, one tick before the nearest opposing level that stands in its way."""
    sign, tick = idea.sign, idea.context.tick
    begins = price - sign * reach * idea.stop.distance
    mode = "floor" if sign > 0 else "ceil"
    near = levels_between(idea.levels, idea.setup.side, min(begins, price), max(begins, price))
    for name, level in sorted(near, key=lambda one: (sign * one[1], one[0])):
        moved = tick_round(level, tick, mode) - sign * tick  # type: ignore[arg-type]
        r = _r(idea, moved)
        if r > least or (is_first and r == least):
            return ChosenTarget(moved, r, name)
    return ChosenTarget(price, _r(idea, price))


def _r(idea: Idea, price: Decimal) -> Decimal:
    return rounded(idea.sign * (price - idea.worst) / idea.stop.distance, 12)
