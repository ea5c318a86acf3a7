"""Every kind of stored advice comes out again from what was kept with it, byte by byte."""

from dataclasses import replace
from decimal import Decimal

import pytest

from services import audit
from services.kit.canonical import document
from services.kit.errors import Refusal
from services.market import replay
from services.market.quality import require_green
from services.research.replay_advice import replay_advice
from services.strategy.documents import store_document
from services.strategy.load import TrackCache
from services.trade import advice
from services.trade.plan_service import PlanWish, make_plan
from services.trade.plan_store import policy_of
from services.trade.sized_trade import SizeAsk
from services.trade.user_plan import PlanAsk, check_plan
from services.trade.user_size import size_trade


@pytest.fixture
def desk(runtime, owner, clock):
    """A runtime whose replay stands 35 minutes after the open, where IBM has broken out."""
    runtime.ports[TrackCache] = TrackCache()
    runtime.write(owner, replay.resume_at_boot)
    clock.advance(minutes=35)
    return lambda act: runtime.write(owner, act)


def given(ctx) -> list[str]:
    """Return the refs of one piece of advice of every kind and shape."""
    plan = make_plan(ctx, PlanWish(symbol="IBM"))
    checks = (
        PlanAsk(symbol="IBM", side="long", stop="2%"),
        PlanAsk(symbol="IBM", side="short", entry="186.55", stop="191", targets=("180", "172.5")),
        PlanAsk(symbol="IBM", side="long", entry="186", stop="187"),
    )
    sizes = (
        SizeAsk(plan_id=plan.id),
        SizeAsk(plan_id=plan.id, risk_pct="half", confidence="ignore"),
        SizeAsk(symbol="AAPL", side="long", stop="3%", risk_pct="0.7%"),
    )
    return [
        plan.id,
        *(check_plan(ctx, one).ref for one in checks),
        *(size_trade(ctx, one).ref for one in sizes),
    ]


def test_every_kind_of_advice_comes_out_again_after_the_market_has_gone_on(desk, clock):
    refs = desk(given)
    assert len(dict.fromkeys(refs)) == 7
    clock.advance(minutes=600)
    for ref in refs:
        found = desk(lambda ctx, ref=ref: replay_advice(ctx, ref))
        assert (found.ref, found.same, found.differences) == (ref, True, ())
        assert found.bytes_compared > 100


def test_a_replay_of_advice_reads_no_feed_and_no_account_and_the_policy_of_then(desk):
    refs = desk(given)

    def again(ctx):
        tight = replace(ctx.policy.sizing, risk_pct=Decimal("0.002"))
        dear = replace(ctx.policy.paper, slippage_bps=Decimal(40))
        other = replace(ctx, ports={}, policy=replace(ctx.policy, sizing=tight, paper=dear))
        return [replay_advice(other, ref) for ref in refs]

    assert all(one.same for one in desk(again))


def test_advice_of_an_older_release_comes_out_again_under_its_own_policy(desk):
    """A policy that was sealed before a number was added to it still speaks for its advice."""

    def act(ctx):
        body = document(ctx.policy)
        del body["sizing"]["leaps_total_pct"]
        older = policy_of(ctx, store_document(ctx, "policy/v1", "policy/1", body).hash)
        assert older == ctx.policy
        assert older.hash != ctx.policy.hash
        then = replace(ctx, policy=older)
        refs = given(then)
        return refs, [replay_advice(ctx, ref) for ref in refs]

    refs, found = desk(act)
    assert len(refs) == 7
    assert all(one.same for one in found)
    assert len({one.hashes["policy_hash"] for one in found}) == 1


def test_the_inputs_of_advice_stand_in_its_sealed_event(desk):
    sized = desk(lambda ctx: size_trade(ctx, SizeAsk(symbol="AAPL", side="long", stop="3%")))
    (event,) = desk(lambda ctx: audit.trail(ctx, sized.ref))
    kept = event.facts["inputs"]
    assert kept["ask"] == {"symbol": "AAPL", "side": "long", "stop": "3%", "confidence": "use"}
    assert Decimal(kept["account"]["equity"]) == sized.size.equity
    assert Decimal(kept["quote"]["ask"]) == sized.quote.ask
    assert desk(audit.verify).ok


def test_changed_advice_is_found_out_by_path_and_changed_inputs_too(desk):
    def act(ctx):
        ask = PlanAsk(symbol="IBM", side="long", stop="2%")
        ref, connection = check_plan(ctx, ask).ref, ctx.db.connection
        rows = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='trade_advice'"
        ).all()
        for (name,) in rows:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        kept = advice.find(ctx, ref)
        connection.exec_driver_sql(
            "UPDATE trade_advice SET document = replace(document, ?, ?) WHERE ref = ?",
            (f'"stop":"{kept.document["stop"]}"', '"stop":"1"', ref),
        )
        return kept, replay_advice(ctx, ref)

    kept, found = desk(act)
    assert not found.same
    assert [(one.path, one.stored, one.made) for one in found.differences] == [
        ("$.stop", "1", kept.document["stop"])
    ]


def test_advice_that_is_unknown_or_was_stored_without_its_inputs_is_refused(desk):
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: replay_advice(ctx, "res_0123456789abcdef"))
    assert caught.value.code == "AUDIT_REF_UNKNOWN"

    def bare(ctx):
        taken = require_green(ctx, ["IBM"])
        ref = advice.save(ctx, "plan", symbol="IBM", document={"symbol": "IBM"}, quality=taken)
        return replay_advice(ctx, ref)

    with pytest.raises(Refusal) as caught:
        desk(bare)
    assert caught.value.code == "INPUTS_UNKNOWN"
