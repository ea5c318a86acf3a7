"""Owns the pure performance figures: returns, drawdown, ratios, win rate, profit factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from services.kit.errors import refuse
from services.kit.money import from_float, rounded

MIN_RETURNS = 20
MIN_CAGR_DAYS = 90


@dataclass(frozen=True, slots=True)
class ReturnStats:
    """Figures of a return series, 6 decimals; ratios are null below 20 returns."""

    total_return: Decimal
    max_drawdown: Decimal | None
    sharpe: Decimal | None
    sortino: Decimal | None
    annual_volatility: Decimal | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TradeStats:
    """Figures of closed trades; null without trades, profit factor also without losses."""

    trades: int
    win_rate: Decimal | None
    profit_factor: Decimal | None
    expectancy: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    flags: tuple[str, ...]


def max_drawdown(equity: Sequence[Decimal], *, start: Decimal | None = None) -> Decimal | None:
    """Return the deepest fall below an earlier peak as a fraction <= 0, unrounded.

    `start` is the first peak when given. Null without a point. Source: empyrical, which also
    prepends the start. Worked: 100 then 110, 99 is -0.1.
    """
    if not equity:
        return None
    peak = equity[0] if start is None else start
    if peak <= 0:
        raise refuse("PARAM_INVALID", name="equity", value=str(peak), rule="must start above 0")
    worst = Decimal(0)
    for value in equity:
        peak = max(peak, value)
        worst = min(worst, value / peak - 1)
    return worst


def total_return(start: Decimal, end: Decimal) -> Decimal | None:
    """Return end/start - 1, unrounded; null when `start` is not above 0."""
    return end / start - 1 if start > 0 else None


def time_weighted_return(periods: Sequence[tuple[Decimal, Decimal]]) -> Decimal | None:
    """Return the product of (end/start) - 1 over sub-periods cut at every external flow.

    Each pair is the equity just after a flow and just before the next. Null when a start is
    not above 0. Worked: (100, 110), (210, 189) is 1.1 * 0.9 - 1 = -0.01.
    """
    growth = Decimal(1)
    for start, end in periods:
        if start <= 0:
            return None
        growth *= end / start
    return growth - 1


def returns_of(levels: Sequence[Decimal]) -> list[float]:
    """Return each level over the one before, less 1; steps from a level of 0 are left out.

    Worked: 1, 1.1, 0.99 gives 0.1 and -0.1.
    """
    return [float(level / before - 1) for before, level in pairwise(levels) if before > 0]


def annual_growth(start: Decimal, end: Decimal, days: int) -> Decimal | None:
    """Return (end/start)^(365.25/days) - 1, 6 decimals; null below 90 days or start <= 0."""
    if days < MIN_CAGR_DAYS or start <= 0 or end < 0:
        return None
    return from_float(math.pow(float(end / start), 365.25 / days) - 1)


def win_rate(pnl: Sequence[Decimal]) -> Decimal | None:
    """Return the share of closed trades with P&L above 0, 6 decimals; zero is not a win.

    Null without trades. Worked: 10, 0, -5, 3 is 0.5.
    """
    if not pnl:
        return None
    return rounded(Decimal(sum(1 for item in pnl if item > 0)) / len(pnl), 6)


def profit_factor(pnl: Sequence[Decimal]) -> Decimal | None:
    """Return sum of wins / |sum of losses|, 6 decimals; null without losses.

    Worked: 837.40 and -361.40 is 2.317100.
    """
    losses = sum((item for item in pnl if item < 0), Decimal(0))
    wins = sum((item for item in pnl if item > 0), Decimal(0))
    return rounded(wins / abs(losses), 6) if losses else None


def trade_stats(pnl: Sequence[Decimal]) -> TradeStats:
    """Return every figure of closed trades; flag `NO_LOSSES` when nothing was lost."""
    wins = [item for item in pnl if item > 0]
    losses = [item for item in pnl if item < 0]
    return TradeStats(
        trades=len(pnl),
        win_rate=win_rate(pnl),
        profit_factor=profit_factor(pnl),
        expectancy=_mean(pnl),
        average_win=_mean(wins),
        average_loss=_mean(losses),
        flags=("NO_LOSSES",) if pnl and not losses else (),
    )


def _mean(items: Sequence[Decimal]) -> Decimal | None:
    return rounded(sum(items, Decimal(0)) / len(items), 6) if items else None


def return_stats(
    returns: Sequence[float], *, periods_per_year: int = 252, rf: float = 0.0
) -> ReturnStats:
    """Return total return, drawdown, Sharpe, Sortino and volatility of per-period returns.

    Sharpe = mean(r - rf) / sd(ddof 1) * sqrt(periods); Sortino = mean(r) * periods /
    (sqrt(mean(min(r, 0)^2)) * sqrt(periods)); as empyrical. Below 20 returns the three ratios
    are null with `SHORT_HISTORY`; without spread (Sharpe) or a loss (Sortino) null.
    Worked: the first eight returns of the tests give 0.017639 and -0.023951.
    """
    _require_returns(returns, periods_per_year, rf)
    total, deepest = _compound(returns)
    short = len(returns) < MIN_RETURNS
    deviation = None if short else _deviation(returns)
    return ReturnStats(
        total_return=from_float(total),
        max_drawdown=from_float(deepest) if returns else None,
        sharpe=_sharpe(returns, deviation, rf, periods_per_year),
        sortino=None if short else _sortino(returns, periods_per_year),
        annual_volatility=(
            None if deviation is None else from_float(deviation * math.sqrt(periods_per_year))
        ),
        flags=("SHORT_HISTORY",) if short else (),
    )


def _require_returns(returns: Sequence[float], periods_per_year: int, rf: float) -> None:
    if periods_per_year < 1:
        raise refuse(
            "PARAM_INVALID",
            name="periods_per_year",
            value=periods_per_year,
            rule="must be 1 or more",
        )
    if not math.isfinite(rf):
        raise refuse("PARAM_INVALID", name="rf", value=str(rf), rule="must be a number")
    for item in returns:
        if not math.isfinite(item) or item < -1:
            raise refuse(
                "PARAM_INVALID",
                name="returns",
                value=str(item),
                rule="each must be a number of -1 or more",
            )


def _compound(returns: Sequence[float]) -> tuple[float, float]:
    level, peak, deepest = 1.0, 1.0, 0.0
    for item in returns:
        level *= 1 + item
        peak = max(peak, level)
        deepest = min(deepest, level / peak - 1)
    return level - 1, deepest


def _deviation(returns: Sequence[float]) -> float:
    if min(returns) == max(returns):
        return 0.0
    mean = math.fsum(returns) / len(returns)
    return math.sqrt(math.fsum((item - mean) ** 2 for item in returns) / (len(returns) - 1))


def _sharpe(
    returns: Sequence[float], deviation: float | None, rf: float, periods: int
) -> Decimal | None:
    if not deviation:
        return None
    mean = math.fsum(item - rf for item in returns) / len(returns)
    return from_float(mean / deviation * math.sqrt(periods))


def _sortino(returns: Sequence[float], periods: int) -> Decimal | None:
    downside = math.sqrt(math.fsum(min(item, 0.0) ** 2 for item in returns) / len(returns))
    if downside == 0:
        return None
    mean = math.fsum(returns) / len(returns)
    return from_float(mean * periods / (downside * math.sqrt(periods)))
