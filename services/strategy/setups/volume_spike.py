"""Owns `volume_spike`: a wide bar on exceptional volume beyond yesterday's range."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse
from services.strategy.setups.range_breakout import closes_high


def detect(scene: Scene, session: Session) -> Found | None:
    """Return the spike of the newest bar, or None.

    Closes above yesterday's high, three times the usual volume, at least 1.5 ATR wide, and in the
    best quarter of its range.
    """
    bars, limits = scene.bars, scene.policy.volume_spike
    yesterday, close = scene.prior_day(session), bars.close()
    if yesterday is None or close is None or close <= yesterday[0]:
        return None
    own, atr, high, low = bars.read.rvol_bar(), bars.read.atr(), bars.high(), bars.low()
    if own is None or atr is None or high is None or low is None:
        return None
    wide = high - low >= float(limits.range_atr) * atr
    if own < limits.rvol_bar or not wide or not closes_high(scene, float(limits.close_share)):
        return None
    middle = (high + low) / 2
    entry = high + scene.tick
    return Found(
        entry_kind="stop",
        lo=entry,
        hi=entry + 0.25 * atr,
        structure=middle,
        gives_up=middle,
        why="the middle of the spike is lost",
        lapse=Lapse(unit="bars", count=limits.bars),
        features={"rvol_bar": own, "range_atr": (high - low) / atr},
    )
