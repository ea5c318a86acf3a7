"""Scans on the replay feed: whole plans ranked, and every other symbol with what refused it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from services import watchlist
from services.kit.errors import Refusal
from services.kit.policy import DEFAULT_POLICY, PickPolicy
from services.market import replay
from services.market.feed import Feed
from services.market.fetching import FetchingRuntime
from services.market.finding import Finding, Severity
from services.market.freeze import listing_scope, open_freeze
from services.research.pick import Pick, keep_best, keep_plans, make_picks, scan_setups, universe_of
from services.research.rank import Reject
from services.research.replay_plan import differences, replay_plan
from services.strategy.load import TrackCache
from services.trade.plan_service import PlanWish, make_plan
from services.trade.plan_store import find_plan, list_plans
from services.trade.plan_tables import plan_bars, plans

ALL = ("AAPL", "GOOG", "IBM", "MSFT")


@pytest.fixture
def desk(runtime, owner, clock):
    """A runtime whose replay stands 35 minutes after the open, where IBM has broken out."""
    runtime.ports[TrackCache] = TrackCache()
    runtime.write(owner, replay.resume_at_boot)
    clock.advance(minutes=35)

    def act(do):
        return runtime.write(owner, do)

    return act


def freeze_ibm(ctx):
    found = Finding("IBM", "DQ_JUMP", Severity.CRIT, "a jump that nobody explains")
    return open_freeze(ctx, listing_scope("XNYS:IBM"), found)


FEW = 30
"""Bars that a look at the newest price asks for; a history is more."""


class Watched:
    """The feed as it is, noting whether whole histories are asked for inside a writing unit."""

    def __init__(self, feed):
        self._feed = feed
        self.writing = []

    def __getattr__(self, name):
        return getattr(self._feed, name)

    def bars(self, ctx, symbol, timeframe, count, **more):
        self.writing.append((ctx.db.writing, count))
        return self._feed.bars(ctx, symbol, timeframe, count, **more)


@pytest.mark.parametrize("act", [make_picks, lambda ctx: make_plan(ctx, PlanWish(symbol="IBM"))])
def test_no_writer_waits_while_histories_are_read_and_folded(desk, runtime, owner, act):
    watched = Watched(runtime.ports[Feed])
    ports = {**runtime.ports, Feed: watched, TrackCache: TrackCache()}
    fetching = FetchingRuntime(
        runtime.database, runtime.clock, runtime.ids, runtime.settings, ports=ports
    )
    fetching.write(owner, act)
    assert max(count for _, count in watched.writing) > 1000
    assert [count for writing, count in watched.writing if writing and count > FEW] == []
    assert "IBM" in [one.symbol for one in fetching.read(owner, list_plans)]


def test_picks_read_ahead_are_those_of_one_unit(desk, runtime, owner):
    scan, plans = desk(make_picks)
    fetching = FetchingRuntime(
        runtime.database, runtime.clock, runtime.ids, runtime.settings,
        ports={**runtime.ports, TrackCache: TrackCache()},
    )  # fmt: skip
    again, stored = fetching.write(owner, make_picks)
    assert [one.id for one in stored] == [one.id for one in plans] != []
    assert [one.draft.composed.body for one in again.picks] == [
        one.draft.composed.body for one in scan.picks
    ]
    assert again.rejects == scan.rejects


def under(ctx, **limits):
    return replace(ctx, policy=replace(DEFAULT_POLICY, picks=PickPolicy(**limits)))


def test_every_symbol_is_a_pick_or_a_reject_and_a_pick_is_what_plan_makes(desk):
    scan = desk(scan_setups)
    assert sorted([one.symbol for one in (*scan.picks, *scan.rejects)]) == list(ALL)
    assert "IBM" in [one.symbol for one in scan.picks]
    assert all(one.code and one.detail for one in scan.rejects)
    assert desk(list_plans) == []
    made = desk(lambda ctx: make_plan(ctx, PlanWish(symbol="IBM")))
    ibm = next(one for one in scan.picks if one.symbol == "IBM")
    assert ibm.draft.composed.body == made.document
    assert [one.id for one in desk(lambda ctx: keep_plans(ctx, scan.picks))] == [
        one.draft.composed.plan_id for one in scan.picks
    ]
    refused = scan.rejects[0]
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: make_plan(ctx, PlanWish(symbol=refused.symbol)))
    assert (caught.value.code, caught.value.message) == (refused.code, refused.detail)


def test_a_frozen_symbol_is_rejected_before_its_setups_are_looked_at(desk):
    desk(lambda ctx: freeze_ibm(ctx))
    scan = desk(scan_setups)
    rows = {one.symbol: one for one in scan.rejects}
    assert rows["IBM"].code == "DQ_BLOCK"
    assert "IBM" not in [one.symbol for one in scan.picks]


def test_filters_come_before_setups_and_name_their_numbers(desk):
    scan = desk(lambda ctx: scan_setups(under(ctx, price_min=Decimal(1_000_000))))
    assert scan.picks == ()
    assert {one.code for one in scan.rejects} == {"PRICE_LOW"}


def test_what_is_followed_comes_first_and_a_long_list_of_the_feed_is_left_out(desk):
    desk(lambda ctx: watchlist.save(ctx, "mine", ["MSFT", "IBM"]))
    assert desk(universe_of).symbols == ("MSFT", "IBM", "AAPL", "GOOG")
    few = desk(lambda ctx: universe_of(under(ctx, symbols_max=3)))
    assert (few.symbols, few.left_out) == (("MSFT", "IBM"), 2)


def test_a_plan_below_the_number_shown_is_told_and_not_dropped():
    rows = [
        Pick(symbol=name, listing=name, draft=None, score=score, edge=None)
        for name, score in (("A", 1), ("B", 3), ("C", 2))
    ]
    best, rejects = keep_best([*rows, Reject("D", "NO_SETUP", "none")], 2)
    assert [one.symbol for one in best] == ["B", "C"]
    assert [(one.symbol, one.code) for one in rejects] == [("A", "BEYOND_TOP"), ("D", "NO_SETUP")]


@pytest.fixture
def ibm(desk):
    return desk(lambda ctx: make_plan(ctx, PlanWish(symbol="IBM")))


def test_a_stored_plan_comes_out_again_byte_by_byte_whatever_came_later(desk, ibm, clock):
    first = desk(lambda ctx: replay_plan(ctx, ibm.id))
    assert (first.same, first.differences) == (True, ())
    assert first.hashes["plan_hash"] == ibm.document["plan_hash"]
    clock.advance(minutes=200)
    desk(lambda ctx: scan_setups(ctx, "intraday"))
    desk(lambda ctx: freeze_ibm(ctx))
    assert desk(lambda ctx: replay_plan(ctx, ibm.id)) == first


def test_a_plan_is_made_again_under_the_policy_of_then(desk, ibm):
    stricter = replace(DEFAULT_POLICY, plan=replace(DEFAULT_POLICY.plan, min_rr=9))
    found = desk(lambda ctx: replay_plan(replace(ctx, policy=stricter), ibm.id))
    assert found.same


def test_a_replay_reads_no_feed(desk, ibm):
    found = desk(lambda ctx: replay_plan(replace(ctx, ports={}), ibm.id))
    assert found.same


def _rewritten(desk, table, column, before, after):
    """Change stored text behind the product's back, as a hand in the file could."""

    def act(ctx):
        connection = ctx.db.connection
        for name in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table.name}_{name}")
        rows = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name=?", (table.name,)
        ).all()
        for (name,) in rows:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        connection.exec_driver_sql(
            f"UPDATE {table.name} SET {column} = replace({column}, ?, ?)", (before, after)
        )

    desk(act)


