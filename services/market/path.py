"""Owns the simulated course of one session: minute bars that add up to its daily bar exactly."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from math import isqrt

from services.kit.errors import check
from services.market.history.layout import DayRow

_SHAPE_TAG = "path/v1"
"""Changes with the algorithm: the same tag, symbol and date give the same course for ever."""
_WILD = 1 << 16


@dataclass(frozen=True, slots=True)
class MinuteBar:
    """One traded minute: its number after the open, prices in 1/10000, volume in shares."""

    minute: int
    o: int
    h: int
    l: int  # noqa: E741 - the field's own letter, as in every feed
    c: int
    v: int


def draw(seed: str, count: int) -> tuple[int, ...]:
    """Return `count` even whole numbers of 0..65535 that depend on `seed` alone (SHAKE-256)."""
    return struct.unpack(f"<{count}H", hashlib.shake_256(seed.encode()).digest(2 * count))


@lru_cache(maxsize=512)
def session_path(symbol: str, row: DayRow, minutes: int, tick: int) -> tuple[MinuteBar, ...]:
    """Return the traded minutes of a session of `minutes`, ascending.

    First open, highest high, lowest low, last close and summed volume are those of `row`, exactly.
    Prices lie on `tick` (1/10000 units), except where the row itself has parts of a tick. A
    minute whose share of the volume is 0 is left out. Pure: the same arguments, the same path.
    """
    check(row.v > 0 and minutes > 0 and tick > 0, "a path needs volume, minutes and a tick")
    seed = f"{_SHAPE_TAG}|{symbol}|{row.date.isoformat()}"
    volumes = _volumes(seed, row.v, minutes)
    traded = [minute for minute, volume in enumerate(volumes) if volume > 0]
    high_at, low_at = _turns(seed, row, len(traded))
    closes = _closes(seed, row, len(traded), tick, (high_at, low_at))
    ragged = draw(f"{seed}|wick", 3 * len(traded))
    reach = max(tick, (row.h - row.l) // 40)
    bars, before = [], row.o
    for at, minute in enumerate(traded):
        opens = row.o if at == 0 else _snap(before + (ragged[3 * at] % 3 - 1) * tick, row, tick)
        top, bottom = max(opens, closes[at]), min(opens, closes[at])
        above = ragged[3 * at + 1] * min(reach, row.h - top) // _WILD
        below = ragged[3 * at + 2] * min(reach, bottom - row.l) // _WILD
        high = row.h if at == high_at else max(top, _snap(top + above, row, tick))
        low = row.l if at == low_at else min(bottom, _snap(bottom - below, row, tick))
        bars.append(MinuteBar(minute, opens, high, low, closes[at], volumes[minute]))
        before = closes[at]
    return tuple(bars)


def _snap(price: int, row: DayRow, tick: int) -> int:
    """Return `price` on the tick grid, kept inside the day's range."""
    return max(row.l, min(row.h, (price + tick // 2) // tick * tick))


def _volumes(seed: str, volume: int, minutes: int) -> list[int]:
    """Share out the day's volume: busy at open and close, uneven between, the sum exact."""
    noise = draw(f"{seed}|volume", minutes)
    weights = []
    for minute, rough in enumerate(noise):
        away = abs(2 * minute - (minutes - 1))
        smile = 100 + 300 * away**4 // max(1, minutes - 1) ** 4
        weights.append(smile * (_WILD // 3 + rough))
    sums = [0, *accumulate(weights)]
    marks = [volume * part // sums[-1] for part in sums]
    return [after - before for before, after in pairwise(marks)]


def _turns(seed: str, row: DayRow, count: int) -> tuple[int, int]:
    """Return in which traded minutes the day's high and low are made.

    An open or close at an extreme makes it there. Extremes come early or late more often than at
    midday, and the low first on a day that rises.
    """
    first, second, order = draw(f"{seed}|turns", 3)
    early, late = sorted((_u_shaped(first, count), _u_shaped(second, count)))
    if early == late and count > 1:
        early, late = (early, late + 1) if late + 1 < count else (early - 1, late)
    low_first = (order < _WILD * 7 // 10) == (row.c >= row.o)
    high_at, low_at = (late, early) if low_first else (early, late)
    if row.h == row.o:
        high_at = 0
    elif row.h == row.c:
        high_at = count - 1
    if row.l == row.o:
        low_at = 0
    elif row.l == row.c:
        low_at = count - 1
    return high_at, low_at


def _u_shaped(rough: int, count: int) -> int:
    """Map an even draw to a minute, more often near both ends (the square of its distance)."""
    side = 2 * rough - _WILD
    bent = isqrt(abs(side) * _WILD)
    place = _WILD + (bent if side >= 0 else -bent)
    return min(count - 1, place * count // (2 * _WILD))


def _closes(seed: str, row: DayRow, count: int, tick: int, turns: tuple[int, int]) -> list[int]:
    """Return the close of each traded minute: bridges between open, the extremes and the close."""
    high_at, low_at = turns
    inset = max(tick, (row.h - row.l) // 60)
    knots = {high_at: row.h - inset, low_at: row.l + inset, count - 1: row.c}
    noise = [rough - _WILD // 2 for rough in draw(f"{seed}|walk", count)]
    spread = max(1, (row.h - row.l) * 2 // max(1, isqrt(count)))
    closes: list[int] = []
    start, value = -1, row.o
    for end in sorted(knots):
        closes += _bridge(noise[start + 1 : end + 1], value, knots[end], spread)
        start, value = end, knots[end]
    return [*(_snap(_fold(close, row, tick), row, tick) for close in closes[:-1]), row.c]


def _bridge(noise: Sequence[int], start: int, end: int, spread: int) -> list[int]:
    """Return a walk of `len(noise)` steps from `start` that ends at `end`."""
    walk, steps = list(accumulate(noise)), len(noise)
    drift = end * _WILD - start * _WILD - walk[-1] * spread if steps else 0
    return [start + (walk[at] * spread + drift * (at + 1) // steps) // _WILD for at in range(steps)]


def _fold(price: int, row: DayRow, tick: int) -> int:
    """Reflect a price inside the day's range, two ticks from the extremes where there is room."""
    margin = 2 * tick if row.h - row.l > 8 * tick else 0
    low, width = row.l + margin, row.h - row.l - 2 * margin
    if width == 0:
        return low
    place = (price - low) % (2 * width)
    return low + (place if place <= width else 2 * width - place)
