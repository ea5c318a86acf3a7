"""Owns `ema_pullback`: a trend that comes back to its average and turns up from it."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse

HIGHER = {"15m": "1d", "1d": "1w"}
"""The timeframe whose averages must agree."""


def detect(scene: Scene, session: Session) -> Found | None:  # noqa: ARG001 - every rule's shape
    """Return the pullback of the newest bar, or None.

    EMA20 over EMA50 here and above, ADX 20 or more, a swing high within 20 bars; the bar's low
    comes within 0.1 ATR of EMA20, and it closes above it and above its open.
    """
    bars, limits = scene.bars, scene.policy.ema_pullback
    fast, slow, close = bars.read.ema(20), bars.read.ema(50), bars.close()
    if fast is None or slow is None or close is None or fast <= slow or close <= fast:
        return None
    low, begun, high = bars.low(), bars.open(), bars.high()
    if low is None or begun is None or high is None or close <= begun:
        return None
    atr = bars.read.atr()
    if atr is None or low > fast + float(limits.touch_atr) * atr:
        return None
    adx = bars.read.adx()
    if adx is None or adx < limits.adx:
        return None
    swing = next(iter(bars.swings("high")), None)
    if swing is None or swing[0] > limits.swing_bars or not _is_rising(scene):
        return None
    bottom = bars.lowest(swing[0] + 1) or low
    entry = high + scene.tick
    return Found(
        entry_kind="stop",
        lo=entry,
        hi=entry + 0.25 * atr,
        structure=min(bottom, slow),
        gives_up=slow,
        why="the slow average is lost",
        lapse=Lapse(unit="bars", count=limits.bars),
        features={"adx": adx, "swing_ago": float(swing[0])},
    )


def _is_rising(scene: Scene) -> bool:
    view = scene.views.get(HIGHER[scene.bars.timeframe])
    if view is None:
        return False
    fast, slow = view.read.ema(20), view.read.ema(50)
    return fast is not None and slow is not None and fast > slow
