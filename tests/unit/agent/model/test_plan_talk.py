"""Proves plans in ordinary words: found, explained part by part, sized, ordered, or not found."""

from __future__ import annotations

import pytest

from services.strategy.load import TrackCache
from tests.fakes.coach_desk import CoachDesk, clean


@pytest.fixture
def coach(coach, clock) -> CoachDesk:
    """The desk of everyone, with its tracks kept, after half an hour of trading."""
    coach.runtime.ports[TrackCache] = TrackCache()
    clock.advance(minutes=35)
    return coach


async def test_a_plan_is_found_explained_sized_at_half_and_ordered(coach):
    planned = clean(await coach.say("plan IBM"))
    assert planned.tools == ["plan", "size"]
    assert "opening-range breakout" in planned.text
    assert "Confidence" in planned.text
    why = clean(await coach.say("why this stop?"))
    assert why.tools == []
    assert "Stop 187.21" in why.text
    sure = clean(await coach.say("how sure are you?"))
    assert "uncalibrated" in sure.text
    for asked in ("what would change your mind?", "what would prove you wrong?"):
        mind = clean(await coach.say(asked))
        assert mind.tools == []
        assert "this would change my mind: a 5m close below" in mind.text
        assert "the trade ends by 2012-01-03 20:55 UTC" in mind.text
    half = clean(await coach.say("what if I risk half?"))
    assert half.tools == ["size"]
    assert "shares of IBM" in half.text
    card = clean(await coach.say("buy it"))
    assert card.tools[-1] == "propose_order"


async def test_without_a_setup_the_nearest_rule_is_named_and_no_number_is_made_up(coach):
    told = await coach.say("plan MSFT short swing")
    assert told.calls == (("plan", False),)
    assert "no setup on MSFT" in told.text
    assert "The nearest is" in told.text
    assert told.unverified == ()


@pytest.mark.parametrize(
    "asked", ["why this stop?", "how sure are you?", "what would change your mind?"]
)
async def test_a_question_about_a_plan_before_there_is_one_says_so(coach, asked):
    told = clean(await coach.say(asked))
    assert told.tools == []
    assert "no plan in this talk yet" in told.text
