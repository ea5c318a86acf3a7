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
    now, before = (
        (bars.read.ema(fast), bars.read.ema(slow)),
        (bars.read.ema(fast, 1), bars.read.ema(slow, 1)),
    )
    close, structure = bars.close(), bars.lowest(limits.lookback)
    values = (*now, *before, close, structure)
    if any(value is None for value in values):
        return None
    over, under = now[0] - now[1], before[0] - before[1]  # type: ignore[operator]
    if under > 0 or over <= 0 or close is None or structure is None or now[1] is None:
        return None
    return Found(
        entry_kind="market",
        lo=close,
        hi=close,
        structure=structure,
        gives_up=now[1],
        why="the averages cross back",
        lapse=Lapse(unit="sessions", count=limits.sessions) if daily else Lapse(unit="session"),
        features={"apart": over},
    )
