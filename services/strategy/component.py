"""Owns the values of the confluence components: each from its own reading, 0 to 1."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from services.kit.money import decimal_text
from services.market.param import require

Side = Literal["long", "short"]
ZERO, HALF, ONE = Decimal(0), Decimal("0.5"), Decimal(1)
VOTE_ATR = Decimal("0.02")
RVOL_NONE, RVOL_FULL = Decimal("0.8"), Decimal("2.0")
_MOMENTUM = tuple(
    (Decimal(rsi), Decimal(value))
    for rsi, value in (("40", "0"), ("55", "1"), ("70", "1"), ("80", "0.3"))
)


def trend_votes(
    close: Decimal, *, ema20: Decimal, ema50: Decimal, ema20_before: Decimal, atr: Decimal
) -> tuple[int, int, int]:
    """Return the votes of one timeframe: close over EMA20, EMA20 over EMA50, EMA20 rising.

    `ema20_before` is three bars older. A difference below 0.02 ATR is 0. Raises `PARAM_INVALID`.
    Worked: 100.5, 100, 99, 99.99 with ATR 1 votes 1, 1, 0.
    """
    require(atr > 0, "atr", value=decimal_text(atr), rule="must be above 0")
    return (_vote(close - ema20, atr), _vote(ema20 - ema50, atr), _vote(ema20 - ema20_before, atr))


def _vote(difference: Decimal, atr: Decimal) -> int:
    if abs(difference) < VOTE_ATR * atr or difference == 0:
        return 0
    return 1 if difference > 0 else -1


def vwap_value(side: Side, close: Decimal, *, vwap: Decimal, vwap_before: Decimal) -> Decimal:
    """Return 1 when price is on the side's side of VWAP and VWAP moves with it, 0.5 for one.

    `vwap_before` is three bars older.
    """
    sign = _sign(side)
    holds = (sign * (close - vwap) > 0) + (sign * (vwap - vwap_before) > 0)
    return HALF * holds


def rvol_value(rvol: Decimal) -> Decimal:
    """Return (rvol - 0.8) / 1.2 within 0 to 1. Worked: 1.4 is 0.5."""
    return _clamped((rvol - RVOL_NONE) / (RVOL_FULL - RVOL_NONE))


def next_level(side: Side, entry: Decimal, levels: Iterable[Decimal]) -> Decimal | None:
    """Return the nearest level strictly beyond the entry on the side's way, None without one."""
    ahead = [level for level in levels if _sign(side) * (level - entry) > 0]
    return min(ahead, key=lambda level: abs(level - entry), default=None)


def room_value(entry: Decimal, level: Decimal | None, *, r: Decimal) -> Decimal:
    """Return the way from the worst entry to the next level over 2R, at most 1; 1 without one.

    Raises `PARAM_INVALID`. Worked: from 100 to 103 with R 2 is 0.75.
    """
    require(r > 0, "r", value=decimal_text(r), rule="must be above 0")
    return ONE if level is None else _clamped(abs(level - entry) / (2 * r))


def momentum_value(side: Side, rsi: Decimal, *, mean_reversion: bool = False) -> Decimal:
    """Return 0 at RSI 40 and below, 1 from 55 to 70, 0.3 from 80 on, straight lines between.

    A short reads 100 - RSI. Mean reversion is 1 - RSI/50 instead, within 0 to 1.
    Raises `PARAM_INVALID`. Worked: a long at 47.5 is 0.5, at 75 it is 0.65.
    """
    require(0 <= rsi <= 100, "rsi", value=decimal_text(rsi), rule="must be 0 to 100")
    read = rsi if side == "long" else 100 - rsi
    if mean_reversion:
        return _clamped(1 - read / 50)
    below = _MOMENTUM[0]
    for above in _MOMENTUM:
        if read <= above[0]:
            span = above[0] - below[0]
            part = (read - below[0]) / span if span else ONE
            return below[1] + part * (above[1] - below[1])
        below = above
    return below[1]


def volatility_value(percentile: Decimal) -> Decimal:
    """Return 1 for a realised-volatility percentile in [0.2, 0.8], 0.5 in [0.05, 0.95], else 0."""
    if Decimal("0.2") <= percentile <= Decimal("0.8"):
        return ONE
    return HALF if Decimal("0.05") <= percentile <= Decimal("0.95") else ZERO


def market_value(side: Side, trend: Decimal) -> Decimal:
    """Return (1 + side * trend) / 2 of the index's daily trend in [-1, 1]."""
    require(-1 <= trend <= 1, "trend", value=decimal_text(trend), rule="must be -1 to 1")
    return (1 + _sign(side) * trend) / 2


def _sign(side: Side) -> int:
    require(side in ("long", "short"), "side", value=side, rule="must be long or short")
    return 1 if side == "long" else -1


def _clamped(value: Decimal) -> Decimal:
    return min(max(value, ZERO), ONE)
