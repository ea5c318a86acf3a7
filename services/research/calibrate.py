"""Owns fitting chances to scores: isotonic and Platt calibration, both deterministic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

from services.kit.errors import refuse
from services.market.param import require
from services.strategy.curve import IsotonicFit, PlattFit, logistic

ZERO = Decimal(0)
_STEPS = 100
_SETTLED = 1e-12
_RIDGE = 1e-12
_DAMPINGS = 40


def fit_isotonic(scores: Sequence[Decimal], outcomes: Sequence[int]) -> IsotonicFit:
    """Return the never-falling fit with the least squared error, by pooling adjacent violators.

    Equal scores are pooled first. Barlow et al. (1972). Raises `PARAM_INVALID`. Worked: outcomes 0
    1 0 0 1 1 over six scores give 0, 1/3 three times, 1, 1.
    """
    _require_labelled(scores, outcomes)
    groups: dict[Decimal, list[int]] = {}
    for score, hit in sorted(zip(scores, outcomes, strict=True)):
        groups.setdefault(score, []).append(hit)
    pools: list[tuple[Decimal, int, int]] = []
    for hits in groups.values():
        mean, weight, knots = Decimal(sum(hits)) / len(hits), len(hits), 1
        while pools and pools[-1][0] >= mean:
            before, other, more = pools.pop()
            mean = (mean * weight + before * other) / (weight + other)
            weight, knots = weight + other, knots + more
        pools.append((mean, weight, knots))
    chances = tuple(mean for mean, _, knots in pools for _ in range(knots))
    return IsotonicFit(tuple(groups), chances)


def fit_platt(scores: Sequence[Decimal], outcomes: Sequence[int]) -> PlattFit:
    """Return the logistic fit on Platt's smoothed targets, by damped Newton steps.

    Targets are (n1 + 1)/(n1 + 2) for hits and 1/(n0 + 2) otherwise: Platt (1999), Lin et al.
    (2007). Raises `PARAM_INVALID`. Worked: the eight scores of the tests give slope 6.1076 and
    intercept -3.2476.
    """
    _require_labelled(scores, outcomes)
    hits = sum(outcomes)
    misses = len(outcomes) - hits
    high, low = (hits + 1) / (hits + 2), 1 / (misses + 2)
    points = [
        (float(score), high if hit else low) for score, hit in zip(scores, outcomes, strict=True)
    ]
    slope, intercept = 0.0, math.log((hits + 1) / (misses + 1))
    loss = _loss(points, slope, intercept)
    for _ in range(_STEPS):
        step = _newton_step(points, slope, intercept)
        scale = 1.0
        for _ in range(_DAMPINGS):
            tried = (slope - scale * step[0], intercept - scale * step[1])
            found = _loss(points, *tried)
            if found <= loss:
                break
            scale *= 0.5
        else:
            break
        settled = loss - found <= _SETTLED
        (slope, intercept), loss = tried, found
        if settled:
            break
    return PlattFit(slope, intercept)


def _newton_step(
    points: Sequence[tuple[float, float]], slope: float, intercept: float
) -> tuple[float, float]:
    first = second = 0.0
    aa = bb = _RIDGE
    ab = 0.0
    for score, target in points:
        chance = logistic(slope * score + intercept)
        miss, weight = chance - target, chance * (1.0 - chance)
        first += miss * score
        second += miss
        aa += weight * score * score
        ab += weight * score
        bb += weight
    spread = aa * bb - ab * ab
    return (bb * first - ab * second) / spread, (aa * second - ab * first) / spread


def _loss(points: Sequence[tuple[float, float]], slope: float, intercept: float) -> float:
    """Return the cross-entropy, written so that no large exponent overflows."""
    total = []
    for score, target in points:
        x = slope * score + intercept
        total.append(max(x, 0.0) - x * target + math.log1p(math.exp(-abs(x))))
    return math.fsum(total)


def _require_labelled(scores: Sequence[Decimal], outcomes: Sequence[int]) -> None:
    require(scores, "score", value=0, rule="needs a labelled score")
    require(len(scores) == len(outcomes), "y", value=len(outcomes), rule="as many as scores")
    for score in scores:
        if not score.is_finite():
            raise refuse("NUMERIC_DOMAIN", name="score")
    for hit in outcomes:
        require(hit in (0, 1), "y", value=hit, rule="must be 0 or 1")
