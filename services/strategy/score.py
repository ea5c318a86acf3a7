"""Owns the score of a setup: every component read from its bars, with its inputs shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.kit.money import from_float, rounded
from services.kit.policy import ConfluencePolicy
from services.strategy.component import (
    market_value,
    momentum_value,
    room_value,
    rvol_value,
    volatility_value,
    vwap_value,
)
from services.strategy.confluence import VOTES, confluence, mtf
from services.strategy.level_list import INTRADAY, Level, opposing
from services.strategy.scene import MarketContext, Scene
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.strategy.view import Side, View

WARM_BARS = 200
"""Four times the longest average of a vote; a timeframe with fewer bars casts none."""
SLOPE_BARS = 3
MEAN_REVERSION = ("vwap_deviation",)
_ROUND = 6


@dataclass(frozen=True, slots=True)
class ScoredComponent:
    """One component: its weight, its value (None when it is missing) and what it was read from.

    `bars` names the timeframes that were read; each is cited.
    """

    name: str
    weight: Decimal
    value: Decimal | None
    inputs: Mapping[str, str | Decimal]
    bars: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """The confluence at 4 decimals with its anatomy; null when too little of it is known."""

    value: Decimal | None
    coverage: Decimal
    components: tuple[ScoredComponent, ...]
    missing: tuple[str, ...]
    flags: tuple[str, ...]


_Read = tuple[Decimal | None, dict[str, str | Decimal], tuple[str, ...]]
_NONE: _Read = (None, {}, ())


def score_setup(
    context: MarketContext,
    setup: Setup,
    *,
    r: Decimal,
    levels: tuple[Level, ...],
    market: Track | None = None,
    policy: ConfluencePolicy,
) -> Score:
    """Return the score of a setup from the bars complete at `context.as_of`.

    `r` is the distance from the worst entry to the stop, `levels` those of `level_list`,
    `market` the daily track of the policy's index. A component that can not be read is missing
    and named; it never counts as 0. The score is no probability.
    """
    scene = context.scene("long", setup.timeframe)
    if scene is None:
        return Score(None, Decimal(0), (), tuple(sorted(name for name, _ in policy.weights)), ())
    swing = setup.timeframe not in INTRADAY
    reads: dict[str, _Read] = {
        "mtf": _mtf(scene, setup.side, policy.trend_swing if swing else policy.trend_intraday),
        "vwap": _anchored(scene, setup.side) if swing else _vwap(scene.bars, setup.side),
        "rvol": _rvol(scene.bars, within_day=not swing),
        "room": _room(setup, levels, r),
        "momentum": _momentum(scene.bars, setup),
        "volatility": _volatility(context),
        "market": _market(context, setup.side, market),
    }
    found = confluence({name: reads[name][0] for name, _ in policy.weights}, dict(policy.weights))
    components = tuple(
        ScoredComponent(name, weight, _shown(reads[name][0]), *reads[name][1:])
        for name, weight in policy.weights
    )
    value = None if found.score is None else rounded(found.score, 4)
    return Score(value, found.coverage, components, found.missing, found.flags)


def _shown(value: Decimal | None) -> Decimal | None:
    return None if value is None else rounded(value, _ROUND)


def _mtf(scene: Scene, side: Side, weights: tuple[tuple[str, Decimal], ...]) -> _Read:
    votes: dict[str, tuple[int, int, int]] = {}
    inputs: dict[str, str | Decimal] = {}
    for name, _ in weights:
        view = scene.views.get(name)
        cast = scene.votes(name) if view is not None and len(view) >= WARM_BARS else None
        if cast is None:
            return None, {name: "fewer than 200 bars"}, ()
        votes[name] = cast
        inputs[f"trend_{name}"] = rounded(Decimal(sum(cast)) / VOTES, _ROUND)
    agreed = mtf(side, votes, weights=dict(weights))
    return agreed.mtf, inputs, tuple(name for name, _ in weights)


def _vwap(bars: View, side: Side) -> _Read:
    now, close = bars.read.vwap(), bars.close()
    before = bars.read.vwap(SLOPE_BARS) if bars.read.bars_of_session() > SLOPE_BARS else None
    return _about(side, (close, now, before), "vwap", bars.timeframe)


def _anchored(scene: Scene, side: Side) -> _Read:
    """Read VWAP from the last confirmed swing on the side's far end: a low for a long."""
    days = scene.views.get("1d")
    if days is None or not len(days):
        return _NONE
    swing = next(iter(days.swings("low" if side == "long" else "high")), None)
    if swing is None or swing[0] <= SLOPE_BARS:
        return _NONE
    paid = volume = 0.0
    before = None
    for ago in range(swing[0], -1, -1):
        price, traded = days.typical(ago), days.read.volume(ago)
        paid, volume = paid + price * (traded or 0.0), volume + (traded or 0.0)
        if ago == SLOPE_BARS and volume:
            before = paid / volume
    now = paid / volume if volume else None
    return _about(side, (days.close(), now, before), "anchored_vwap", "1d")


