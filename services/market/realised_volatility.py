"""Owns realised volatility: the spread of daily log returns, and where it stands in its year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from services.kit.errors import refuse
from services.market.param import require, require_series

SESSIONS_PER_YEAR = 252
_YEAR = math.sqrt(SESSIONS_PER_YEAR)


def realised_volatility(close: Sequence[float], n: int = 20) -> float:
    """Return stdev(ln(c_i / c_(i-1)), ddof 1) * sqrt(252) of the last `n` returns, a fraction.

    Raises `PARAM_INVALID`, `INSUFFICIENT_BARS` below n+1 closes.
    Worked: closes 100, 101, 100 with n 2 have 0.223384.
    """
    require(n >= 2, "n", value=n, rule="must be 2 or more")
    have = require_series(close=close)
    if have < n + 1:
        raise refuse("INSUFFICIENT_BARS", indicator="RV", need=n + 1, have=have)
    return volatilities(close[-(n + 1) :], n)[-1]


def volatilities(close: Sequence[float], n: int = 20) -> list[float]:
    """Return the realised volatility after each close from index n on, as `realised_volatility`.

    Raises `PARAM_INVALID`. Worked: closes 100, 101, 100, 101 by 2 have 0.223384 twice.
    """
    require(n >= 2, "n", value=n, rule="must be 2 or more")
    require_series(close=close)
    least = min(close, default=1.0)
    require(least > 0, "close", value=least, rule="must be above 0")
    returns = [math.log(after / before) for before, after in pairwise(close)]
    return [_spread(returns[end - n : end], n) for end in range(n, len(returns) + 1)]


def _spread(returns: Sequence[float], n: int) -> float:
    mean = math.fsum(returns) / n
    squares = math.fsum([(value - mean) * (value - mean) for value in returns])
    return math.sqrt(squares / (n - 1)) * _YEAR


def volatility_percentile(values: Sequence[float]) -> float:
    """Return the share of the last 252 values that are at or below the newest, itself included.

    Raises `INSUFFICIENT_BARS` without a value. Worked: 1, 3, 4, 2 is 0.5.
    """
    if not values:
        raise refuse("INSUFFICIENT_BARS", indicator="RV percentile", need=1, have=0)
    year = values[-SESSIONS_PER_YEAR:]
    finite = all(map(math.isfinite, year))
    require(finite, "values", value=year[-1], rule="must be finite numbers")
    newest = year[-1]
    return len([value for value in year if value <= newest]) / len(year)
