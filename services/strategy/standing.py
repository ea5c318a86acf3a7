"""Owns which setups still stand: found on a recent bar, not lapsed, their idea not given up."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import replace
from datetime import datetime

from services.strategy.detect import DETECTORS, Detection, Detector, detect
from services.strategy.scene import MarketContext
from services.strategy.setup import Setup
from services.strategy.track import Track

BARS_BACK = {"5m": 24, "15m": 26, "60m": 35, "1d": 10, "1w": 3}
"""How far back a setup of each timeframe may have triggered: the longest that one stays open."""
Memo = MutableMapping[tuple[str, str, datetime], Detection]
"""What the detectors found at the close of a bar; complete bars never change, so it stays."""


def standing_setups(
    context: MarketContext, detectors: Iterable[Detector] = DETECTORS, *, memo: Memo | None = None
) -> Detection:
    """Return the setups of `context` that may still be taken, of each kind the newest.

    A setup stands while its time has not run out and no later bar of its timeframe has closed
    beyond its invalidation. Each was found with the bars of its own moment alone. Setups of
    opposite sides on one bar are dropped with `CONFLICTING_SETUPS`.
    """
    rules = tuple(detectors)
    found: dict[tuple[str, str, str], Setup] = {}
    flags: set[str] = set()
    for timeframe, track in context.tracks.items():
        own = tuple(
            Detector(one.id, (timeframe,), one.rule) for one in rules if timeframe in one.timeframes
        )
        end = track.count_until(context.as_of) if own else 0
        for at in range(end - 1, max(-1, end - 1 - BARS_BACK[timeframe]), -1):
            seen = _found_at(context, own, timeframe, track.bars[at].t_close, memo)
            flags.update(seen.flags)
            for setup in seen.setups:
                if _stands(setup, context, track, at + 1, end):
                    found.setdefault((setup.setup_id, timeframe, setup.side), setup)
    kept = [found[key] for key in sorted(found)]
    return Detection(tuple(kept), tuple(sorted(flags)))


def _found_at(
    context: MarketContext,
    rules: tuple[Detector, ...],
    timeframe: str,
    moment: datetime,
    memo: Memo | None,
) -> Detection:
    key = (",".join(one.id for one in rules), timeframe, moment)
    known = memo.get(key) if memo is not None else None
    if known is None:
        known = detect(replace(context, as_of=moment), rules)
        if memo is not None:
            memo[key] = known
    return known


def _stands(setup: Setup, context: MarketContext, track: Track, first: int, end: int) -> bool:
    if setup.expires_at <= context.as_of:
        return False
    sign = 1 if setup.side == "long" else -1
    gives_up = setup.invalidation.price
    return all(sign * (bar.c - gives_up) >= 0 for bar in track.bars[first:end])
