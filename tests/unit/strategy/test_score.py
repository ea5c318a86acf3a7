"""The score's anatomy, the named levels, gap risk, setups that stand, and why there are none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from services.kit.policy import DEFAULT_POLICY
from services.strategy.detect import DETECTORS, detect
from services.strategy.gap_risk import gap_risk
from services.strategy.level_list import level_list, opposing
from services.strategy.standing import standing_setups
from services.strategy.why_not import explain
from services.trade.idea import build_idea
from tests.unit.strategy.market_days import build_context, mirrored
from tests.unit.trade.plan_desk import bars_of, context_of, ideas, score_of, setups_of


def test_every_component_shows_its_weight_inputs_and_source():
    for idea, score in ideas(0):
        assert [one.name for one in score.components] == [
            "mtf", "vwap", "rvol", "room", "momentum", "volatility", "market",
        ]  # fmt: skip
        known = [one for one in score.components if one.value is not None]
        assert all(0 <= one.value <= 1 and one.inputs for one in known)
        assert sum(one.weight for one in known) == score.coverage
        assert score.missing == tuple(
            sorted(one.name for one in score.components if one.value is None)
        )
        cited = {name for one in known for name in one.bars}
        assert cited <= {*idea.context.tracks, "index"}


def test_the_score_is_the_weighted_mean_of_what_is_known():
    for _, score in ideas(1):
        if score.value is None:
            assert "CONFLUENCE_COVERAGE_LOW" in score.flags
            continue
        total = sum(one.weight * one.value for one in score.components if one.value is not None)
        assert abs(score.value - total / score.coverage) < Decimal("0.0001")


def test_without_the_trend_of_timeframes_there_is_no_score():
    idea, _ = next(iter(ideas(0)))
    tracks = {name: track for name, track in idea.context.tracks.items() if name != "60m"}
    bare = replace(idea, context=replace(idea.context, tracks=tracks))
    score = score_of(bare)
    assert score.value is None
    assert "mtf" in score.missing
    assert score.flags == ("CONFLUENCE_COVERAGE_LOW",)


def test_the_index_counts_when_its_days_are_known():
    idea, without = next(iter(ideas(100)))
    from services.strategy.score import score_setup

    score = score_setup(
        idea.context,
        idea.setup,
        r=idea.stop.distance,
        levels=idea.levels,
        market=context_of(100).tracks["1d"],
        policy=DEFAULT_POLICY.confluence,
    )
    assert "market" in without.missing
    assert "market" not in score.missing


@pytest.mark.parametrize("seed", [0, 1])
def test_a_mirrored_market_has_the_mirrored_stop_and_nearly_the_same_score(seed):
    """Property 3: the price's mirror image swaps the sides and keeps R and the score."""
    bars = mirrored(list(bars_of(seed)))
    turned = build_context(bars, bars[-1].t_close)
    pairs = 0
    for setup in setups_of(seed)[:80]:
        then = replace(turned, as_of=setup.trigger_ts)
        same = [
            one
            for one in detect(then).setups
            if (one.setup_id, one.timeframe) == (setup.setup_id, setup.timeframe)
        ]
        if not same or setup.setup_id in ("vwap_reclaim", "vwap_deviation"):
            continue
        here = build_idea(context_of(seed), setup, policy=DEFAULT_POLICY.plan)
        there = build_idea(turned, same[0], policy=DEFAULT_POLICY.plan)
        assert {here.setup.side, there.setup.side} == {"long", "short"}
        assert abs(here.stop.distance - there.stop.distance) <= Decimal("0.02")
        assert here.worst + there.worst == pytest.approx(Decimal(200), abs=Decimal("0.02"))
        room = {one.name: one.value for one in score_of(here).components}
        other = {one.name: one.value for one in score_of(there).components}
        for name in ("mtf", "momentum", "rvol"):
            assert room[name] == pytest.approx(other[name], abs=Decimal("0.001"))
        pairs += 1
    assert pairs >= 3


