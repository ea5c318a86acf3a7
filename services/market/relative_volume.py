"""Owns relative volume by time of day: today's volume so far against other days' at this minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.market.param import require, require_count

SESSIONS_MIN = 5


@dataclass(frozen=True, slots=True)
class RelativeVolume:
    """The ratio, unrounded, null without a history or a mean; and the sessions behind it."""

    rvol: float | None
    sessions_used: int
    flags: tuple[str, ...]


def rvol_tod(
    history_cumulative: Sequence[Sequence[int | None]],
    today_cumulative: Sequence[int],
    *,
    slot: int,
    n: int = 20,
) -> RelativeVolume:
    """Return today's cumulative volume at `slot` over the mean of the last `n` sessions' there.

    History is oldest first, half days left out by the caller. A slot that a day lacks counts with
    its last earlier slot, with 0 before any. Fewer than 5 sessions: null, `RVOL_HISTORY_SHORT`;
    a mean of 0: null. Raises `PARAM_INVALID`. Source: Lean's RelativeDailyVolume.
    Worked: 300 against 100, 150, 200, 150 and 150 is 2.
    """
    require_count("n", n)
    inside = 0 <= slot < len(today_cumulative)
    require(inside, "slot", value=slot, rule="must be a slot that today has reached")
    _require_volumes("today_cumulative", today_cumulative)
    used = [_volume_at(day, slot) for day in history_cumulative[-n:]]
    if len(used) < SESSIONS_MIN:
        return RelativeVolume(None, len(used), ("RVOL_HISTORY_SHORT",))
    mean = sum(used) / len(used)
    return RelativeVolume(today_cumulative[slot] / mean if mean else None, len(used), ())


def _volume_at(day: Sequence[int | None], slot: int) -> int:
    known = [volume for volume in day[: slot + 1] if volume is not None]
    _require_volumes("history_cumulative", known)
    return known[-1] if known else 0


def _require_volumes(name: str, volumes: Sequence[int]) -> None:
    for volume in volumes:
        require(volume >= 0, name, value=volume, rule="each must be 0 or more")
