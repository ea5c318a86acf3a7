"""Owns the list of named price levels that a plan reads: yesterday's, pivots, range, swings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Literal

from services.kit.money import from_float
from services.market.grid import MINUTES
from services.market.level import pivots
from services.market.session import market_state
from services.strategy.scene import Scene

SWINGS_MAX = 5
"""How many of the newest confirmed swings of each kind count; older ones are far or broken."""
_MARGIN = 1e-5
INTRADAY = ("5m", "15m")
"""Timeframes whose plans end with the session; the others are swings of days."""


@dataclass(frozen=True, slots=True)
class Level:
    """A named price; `bars` is the timeframe it was read from.

    A level `above` may stop a rise, one `below` a fall; `none` is shown only.
    """

    name: str
    price: float
    bars: str
    holds: Literal["above", "below", "none"]


def level_list(scene: Scene) -> tuple[Level, ...]:
    """Return the levels known at the scene's newest bar, by name; the scene is the long side's.

    Of a plan within the day: the session before (PDH, PDL, PDC), its floor pivots, the opening
    range, VWAP. Of a swing the week before takes the session's place. Always the averages and the
    five newest confirmed swings of the bars and of the day.
    """
    daily = scene.bars.timeframe in INTRADAY
    found = [*_prior(scene, within_day=daily), *_swings(scene, scene.bars.timeframe)]
    if daily:
        found += [*_range(scene), *_swings(scene, "1d")]
    found += _averages(scene)
    return tuple(sorted(found, key=lambda one: (one.name, one.price)))


def _prior(scene: Scene, *, within_day: bool) -> Iterator[Level]:
    """Yield high, low, close and pivots of the last day (or week) before the newest bar's own."""
    name = "1d" if within_day else "1w"
    view, begins = scene.views.get(name), scene.bars.bar().t_open
    if scene.bars.timeframe in MINUTES:
        session = market_state(scene.context.calendar, begins).session
        begins = session.open if session is not None else begins
    if view is None:
        return
    ago = next((n for n in range(min(len(view), 3)) if view.bar(n).t_close <= begins), None)
    if ago is None:
        return
    bar, lead = view.bar(ago), "pd" if within_day else "pw"
    high, low, close = float(bar.h), float(bar.l), float(bar.c)
    yield Level(f"{lead}h", high, name, "above")
    yield Level(f"{lead}l", low, name, "below")
    yield Level(f"{lead}c", close, name, "none")
    found = pivots(high, low, prev_close=close)
    yield Level("pivot", found.p, name, "none")
    for at, price in enumerate((found.r1, found.r2, found.r3), 1):
        yield Level(f"r{at}", price, name, "above")
    for at, price in enumerate((found.s1, found.s2, found.s3), 1):
        yield Level(f"s{at}", price, name, "below")


def _range(scene: Scene) -> Iterator[Level]:
    name = scene.bars.timeframe
    found = scene.bars.read.opening_range()
    if found is not None:
        yield Level("or_high", found[0], name, "above")
        yield Level("or_low", found[1], name, "below")
    vwap = scene.bars.read.vwap()
    if vwap is not None:
        yield Level("vwap", vwap, name, "none")


def _swings(scene: Scene, timeframe: str) -> Iterator[Level]:
    view = scene.views.get(timeframe)
    if view is None:
        return
    for at, (_, price) in enumerate(islice(view.swings("high"), SWINGS_MAX), 1):
        yield Level(f"swing_high_{timeframe}_{at}", price, timeframe, "above")
    for at, (_, price) in enumerate(islice(view.swings("low"), SWINGS_MAX), 1):
        yield Level(f"swing_low_{timeframe}_{at}", price, timeframe, "below")


def _averages(scene: Scene) -> Iterator[Level]:
    for n in (20, 50):
        value = scene.bars.read.ema(n)
        if value is not None:
            yield Level(f"ema{n}", value, scene.bars.timeframe, "none")


def opposing(levels: tuple[Level, ...], side: Literal["long", "short"]) -> tuple[Level, ...]:
    """Return the levels in the way of a side: those above for a long, below for a short."""
    wanted = "above" if side == "long" else "below"
    return tuple(one for one in levels if one.holds == wanted)


def levels_between(
    levels: tuple[Level, ...], side: Literal["long", "short"], low: Decimal, high: Decimal
) -> list[tuple[str, Decimal]]:
    """Return name and price (6 decimals) of a side's opposing levels in `[low, high]`.

    Floats only sift; what lies near an end is judged exactly.
    """
    least, most = float(low) - _MARGIN, float(high) + _MARGIN
    near = [
        (one.name, from_float(one.price))
        for one in opposing(levels, side)
        if least <= one.price <= most
    ]
    return [(name, price) for name, price in near if low <= price <= high]
