"""Owns the curves from a score to a chance: isotonic knots and Platt's logistic."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal

from services.kit.money import from_float


@dataclass(frozen=True, slots=True)
class IsotonicFit:
    """Distinct scores ascending, and the chance at each, never falling."""

    scores: tuple[Decimal, ...]
    chances: tuple[Decimal, ...]

    def at(self, score: Decimal) -> Decimal:
        """Return the chance at a score: linear between knots, flat outside, unrounded."""
        place = bisect_right(self.scores, score)
        if place == 0:
            return self.chances[0]
        if place == len(self.scores):
            return self.chances[-1]
        left, right = self.scores[place - 1], self.scores[place]
        share = (score - left) / (right - left)
        return self.chances[place - 1] + share * (self.chances[place] - self.chances[place - 1])


@dataclass(frozen=True, slots=True)
class PlattFit:
    """P = 1 / (1 + exp(-(slope * score + intercept)))."""

    slope: float
    intercept: float

    def at(self, score: Decimal) -> Decimal:
        """Return the chance at a score, 12 decimals."""
        return from_float(logistic(self.slope * float(score) + self.intercept), 12)


def logistic(x: float) -> float:
    """Return 1 / (1 + exp(-x)) without overflow at either end."""
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
