"""Proves the questions about data in the real loop: what is good, what is frozen, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from services.market.feed import Feed
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from tests.conftest import build_runtime
from tests.fakes.coach_desk import CoachDesk
from tests.fakes.hand_feed import HandFeed


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def coach(database, clock, settings, owner, feed) -> Iterator[CoachDesk]:
    made = build_runtime(database, clock, settings)
    made.ports.update({Feed: feed, Broker: PaperBroker()})
    yield CoachDesk(made, owner, clock)
    made.threads.shutdown(wait=True)


def cross(feed):
    feed.quotes["AAPL"] = replace(feed.quotes["AAPL"], bid=Decimal(191))


async def test_clean_data_are_said_to_be_clean(coach):
    turn = await coach.say("is my data good?")
    assert turn.tools == ["data_health"]
    assert turn.text == "The data of AAPL, GOOG, IBM, MSFT are clean."
    assert (await coach.say("what is frozen?")).text == "Nothing is frozen."


@pytest.mark.parametrize("said", ["why can't you plan AAPL?", "is AAPL frozen?"])
async def test_bad_data_are_named_with_what_ends_the_block(coach, feed, said):
    cross(feed)
    refused = await coach.say("plan AAPL long, stop 3% below")
    assert "I say nothing on AAPL" in refused.text
    turn = await coach.say(said)
    assert turn.tools == ["data_health"]
    assert turn.unverified == ()
    assert "bid 191 above ask 190.1" in turn.text
    assert "No advice and no order. It ends by itself after 3 clean observations." in turn.text


async def test_why_not_without_a_symbol_means_the_one_before(coach, feed):
    await coach.say("what's AAPL doing")
    cross(feed)
    turn = await coach.say("why can't you plan it?")
    assert "DQ_CROSSED" in turn.text
    assert "MSFT" not in turn.text


async def test_what_is_frozen_is_listed_with_what_ends_it(coach, feed):
    cross(feed)
    await coach.say("plan AAPL long, stop 3% below")
    turn = await coach.say("what is frozen?")
    assert turn.tools == ["freeze_list"]
    assert "AAPL is frozen (DQ_CROSSED)" in turn.text
    assert turn.unverified == ()
