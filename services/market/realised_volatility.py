"""Owns realised volatility: the spread of daily log returns, and where it stands in its year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul

from services.kit.errors import refuse
from services.market.param import require, require_series

SESSIONS_PER_YEAR = 252
_YEAR = math.sqrt(SESSIONS_PER_YEAR)
_NEAR = 1e-10
"""Far above what running sums of a few hundred floats can be wrong by, as a share of the sums."""


def realised_volatility(close: Sequence[float], n: int = 20) -> float:
    """Return stdev(ln(c_i / c_(i-1)), ddof 1) * sqrt(252) of the last `n` returns, a fraction.

    Raises `PARAM_INVALID`, `INSUFFICIENT_BARS` below n+1 closes.
    Worked: closes 100, 101, 100 with n 2 have 0.223384.
    """
    return _spread(_returns(close, n, most=n + 1))


def volatility_percentile(values: Sequence[float]) -> float:
    """Return the share of the last 252 values that are at or below the newest, itself included.

    Raises `INSUFFICIENT_BARS` without a value. Worked: 1, 3, 4, 2 is 0.5.
    """
    have = require_series(values=values)
    if not have:
        raise refuse("INSUFFICIENT_BARS", indicator="RV percentile", need=1, have=0)
    year = values[-SESSIONS_PER_YEAR:]
    return sum(1 for value in year if value <= year[-1]) / len(year)


def volatility_rank(close: Sequence[float], n: int = 20) -> float:
    """Return `volatility_percentile` of the `realised_volatility` after each close from the n-th.

    Running sums tell which windows lie clearly above or below the newest one; those too near to be
    told so are worked out by the definition. Raises `PARAM_INVALID`, `INSUFFICIENT_BARS` below n+1
    closes. Worked: closes 100, 101, 101, 102 by 2 have the larger value first, so 0.5.
    """
    return rank_of_returns(_returns(close, n, most=SESSIONS_PER_YEAR + n), n)


def rank_of_returns(returns: Sequence[float], n: int) -> float:
    """Return `volatility_rank` from at least `n` log returns, those of a year and `n` at most."""
    sums = list(accumulate(returns, initial=0.0))
    squares = list(accumulate(map(mul, returns, returns), initial=0.0))
    columns = zip(squares, squares[n:], sums, sums[n:], strict=False)
    about = [end - begun - (high - low) * (high - low) / n for begun, end, low, high in columns]
    room = _NEAR * squares[-1]
    least, most = about[-1] - room, about[-1] + room
    below = len([value for value in about if value < least])
    near = [at for at, value in enumerate(about) if least <= value <= most]
    exact = [_spread(returns[at : at + n]) for at in near] if len(near) > 1 else [0.0]
    return (below + len([value for value in exact if value <= exact[-1]])) / len(about)


@dataclass(slots=True)
class LogReturns:
    """The log returns from close to close; the first close has none."""

    close: float | None = None

    def push(self, close: float) -> float | None:
        """Return ln(close / close before)."""
        before, self.close = self.close, close
        return None if before is None else math.log(close / before)

    def fold(self, closes: Sequence[float]) -> list[float | None]:
        """Return the log returns of more closes."""
        return [self.push(close) for close in closes]


def _returns(close: Sequence[float], n: int, *, most: int) -> list[float]:
    """Return the log returns between the last `most` closes; at least `n` of them."""
    require(n >= 2, "n", value=n, rule="must be 2 or more")
    used, have = close[-most:], len(close)
    finite = all(map(math.isfinite, close))
    require(finite, "close", value="NaN or infinity", rule="must be finite numbers")
    if have < n + 1:
        raise refuse("INSUFFICIENT_BARS", indicator="RV", need=n + 1, have=have)
    require(min(used) > 0, "close", value=min(used), rule="must be above 0")
    return [math.log(after / before) for before, after in pairwise(used)]


def _spread(returns: Sequence[float]) -> float:
    n = len(returns)
    mean = math.fsum(returns) / n
    squares = math.fsum([(value - mean) * (value - mean) for value in returns])
    return math.sqrt(squares / (n - 1)) * _YEAR