def test_a_changed_document_is_found_out_by_path(desk, ibm):
    price = ibm.document["stop"]["price"]
    _rewritten(desk, plans, "document", f'"price":"{price}","risk', '"price":"1","risk')
    found = desk(lambda ctx: replay_plan(ctx, ibm.id))
    assert not found.same
    assert ("$.stop.price", "1", price) in [(o.path, o.stored, o.made) for o in found.differences]


def test_bars_that_are_not_what_was_cited_are_found_out(desk, ibm):
    def swap(ctx):
        return ctx.db.connection.exec_driver_sql(
            "SELECT hash, timeframe, body FROM plan_bars WHERE symbol='XNYS:IBM'"
        ).all()

    bodies = {row.timeframe: row.body for row in desk(swap)}
    _rewritten(desk, plan_bars, "body", bodies["1d"], bodies["1w"])
    found = desk(lambda ctx: replay_plan(ctx, ibm.id))
    assert not found.same
    assert [one.path for one in found.differences] == ["bars.1d"]


def test_a_plan_that_nobody_stored_is_unknown(desk):
    with pytest.raises(Refusal) as caught:
        desk(lambda ctx: replay_plan(ctx, "plan_0123456789abcdef"))
    assert caught.value.code == "PLAN_UNKNOWN"
    assert desk(lambda ctx: find_plan(ctx, "plan_0123456789abcdef")) is None


def test_differences_name_the_innermost_members():
    assert differences({"a": [1, 2], "b": 1}, {"a": [1, 3], "c": 2}) == [
        *differences(2, 3, "$.a[1]"),
        *differences(1, None, "$.b"),
        *differences(None, 2, "$.c"),
    ]
