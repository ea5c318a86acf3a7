"""Owns window metrics: what the trades of one stretch of time come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)


class WindowTrade(NamedTuple):
    """One trade of a window."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowMetrics:
    """One tumbling window; `vwap` is sum(p * v) / sum(v), unrounded.

    `trades` counts what entered, `dropped` what had no positive price and size.
    """

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    vwap: Decimal
    trades: int
    dropped: int

    @property
    def range(self) -> Decimal:
        """Return high less low."""
        return self.high - self.low


def window_metrics(trades: Iterable[WindowTrade]) -> WindowMetrics | None:
    """Return the metrics of one window's trades in event order; None for an empty window.

    Worked: 200 at 100, 100 at 100.5, 300 at 99.8, 400 at 100.2: VWAP 100.07, volume 1000.
    """
    kept: list[WindowTrade] = []
    dropped = 0
    for one in trades:
        if one.price > 0 and one.size > 0:
            kept.append(one)
        else:
            dropped += 1
    if not kept:
        return None
    prices = [one.price for one in kept]
    volume = sum((one.size for one in kept), ZERO)
    return WindowMetrics(
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=volume,
        vwap=sum((one.price * one.size for one in kept), ZERO) / volume,
        trades=len(kept),
        dropped=dropped,
    )
