"""Owns `orb`: the first close beyond the opening range, with volume, early in the day."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse


def detect(scene: Scene, session: Session) -> Found | None:
    """Return the breakout of the newest bar, or None.

    The range is 0.15 to 0.80 of the day's ATR wide, volume by this minute 1.2 times the usual and
    the bar's own 1.5 times; no earlier bar of the session closed beyond. Within 120 minutes.
    """
    bars, limits = scene.bars, scene.policy.orb
    found, close, high = bars.read.opening_range(), bars.close(), bars.high()
    if found is None or close is None or high is None or close <= found[0]:
        return None
    day_atr, atr = scene.atr("1d"), bars.read.atr()
    if scene.minutes_in(session) > limits.minutes or day_atr is None or atr is None:
        return None
    top, bottom = found
    width = (top - bottom) / day_atr
    busy, own = bars.read.rvol_tod(), bars.read.rvol_bar()
    fits = limits.width_min <= width <= limits.width_max
    if not fits or busy is None or busy < limits.rvol_tod or own is None or own < limits.rvol_bar:
        return None
    before = bars.highest_close(bars.read.bars_of_session() - 1, 1)
    if before is not None and before > top:
        return None
    entry = max(high, top) + scene.tick
    return Found(
        entry_kind="stop",
        lo=entry,
        hi=entry + float(limits.zone) * atr,
        structure=(top + bottom) / 2,
        gives_up=(top + bottom) / 2,
        why="the middle of the opening range is lost",
        lapse=Lapse(unit="minutes", count=limits.minutes),
        features={"range_atr": width, "rvol_tod": busy, "rvol_bar": own},
    )