def _about(
    side: Side, prices: tuple[float | None, float | None, float | None], name: str, bars: str
) -> _Read:
    if any(price is None for price in prices):
        return _NONE
    close, now, before = (from_float(price, _ROUND) for price in prices if price is not None)
    value = vwap_value(side, close, vwap=now, vwap_before=before)
    return value, {"close": close, name: now, f"{name}_3_bars_ago": before}, (bars,)


def _rvol(bars: View, *, within_day: bool) -> _Read:
    name = "rvol_tod" if within_day else "rvol_bar"
    found = bars.read.rvol_tod() if within_day else bars.read.rvol_bar()
    if found is None:
        return _NONE
    rvol = from_float(found, _ROUND)
    return rvol_value(rvol), {name: rvol}, (bars.timeframe,)


def _room(setup: Setup, levels: tuple[Level, ...], r: Decimal) -> _Read:
    sign, entry = (1.0 if setup.side == "long" else -1.0), float(setup.worst)
    ahead = [one for one in opposing(levels, setup.side) if sign * (one.price - entry) > 0]
    nearest = min(ahead, key=lambda one: (abs(one.price - entry), one.name), default=None)
    inputs: dict[str, str | Decimal] = {"entry": setup.worst, "r": r}
    if nearest is None:
        return room_value(setup.worst, None, r=r), {**inputs, "level": "none ahead"}, ()
    price = from_float(nearest.price, _ROUND)
    inputs |= {"level": nearest.name, "price": price}
    return room_value(setup.worst, price, r=r), inputs, (nearest.bars,)


def _momentum(bars: View, setup: Setup) -> _Read:
    found = bars.read.rsi()
    if found is None:
        return _NONE
    rsi = from_float(found, _ROUND)
    turning = setup.setup_id in MEAN_REVERSION
    value = momentum_value(setup.side, rsi, mean_reversion=turning)
    return value, {"rsi14": rsi}, (bars.timeframe,)


def _volatility(context: MarketContext) -> _Read:
    days = context.tracks.get("1d")
    rank = days.volatility_rank(days.count_until(context.as_of)) if days is not None else None
    if rank is None:
        return _NONE
    percentile = from_float(rank, _ROUND)
    return volatility_value(percentile), {"rv_percentile": percentile}, ("1d",)


def _market(context: MarketContext, side: Side, market: Track | None) -> _Read:
    if market is None:
        return _NONE
    index = MarketContext(
        instrument_id="",
        symbol="",
        calendar=context.calendar,
        tick=context.tick,
        as_of=context.as_of,
        tracks={"1d": market},
        policy=context.policy,
    )
    read = _mtf_of(index)
    if read is None:
        return _NONE
    return market_value(side, read), {"trend_index_1d": rounded(read, _ROUND)}, ("index",)


def _mtf_of(index: MarketContext) -> Decimal | None:
    scene = index.scene("long", "1d")
    votes = scene.votes("1d") if scene is not None and len(scene.bars) >= WARM_BARS else None
    return None if votes is None else Decimal(sum(votes)) / VOTES
