"""Owns the proof that the order of freezes and advice (I7) is told by the trail, not by clocks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.invariant import check_all
from services.market.finding import Finding, Severity
from services.market.freeze import active_freezes, end_freeze, listing_scope, open_freeze

HOUR = timedelta(hours=1)


def freeze(desk):
    bad = Finding("AAPL", "DQ_JUMP", Severity.CRIT, "twice the price")
    desk.write(lambda ctx: open_freeze(ctx, listing_scope("XNAS:AAPL"), bad))


def propose_although_frozen(desk):
    """What no path of the product does: the freeze looks away while the card is made."""
    desk.sql("UPDATE freezes SET cleared_at = opened_at")
    card = desk.propose()
    desk.sql("UPDATE freezes SET cleared_at = NULL")
    return card.id


def end_all(ctx):
    for one in active_freezes(ctx, (listing_scope("XNAS:AAPL"),)):
        assert end_freeze(ctx, one, "looked at it")


def violations(desk):
    return [one.what for one in desk.read(lambda ctx: check_all(ctx, only=("I7",)))]


def move_clock(desk, by):
    clock = desk.runtime.clock
    clock.set(clock.now() + by)


@pytest.mark.fault("F129")
def test_a_freeze_after_the_clock_went_back_accuses_no_earlier_advice(desk):
    desk.propose()
    move_clock(desk, -HOUR)
    freeze(desk)
    assert violations(desk) == []


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
def test_advice_on_frozen_data_is_seen_whatever_the_clock_says(desk, by):
    freeze(desk)
    move_clock(desk, by)
    propose_although_frozen(desk)
    assert violations(desk) == ["advice was given on frozen data"]


def test_a_unit_of_work_that_had_begun_before_the_freeze_may_end_after_it(desk):
    freeze(desk)
    move_clock(desk, timedelta(seconds=30))
    propose_although_frozen(desk)
    assert violations(desk) == []


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
def test_advice_after_the_end_of_a_freeze_is_no_violation(desk, by):
    freeze(desk)
    desk.write(end_all)
    move_clock(desk, by)
    desk.feed.time += timedelta(seconds=1)
    desk.propose()
    assert violations(desk) == []
