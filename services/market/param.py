"""Owns the range checks of the market rules: an argument out of its range is `PARAM_INVALID`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.kit.errors import refuse


def require(condition: object, name: str, *, value: object, rule: str) -> None:
    """Raise `PARAM_INVALID` naming the argument, unless `condition` holds."""
    if not condition:
        raise refuse("PARAM_INVALID", name=name, value=str(value), rule=rule)


def require_count(name: str, value: int) -> None:
    """Raise `PARAM_INVALID` for a count below 1."""
    require(value >= 1, name, value=value, rule="must be 1 or more")


def require_series(**series: Sequence[float]) -> int:
    """Return the common length; `PARAM_INVALID` for unequal lengths, NaN and infinity."""
    lengths = {name: len(values) for name, values in series.items()}
    common = next(iter(lengths.values()))
    for name, values in series.items():
        require(len(values) == common, name, value=len(values), rule=f"must hold {common} values")
        for value in values:
            require(math.isfinite(value), name, value=value, rule="must be finite numbers")
    return common
