"""Proves ranked ideas in the real loop: picks, the weekend, a replay, and what is said without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from services.strategy.load import TrackCache
from tests.conftest import build_runtime
from tests.fakes.coach_desk import CoachDesk


@pytest.fixture
def coach(database, clock, settings, owner) -> Iterator[CoachDesk]:
    made = build_runtime(database, clock, settings)
    made.ports.update({Broker: PaperBroker(), TrackCache: TrackCache()})
    desk = CoachDesk(made, owner, clock)
    clock.advance(minutes=35)
    yield desk
    made.threads.shutdown(wait=True)


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
