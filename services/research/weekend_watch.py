"""Owns what a weekend plan says of symbols without a swing: where they stand, what is lacking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from services.kit.money import from_float, rounded
from services.research.rank import drawdown
from services.strategy.load import Loaded

ROWS_MAX = 20
_PLACES = 2
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One symbol at the close; prices and percentages at 2 decimals, null without the bars for it.

    `trend_weekly` is the mean of the weekly votes, -1 to 1. `nearest` is the rule that comes
    nearest to a setup and what it lacks, or why its setup is no plan.
    """

    symbol: str
    close: Decimal
    week_high: Decimal | None
    week_low: Decimal | None
    below_high_pct: Decimal
    trend_weekly: Decimal | None
    ema20: Decimal | None
    ema200: Decimal | None
    range_pct: Decimal | None
    nearest: str


def watched_of(symbol: str, loaded: Loaded, nearest: str) -> Watched | None:
    """Return where a symbol stands by its complete days and weeks; None without a day."""
    context = loaded.context
    days, weeks = context.tracks["1d"], context.tracks.get("1w")
    end = days.count_until(context.as_of)
    if not end:
        return None
    last = days.bars[end - 1]
    at = weeks.count_until(context.as_of) if weeks is not None else 0
    week = weeks.bars[at - 1] if weeks is not None and at else None
    scene = context.scene("long", "1d")
    trend = scene.trend("1w") if scene is not None else None
    ranged = days.atr[end - 1]
    return Watched(
        symbol=symbol,
        close=rounded(last.c, _PLACES),
        week_high=None if week is None else rounded(week.h, _PLACES),
        week_low=None if week is None else rounded(week.l, _PLACES),
        below_high_pct=rounded(_HUNDRED * drawdown(days.bars[:end]), _PLACES),
        trend_weekly=_rounded(trend),
        ema20=_rounded(days.emas[20][end - 1]),
        ema200=_rounded(days.emas[200][end - 1]),
        range_pct=_rounded(None if ranged is None else 100 * ranged / float(last.c)),
        nearest=nearest,
    )


def watch_list(found: Iterable[Watched | None]) -> list[Watched]:
    """Return at most 20 rows: those nearest to the high of their year first, then by symbol."""
    rows = sorted(
        (one for one in found if one is not None), key=lambda one: (one.below_high_pct, one.symbol)
    )
    return rows[:ROWS_MAX]


def _rounded(value: float | None) -> Decimal | None:
    return None if value is None else from_float(value, _PLACES)
