"""Owns `range_breakout`: the close out of a quiet box whose top held before."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse


def detect(scene: Scene, session: Session) -> Found | None:  # noqa: ARG001 - every rule's shape
    """Return the breakout of the newest bar, or None.

    The 20 bars before span at most 3 ATR and touched the top at least twice within 0.25 ATR; this
    bar closes above it in the best 30 % of its range, with 1.5 times the usual volume.
    """
    bars, limits = scene.bars, scene.policy.range_breakout
    top, close = bars.highest(limits.bars, 1), bars.close()
    if top is None or close is None or close <= top:
        return None
    bottom, atr = bars.lowest(limits.bars, 1), bars.read.atr(1)
    if bottom is None or atr is None or top - bottom > float(limits.height_atr) * atr:
        return None
    near = top - float(limits.touch_atr) * atr
    touches = sum((bars.high(ago) or near - 1) >= near for ago in range(1, limits.bars + 1))
    own = bars.read.rvol_bar()
    if touches < limits.touches or own is None or own < limits.rvol_bar:
        return None
    if not closes_high(scene, float(limits.close_share)):
        return None
    return Found(
        entry_kind="limit",
        lo=top,
        hi=top + float(limits.zone_atr) * atr,
        structure=top - float(limits.structure_atr) * atr,
        gives_up=top - float(limits.give_atr) * atr,
        why="the price is back in the box",
        lapse=Lapse(unit="sessions", count=limits.sessions),
        features={"height_atr": (top - bottom) / atr, "touches": float(touches), "rvol_bar": own},
    )


def closes_high(scene: Scene, share: float) -> bool:
    """Return whether the newest bar closes in the best `share` of its own range."""
    high, low, close = scene.bars.high(), scene.bars.low(), scene.bars.close()
    if high is None or low is None or close is None or high == low:
        return False
    return close >= high - share * (high - low)
