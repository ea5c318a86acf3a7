"""Owns the confluence score: trend votes over timeframes, and the weighted mean of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.kit.money import decimal_text
from services.market.param import require

Side = Literal["long", "short"]
ZERO, ONE = Decimal(0), Decimal(1)
COVERAGE_MIN = Decimal("0.70")
TIMEFRAMES = ("1w", "1d", "60m", "15m", "5m")
COMPONENTS = ("mtf", "vwap", "rvol", "room", "momentum", "volatility", "market")
VOTES = 3


@dataclass(frozen=True, slots=True)
class TrendAgreement:
    """Trend per timeframe in [-1, 1] and how far they agree with a side in [0, 1], unrounded."""

    trend: Mapping[str, Decimal]
    mtf: Decimal


@dataclass(frozen=True, slots=True)
class Confluence:
    """The score, unrounded, null when too little of it is known; it is no probability."""

    score: Decimal | None
    coverage: Decimal
    missing: tuple[str, ...]
    flags: tuple[str, ...]


def mtf(
    side: Side, votes: Mapping[str, Sequence[int]], *, weights: Mapping[str, Decimal]
) -> TrendAgreement:
    """Return the trend of each timeframe (mean of its three votes) and their agreement.

    mtf = sum(w * (1 + side * trend) / 2), weights adding up to at most 1.
    Raises `PARAM_INVALID`. Worked: 1d (1,1,1), 60m (1,1,0), 15m (1,-1,1), 5m (1,1,1), long, by
    .35/.30/.20/.15 is 0.883333.
    """
    require(side in ("long", "short"), "side", value=side, rule="must be long or short")
    require(votes, "votes", value="{}", rule="must hold a timeframe")
    _require_weights(weights, TIMEFRAMES)
    same = votes.keys() == weights.keys()
    require(same, "votes", value=", ".join(votes), rule="must name the timeframes of the weights")
    sign = 1 if side == "long" else -1
    trend = {name: _trend(name, cast) for name, cast in votes.items()}
    total = sum((weights[name] * (1 + sign * value) for name, value in trend.items()), ZERO)
    return TrendAgreement(trend, total / 2)


def _trend(timeframe: str, cast: Sequence[int]) -> Decimal:
    valid = len(cast) == VOTES and all(vote in (-1, 0, 1) for vote in cast)
    require(valid, f"votes.{timeframe}", value=list(cast), rule="must be three of -1, 0, 1")
    return Decimal(sum(cast)) / VOTES


def confluence(
    components: Mapping[str, Decimal | None], weights: Mapping[str, Decimal]
) -> Confluence:
    """Return sum(w * c) / sum(w) over the components that are there.

    `coverage` is the weight that is there; below 0.70 the score is null with
    `CONFLUENCE_COVERAGE_LOW`. `missing` names the weighted components without a value, sorted.
    Raises `PARAM_INVALID`. Worked: .883333/1/.6/.75/.5/1/.5 by the default weights is 0.7867.
    """
    _require_weights(weights, COMPONENTS)
    known: list[tuple[Decimal, Decimal]] = []
    for name, value in components.items():
        require(name in weights, "components", value=name, rule="each needs a weight")
        if value is not None:
            shown = decimal_text(value)
            require(0 <= value <= 1, f"components.{name}", value=shown, rule="must be 0 to 1")
            known.append((weights[name], value))
    missing = tuple(sorted(name for name in weights if components.get(name) is None))
    coverage = sum((weight for weight, _ in known), ZERO)
    if coverage < COVERAGE_MIN:
        return Confluence(None, coverage, missing, ("CONFLUENCE_COVERAGE_LOW",))
    total = sum((weight * value for weight, value in known), ZERO)
    return Confluence(total / coverage, coverage, missing, ())


def _require_weights(weights: Mapping[str, Decimal], names: Sequence[str]) -> None:
    for name, weight in weights.items():
        require(name in names, "weights", value=name, rule="must be one of " + ", ".join(names))
        shown = decimal_text(weight)
        require(0 <= weight <= 1, f"weights.{name}", value=shown, rule="must be 0 to 1")
    total = sum(weights.values(), ZERO)
    require(total <= ONE, "weights", value=decimal_text(total), rule="must add up to at most 1")
