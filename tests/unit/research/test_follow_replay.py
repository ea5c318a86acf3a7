"""A plan that the service made is followed on the replayed market until it has an outcome."""

from decimal import Decimal

import pytest

from services.market import replay
from services.market.feed import Feed
from services.research.follow import follow_due
from services.research.score import read_score
from services.research.settle import ENTERED, NO_TRADE
from services.strategy.load import TrackCache
from services.trade.plan_service import PlanWish, make_plan
from services.trade.sized_trade import SizeAsk
from services.trade.user_plan import PlanAsk, check_plan
from services.trade.user_size import size_trade

SESSION_MINUTES = 390


@pytest.fixture
def desk(runtime, owner, clock):
    """A runtime whose replay stands 35 minutes after the open, where IBM has broken out."""
    runtime.ports[TrackCache] = TrackCache()
    runtime.write(owner, replay.resume_at_boot)
    clock.advance(minutes=35)
    return lambda act: runtime.write(owner, act)


def test_plans_checks_and_sizes_have_an_outcome_or_a_reason(desk, clock):
    made = desk(lambda ctx: make_plan(ctx, PlanWish(symbol="IBM")))
    own = PlanAsk(symbol="IBM", side="long", stop="2%")
    checked = desk(lambda ctx: check_plan(ctx, own))
    desk(lambda ctx: check_plan(ctx, PlanAsk(symbol="IBM", side="long", stop="0.01")))
    desk(lambda ctx: size_trade(ctx, SizeAsk(symbol="IBM", side="long", stop="2%")))
    began = desk(lambda ctx: ctx.port(Feed).as_of(ctx))
    assert desk(follow_due)["taken_up"] >= 1
    for _ in range(12):
        clock.advance(minutes=SESSION_MINUTES)
        desk(follow_due)
    board = desk(read_score)
    ends = {*ENTERED, *NO_TRADE, "not_followed"}
    assert set(board.states) <= ends
    assert (board.total, board.without) == (4, 0)
    by_ref = {one["ref"]: one for one in board.recent}
    plan = by_ref[made.id]
    assert plan["state"] in {*ENTERED, *NO_TRADE}
    assert plan["made_at"] == began
    assert plan["stated"] == Decimal(made.document["confidence"]["value"])
    assert plan["provenance"] == "SIMULATED"
    assert by_ref[checked.ref]["kind"] == "own_plan"
    if plan["ended_at"] is not None:
        assert plan["ended_at"] > began
