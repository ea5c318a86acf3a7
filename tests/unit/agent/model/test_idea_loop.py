"""Proves ranked ideas in the real loop: picks, the weekend, a replay, and what is said without."""

from __future__ import annotations

import pytest

from agent.model.record_errands import strategy_of
from services.research.backtests import list_backtests
from services.research.follow import follow_due
from services.strategy.load import TrackCache
from tests.fakes.coach_desk import CoachDesk


@pytest.fixture
def coach(coach, clock) -> CoachDesk:
    """The desk of everyone, with its tracks kept, after half an hour of trading."""
    coach.runtime.ports[TrackCache] = TrackCache()
    clock.advance(minutes=35)
    return coach


async def test_setups_in_the_list_are_ranked_plans_with_every_reject(coach):
    turn = await coach.say("any setups in my list?")
    assert turn.tools == ["picks"]
    assert " IBM, " in turn.text
    assert "Not offered: " in turn.text
    assert turn.unverified == ()
    again = await coach.say("plan IBM")
    replayed = await coach.say("replay that plan")
    assert again.tools[0] == "plan"
    assert replayed.tools == ["replay"]
    assert "came out again" in replayed.text
    assert (again.unverified, replayed.unverified) == ((), ())


async def test_the_weekend_plan_tells_the_coming_week(coach):
    turn = await coach.say("weekend plan")
    assert turn.tools == ["weekend_plan"]
    assert turn.text.startswith("Plan for the week after 2011-12-30: ")
    assert "Closed: 2012-01-02." in turn.text
    assert turn.unverified == ()


async def test_without_a_chain_option_picks_say_why(coach):
    turn = await coach.say("leaps picks for AAPL")
    assert turn.tools == ["options_picks"]
    assert "options of AAPL" in turn.text
    assert turn.unverified == ()
    asked = await coach.say("replay plan_0123456789abcdef")
    assert asked.tools == ["replay"]
    assert "plan_0123456789abcdef" in asked.text


async def test_how_good_its_calls_are_is_the_score_with_every_number_proven(coach):
    before = await coach.say("how good are your calls?")
    assert before.tools == ["score"]
    assert "no suggestion yet" in before.text
    await coach.say("plan IBM")
    coach.write(follow_due)
    after = await coach.say("what is your track record?")
    assert after.tools == ["score"]
    assert after.text.startswith("2 suggestions: ")
    assert (before.unverified, after.unverified) == ((), ())


async def test_a_backtest_is_started_read_again_and_told_by_its_test_windows(coach):
    asked = await coach.say("backtest the ema cross on GOOG, walk-forward")
    assert asked.tools == ["backtest"]
    assert "is queued: 0 of 1 steps" in asked.text
    config = coach.read(list_backtests)[0].config
    assert (config["symbols"], config["folds"]["train_months"]) == (["GOOG"], 24)
    again = await coach.say("how is the backtest?")
    assert again.tools == ["backtest"]
    assert again.text == asked.text
    assert (asked.unverified, again.unverified) == ((), ())
    nothing = await coach.say("backtest the moon")
    assert "For example: `backtest" in nothing.text or nothing.tools == ["backtest"]


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("backtest ema cross on GOOG", "ema_cross"),
        ("backtest EMA-pullback for IBM", "ema_pullback"),
        ("backtest all setups", "setups"),
        ("backtest the moon", None),
    ],
)
def test_a_strategy_is_read_as_it_is_spoken(text, strategy):
    assert strategy_of(text) == strategy
