"""Owns `weekly_breakout`: a weekly close out of a contraction near the high of half a year."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse


def detect(scene: Scene, session: Session) -> Found | None:  # noqa: ARG001 - every rule's shape
    """Return the breakout of the newest week, or None.

    Within 3 % of the 26-week high, EMA10 over EMA30, the range of 5 weeks below 0.6 of that of 20,
    and the highest weekly close of 11 weeks. The entry is in the next session.
    """
    bars, limits = scene.bars, scene.policy.weekly_breakout
    close, level = bars.close(), bars.highest_close(limits.close_weeks, 1)
    if close is None or level is None or close <= level:
        return None
    day_atr, high = scene.atr("1d"), bars.highest(limits.high_weeks)
    fast, slow = bars.read.ema(limits.fast), bars.read.ema(limits.slow)
    short, long = _range(scene, limits.short_weeks), _range(scene, limits.long_weeks)
    structure = bars.lowest(limits.structure_weeks)
    if day_atr is None or high is None or structure is None:
        return None
    if fast is None or slow is None or short is None or long is None:
        return None
    near = high - close <= float(limits.near_pct) * abs(high)
    if not near or fast <= slow or short >= float(limits.contraction) * long:
        return None
    return Found(
        entry_kind="limit",
        lo=level,
        hi=level + float(limits.zone_atr) * day_atr,
        structure=structure,
        gives_up=level,
        why="the week closes back below the level",
        lapse=Lapse(unit="sessions", count=limits.sessions),
        features={"contraction": short / long if long else 0.0, "below_high": high - close},
    )


def _range(scene: Scene, weeks: int) -> float | None:
    high, low = scene.bars.highest(weeks), scene.bars.lowest(weeks)
    return None if high is None or low is None else high - low
