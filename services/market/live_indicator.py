"""Owns the indicators of the running session: folded bar by bar, equal to the whole series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.market.bar import Bar
from services.market.indicator import Atr, Ema
from services.market.vwap import VolumeBar

EMA_FAST, EMA_SLOW, ATR_BARS = 9, 21, 14


@dataclass(frozen=True, slots=True)
class LiveIndicators:
    """Indicators over the `bars` complete minutes of the newest session; None before their first.

    Unrounded: EMA of 9 and 21 closes, Wilder's ATR of 14 bars, VWAP since the regular open.
    """

    bars: int
    ema_fast: float | None
    ema_slow: float | None
    atr: float | None
    vwap: float | None


@dataclass(slots=True)
class SessionFold:
    """The state after the bars pushed; begin a new one at each regular open."""

    fast: Ema = field(default_factory=lambda: Ema(EMA_FAST))
    slow: Ema = field(default_factory=lambda: Ema(EMA_SLOW))
    ranges: Atr = field(default_factory=lambda: Atr(ATR_BARS))
    paid: float = 0.0
    volume: float = 0.0
    count: int = 0
    read: tuple[float | None, float | None, float | None] = (None, None, None)

    def push(self, bar: Bar) -> None:
        """Take in the next bar of the session."""
        high, low, close, volume = float(bar.h), float(bar.l), float(bar.c), float(bar.v)
        vw = None if bar.vw is None else float(bar.vw)
        self.read = (
            self.fast.push(close),
            self.slow.push(close),
            self.ranges.push(high, low, close),
        )
        self.paid += VolumeBar(high, low, close, volume, vw).price * volume
        self.volume += volume
        self.count += 1

    @property
    def value(self) -> LiveIndicators:
        """Return the indicators after the last bar."""
        vwap = self.paid / self.volume if self.volume else None
        return LiveIndicators(self.count, *self.read, vwap)


def fold_session(bars: Sequence[Bar]) -> SessionFold:
    """Return the state after `bars`, ascending, all of one session.

    Equals `indicator.ema`, `indicator.atr` and `vwap.vwap` over the same bars bit for bit.
    """
    state = SessionFold()
    for bar in bars:
        state.push(bar)
    return state