def test_the_levels_of_a_day_are_those_of_the_session_before_and_none_is_repainted():
    setup = next(one for one in setups_of(0) if one.timeframe == "5m")
    then = replace(context_of(0), as_of=setup.trigger_ts)
    scene = then.scene("long", "5m")
    named = {one.name: one for one in level_list(scene)}
    days = then.tracks["1d"]
    yesterday = [bar for bar in days.bars if bar.t_close < setup.trigger_ts][-1]
    assert named["pdh"].price == float(yesterday.h)
    assert named["pdl"].price == float(yesterday.l)
    assert named["or_high"].price >= named["or_low"].price
    later = replace(then, as_of=setup.trigger_ts + timedelta(days=1))
    assert level_list(replace(scene)) == level_list(then.scene("long", "5m"))
    assert later.scene("long", "5m").bars.closed_at() > scene.bars.closed_at()


def test_only_levels_on_the_way_oppose_a_side():
    scene = context_of(0).scene("long", "5m")
    levels = level_list(scene)
    assert {one.holds for one in opposing(levels, "long")} == {"above"}
    assert {one.holds for one in opposing(levels, "short")} == {"below"}


def test_gap_risk_counts_the_nights_that_would_have_gone_through_the_stop():
    """Opens 1 % up and 1 % down in turn: a stop 0.5 % away is passed every second night."""
    from services.strategy.track import Track
    from services.strategy.view import View

    source, turned = context_of(100).tracks["1d"].bars[-80:], []
    before = Decimal(100)
    for at, bar in enumerate(source):
        opened = before * (Decimal("1.01") if at % 2 else Decimal("0.99"))
        turned.append(
            replace(bar, o=opened, h=max(opened, before), l=min(opened, before), c=before)
        )
    days = View(Track("1d", "XNYS", turned), "long")
    found = gap_risk(days, "long", worst=Decimal(100), stop=Decimal("99.5"))
    assert found.n == 60
    assert found.p_gap_through_stop == Decimal("0.5")
    assert found.sigma_gap == pytest.approx(Decimal("0.010"), abs=Decimal("0.0002"))
    short = View(Track("1d", "XNYS", turned[:10]), "long")
    assert gap_risk(short, "long", worst=Decimal(100), stop=Decimal(99)).sigma_gap is None


@pytest.mark.parametrize("seed", [0, 1, 100])
def test_a_setup_stands_until_it_lapses_or_a_close_gives_it_up(seed):
    context = context_of(seed)
    for setup in setups_of(seed)[-12:]:
        at = replace(context, as_of=setup.trigger_ts)
        assert setup.key in {one.key for one in standing_setups(at).setups}
        over = replace(context, as_of=setup.expires_at)
        assert setup.key not in {one.key for one in standing_setups(over).setups}


def test_a_memo_changes_nothing_but_the_time_it_takes():
    context, memo = context_of(0), {}
    first = standing_setups(context, memo=memo)
    assert memo
    assert standing_setups(context, memo=memo) == first == standing_setups(context)


@pytest.mark.parametrize("seed", [0, 1, 100])
def test_a_rule_that_finds_a_setup_lacks_nothing_but_its_last_step(seed):
    """The last step stands for what is not told apart; every step before it must hold."""
    for setup in setups_of(seed)[:20]:
        then = replace(context_of(seed), as_of=setup.trigger_ts)
        rule = next(one for one in DETECTORS if one.id == setup.setup_id)
        lacks = [
            one for one in explain(then, [rule], [setup.side]) if one.timeframe == setup.timeframe
        ]
        assert lacks[0].held == lacks[0].steps - 1, lacks[0].words


def test_what_lacks_least_comes_first():
    lacks = explain(context_of(0), DETECTORS, ("long", "short"))
    shares = [one.held / one.steps for one in lacks]
    assert shares == sorted(shares, reverse=True)
    assert len(lacks) == 2 * sum(len(one.timeframes) for one in DETECTORS)
