"""Laws of tracks, detectors and scores: prefixes, scales and mirrors (domain 12.5, 1 to 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.money import use_context
from services.kit.policy import DEFAULT_POLICY
from services.market.bar import Bar, resample
from services.strategy.detect import detect
from services.strategy.scene import MarketContext
from services.strategy.score import Score
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.trade.idea import Idea, build_idea
from tests.unit.strategy.market_days import CALENDAR, build_context, mirrored, walk
from tests.unit.trade.plan_desk import score_of

FIRST, LAST = date(2024, 4, 1), date(2024, 5, 24)
SERIES = ("atr", "rsi", "adx", "vwap", "sigma", "opening_range", "rvol_tod")


@cache
def market(seed: int = 7) -> tuple[Bar, ...]:
    use_context()
    return tuple(walk(seed, FIRST, LAST))


@cache
def context(seed: int = 7) -> MarketContext:
    bars = list(market(seed))
    return build_context(bars, bars[-1].t_close)


@cache
def ideas(seed: int = 7) -> tuple[tuple[Setup, Idea, Score], ...]:
    """The ideas of the last ten sessions, each once."""
    found: dict[str, Setup] = {}
    for bar in market(seed)[-1170:]:
        for setup in detect(replace(context(seed), as_of=bar.t_close)).setups:
            found.setdefault(setup.key, setup)
    made = []
    for setup in found.values():
        idea = build_idea(context(seed), setup, policy=DEFAULT_POLICY.plan)
        made.append((setup, idea, score_of(idea)))
    return tuple(made)


@settings(max_examples=12, deadline=None)
@given(st.integers(400, 2800), st.sampled_from(["5m", "15m", "60m", "1d"]))
def test_every_indicator_on_a_prefix_is_the_prefix_of_every_indicator(end, timeframe):
    """Property 1: nothing that was read once changes when more bars arrive."""
    bars = list(market())[:end]
    whole = context().tracks[timeframe]
    rows = bars
    if timeframe != "5m":
        rows = resample(bars, calendar=CALENDAR, from_tf="5m", to_tf=timeframe)
        rows = [bar for bar in rows if bar.t_close <= bars[-1].t_close]
    rows = rows[: whole.count_until(bars[-1].t_close)]
    cut = Track(timeframe, CALENDAR, rows)
    count = len(rows)
    for name in SERIES:
        assert getattr(cut, name) == getattr(whole, name)[:count], name
    for n, values in cut.emas.items():
        assert values == whole.emas[n][:count], n
    assert list(cut.swings_until(count)) == list(whole.swings_until(count))
    assert cut.volatility_rank(count) == whole.volatility_rank(count)


@settings(max_examples=6, deadline=None)
@given(st.integers(1500, 2800))
def test_what_the_detectors_find_at_a_bar_does_not_depend_on_later_bars(end):
    """Property 1, for detectors."""
    bars = list(market())[:end]
    as_of = bars[-1].t_close
    assert detect(build_context(bars, as_of)) == detect(replace(context(), as_of=as_of))


def scaled(bars: tuple[Bar, ...], k: D) -> list[Bar]:
    return [replace(one, o=one.o * k, h=one.h * k, l=one.l * k, c=one.c * k) for one in bars]


@pytest.mark.parametrize("k", ["2", "0.5", "8"])
def test_scaled_prices_scale_distances_and_leave_scores_and_multiples(k):
    """Property 2: a market at twice the price is the same market; powers of two scale exactly."""
    factor, bars = D(k), market()
    turned = build_context(scaled(bars, factor), bars[-1].t_close)
    turned = replace(turned, tick=turned.tick * factor)
    for name, track in context().tracks.items():
        other = turned.tracks[name]
        pairs = [(track.atr, other.atr), (track.vwap, other.vwap)]
        pairs += [(track.emas[n], other.emas[n]) for n in track.emas]
        for here, there in pairs:
            assert there == [None if x is None else x * float(factor) for x in here]
        assert (track.rsi, track.adx, track.rvol_tod) == (other.rsi, other.adx, other.rvol_tod)
    compared = 0
    for setup, idea, score in ideas()[:40]:
        then = replace(turned, as_of=setup.trigger_ts)
        same = [
            one
            for one in detect(then).setups
            if (one.setup_id, one.timeframe, one.side)
            == (setup.setup_id, setup.timeframe, setup.side)
        ]
        assert same, setup.setup_id
        there = build_idea(turned, same[0], policy=DEFAULT_POLICY.plan)
        assert there.stop.distance == pytest.approx(
            idea.stop.distance * factor, abs=factor * D("0.011")
        )
        assert there.stop.atr_multiple == pytest.approx(idea.stop.atr_multiple, abs=D("0.05"))
        mine = score_of(there)
        values = {one.name: one.value for one in score.components if one.name != "room"}
        assert values == {one.name: one.value for one in mine.components if one.name != "room"}
        compared += 1
    assert compared >= 8


@pytest.mark.parametrize("seed", [7, 8])
def test_a_mirrored_market_gives_the_other_side_the_same_score(seed):
    """Property 3: p to 2c - p swaps the sides; the score is that of the setup it mirrors.

    Realised volatility is made of logarithms, which a mirror changes, so it is left out.
    """
    bars = mirrored(list(market(seed)))
    turned = build_context(bars, bars[-1].t_close)
    swap, compared = {"long": "short", "short": "long"}, 0
    for setup, idea, score in ideas(seed):
        then = replace(turned, as_of=setup.trigger_ts)
        same = [
            one
            for one in detect(then).setups
            if (one.setup_id, one.timeframe, one.side)
            == (setup.setup_id, setup.timeframe, swap[setup.side])
        ]
        assert same, setup.setup_id
        there = build_idea(turned, same[0], policy=DEFAULT_POLICY.plan)
        assert there.stop.distance == pytest.approx(idea.stop.distance, abs=D("0.011"))
        mine, other = (
            {one.name: one.value for one in found.components} for found in (score, score_of(there))
        )
        assert mine.keys() == other.keys()
        for name in ("mtf", "vwap", "rvol", "momentum"):
            if name in mine:
                assert other[name] == pytest.approx(mine[name], abs=D("0.0001")), name
        compared += 1
    assert compared >= 8
