"""Owns the rules of the built-in streaming strategies over window metrics; pure, no cooldown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Literal

from services.kit.money import decimal_text, rounded
from services.market.param import require, require_count

Signal = Literal["BUY", "SELL"]
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far a close lies from VWAP in percentage points (4 decimals), and what it says."""

    deviation_pct: Decimal
    signal: Signal | None
    strength: Decimal


@dataclass(frozen=True, slots=True)
class Spike:
    """A window's volume over its usual (4 decimals), and what it says; null in warm-up."""

    ratio: Decimal | None
    signal: Signal | None


def ma_cross(closes: Sequence[Decimal], *, fast: int, slow: int) -> list[Signal | None]:
    """Return one signal per close: simple averages that crossed at this close.

    Was at or below and is above: BUY; mirrored SELL. Null before index `slow`. The sums compare
    exactly. Raises `PARAM_INVALID`. Worked: fast 2, slow 4 on the closes of the tests sells at 5.
    """
    require_count("fast", fast)
    require(fast < slow, "fast", value=fast, rule=f"must be below slow {slow}")
    over = [
        slow * sum(closes[at + 1 - fast : at + 1], Decimal(0))
        - fast * sum(closes[at + 1 - slow : at + 1], Decimal(0))
        for at in range(slow - 1, len(closes))
    ]
    head: list[Signal | None] = [None] * min(slow, len(closes))
    return head + [_crossed(before, now) for before, now in pairwise(over)]


def _crossed(before: Decimal, now: Decimal) -> Signal | None:
    if before <= 0 < now:
        return "BUY"
    return "SELL" if before >= 0 > now else None


def vwap_deviation(close: Decimal, vwap: Decimal, *, threshold_pct: Decimal) -> Deviation:
    """Return 100 * (close - vwap) / vwap and its signal: far below buys, far above sells.

    Strength is min(1, |deviation| / (2 * threshold)), 4 decimals. Raises `PARAM_INVALID`.
    Worked: 98.9 against 100 at 1.0 is -1.1000, BUY, strength 0.5500.
    """
    for name, value in (("vwap", vwap), ("threshold_pct", threshold_pct)):
        require(value > 0, name, value=decimal_text(value), rule="must be above 0")
    away = 100 * (close - vwap) / vwap
    signal: Signal | None = None
    if away <= -threshold_pct:
        signal = "BUY"
    elif away >= threshold_pct:
        signal = "SELL"
    strength = min(ONE, abs(away) / (2 * threshold_pct))
    return Deviation(rounded(away, 4), signal, rounded(strength, 4))


def volume_spike(
    history: Sequence[Decimal],
    volume: Decimal,
    *,
    moved: Decimal,
    multiple: Decimal,
    lookback: int = 20,
) -> Spike:
    """Return volume over the mean of the last `lookback` windows, and its signal.

    `moved` is close less open: a spike that rose buys, one that fell sells, an unmoved one is
    silent. Fewer windows: null. Raises `PARAM_INVALID`. Worked: 450 against a mean of 106 is
    4.2453, and with a fall SELL at a multiple of 4.
    """
    require_count("lookback", lookback)
    require(multiple > 0, "multiple", value=decimal_text(multiple), rule="must be above 0")
    if len(history) < lookback:
        return Spike(None, None)
    mean = sum(history[-lookback:], Decimal(0)) / lookback
    if mean <= 0:
        return Spike(None, None)
    ratio, signal = volume / mean, None
    if ratio >= multiple and moved:
        signal = "BUY" if moved > 0 else "SELL"
    return Spike(rounded(ratio, 4), signal)  # type: ignore[arg-type]
