"""Owns `ma_cross`: a fast average that crosses over a slow one."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse


def detect(scene: Scene, session: Session) -> Found | None:  # noqa: ARG001 - every rule's shape
    """Return the cross of the newest bar, or None.

    9 over 21 bars within the day, 20 over 50 by the day; was at or below and is above. At least
    four times the slow length of bars stand behind it.
    """
    bars, limits = scene.bars, scene.policy.ma_cross
    daily = bars.timeframe == "1d"
    fast, slow = (limits.fast_day, limits.slow_day) if daily else (limits.fast, limits.slow)
    if len(bars) < limits.warm * slow:
        return None
    quick, calm = bars.read.ema(fast), bars.read.ema(slow)
    if quick is None or calm is None or quick <= calm:
        return None
    quick_before, calm_before = bars.read.ema(fast, 1), bars.read.ema(slow, 1)
    if quick_before is None or calm_before is None or quick_before > calm_before:
        return None
    close, structure = bars.close(), bars.lowest(limits.lookback)
    if close is None or structure is None:
        return None
    return Found(
        entry_kind="market",
        lo=close,
        hi=close,
        structure=structure,
        gives_up=calm,
        why="the averages cross back",
        lapse=Lapse(unit="sessions", count=limits.sessions) if daily else Lapse(unit="session"),
        features={"apart": quick - calm},
    )
