"""Rows planted behind the clock's back: later prices, news and outcomes reach no plan or replay."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from services.kit.canonical import canonical
from services.market import replay
from services.market.earnings import EarningsFeed
from services.market.feed import Capability, Feed
from services.market.news import NewsBatch, NewsFeed, NewsItem
from services.market.quote import Provenance
from services.market.replay import ReplayFeed
from services.market.store import PricePoint, record_price
from services.research.follow import follow_due
from services.research.replay_plan import replay_plan
from services.strategy.documents import (
    approve_document,
    find_record,
    record_from,
    shipped_versions,
    store_document,
)
from services.strategy.load import TrackCache
from services.strategy.record import RecordKey, SetupRecord
from services.trade.plan_service import PlanWish, make_plan

IBM = PlanWish(symbol="IBM")
LATER = timedelta(hours=3)
SECRET = "ACME BUYS IBM AT 999"
CALM = ("as_of", "idea_hash", "setup", "entry", "stop", "targets", "confluence", "confidence", "gap_risk", "trade_detail", "rationale", "warnings")  # fmt: skip


@pytest.fixture
def desk(runtime, owner, clock):
    """A runtime whose replay stands 35 minutes after the open, where IBM has broken out."""
    runtime.ports[TrackCache] = TrackCache()
    runtime.write(owner, replay.resume_at_boot)
    clock.advance(minutes=35)
    return lambda act: runtime.write(owner, act)


class Ahead(ReplayFeed):
    """A feed that hands out bars of the future, a little higher, behind the true ones."""

    def bars(self, ctx, symbol, timeframe, count, *, include_partial=False):
        found = super().bars(ctx, symbol, timeframe, count, include_partial=include_partial)
        if timeframe not in ("5m", "15m"):
            return found
        last, up = found.bars[-1], Decimal("1.01")
        step = last.t_close - last.t_open
        planted = [
            replace(
                last, t_open=last.t_open + at * step, t_close=last.t_close + at * step,
                o=last.c, h=last.h * up, l=last.c, c=last.c * up,
            )
            for at in range(1, 4)
        ]  # fmt: skip
        return replace(found, bars=(*found.bars, *planted))


class Tomorrow:
    """News, and reports, that nobody knows yet."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def stories(self, ctx, symbol):
        story = NewsItem(
            id="n1", url="https://news.example/ibm", title=SECRET, publisher="Reuters",
            published_at=self._at, first_seen_at=self._at, symbols=("IBM",), provider="test",
            provider_id="1", summary=SECRET,
        )  # fmt: skip
        return NewsBatch(
            items=(story,), fetched_at=self._at, provenance=Provenance.SIMULATED, source="test"
        )

    def events(self, ctx, symbols, first: date, last: date):
        return ()

    def capability(self) -> Capability:
        return Capability(feature="test", on=True, why="a test")


def made(desk) -> dict:
    return dict(desk(lambda ctx: make_plan(ctx, IBM)).document)


def calm(body: dict) -> str:
    return json.dumps({name: body[name] for name in CALM}, sort_keys=True)


def test_later_bars_out_of_a_feed_change_nothing_of_a_plan(desk, runtime):
    plain = made(desk)
    runtime.ports[Feed], runtime.ports[TrackCache] = Ahead(), TrackCache()
    assert calm(made(desk)) == calm(plain)


def test_later_prices_in_the_store_change_no_plan_and_no_replay(desk, clock):
    plain = desk(lambda ctx: make_plan(ctx, IBM))

    def plant(ctx):
        at = ctx.port(Feed).as_of(ctx) + LATER
        for kind in ("intraday", "day"):
            point = PricePoint(
                instrument_id="XNYS:IBM", ts=at, price=Decimal(1999), currency="USD",
                provenance=Provenance.SIMULATED, source="planted", kind=kind, known_at=at,
            )  # fmt: skip
            record_price(ctx, point)

    desk(plant)
    assert made(desk) == dict(plain.document)
    assert desk(lambda ctx: replay_plan(ctx, plain.id)).same


def test_the_record_of_a_plan_holds_no_outcome_after_the_replays_clock(desk, clock):
    """What ships was made of the whole history; a replay stands on the version of its time."""
    key = RecordKey("weekly_breakout", 1, "long", "swing")

    def found(ctx):
        return ctx.port(Feed).as_of(ctx), find_record(ctx, key.setup_id, key.side, key.horizon)

    now, record = desk(found)
    versions = shipped_versions()["setup_record/v1", key.text]
    then = [one for one in versions if one.until < now.date()]
    assert now.year == 2012
    assert then[-1].until.isoformat() == "2011-12-31"
    assert record == record_from(then[-1].body)
    assert record.n < record_from(versions[-1].body).n
    assert [record_from(one.body).n for one in versions] == sorted(
        record_from(one.body).n for one in versions
    )


def test_later_news_are_no_part_of_a_plan(desk, runtime):
    plain = made(desk)
    ahead = Tomorrow(desk(lambda ctx: ctx.port(Feed).as_of(ctx)) + LATER)
    runtime.ports[NewsFeed] = ahead
    told = made(desk)
    assert SECRET.encode() not in canonical(told)
    assert told == plain
    runtime.ports[EarningsFeed] = ahead
    assert calm(made(desk) | {"warnings": plain["warnings"]}) == calm(plain)


def test_later_outcomes_change_no_replay_of_what_was_said_before(desk, clock):
    """The market goes on, suggestions end, a record with them is approved: the plan stays."""
    plain = desk(lambda ctx: make_plan(ctx, IBM))
    desk(follow_due)
    for _ in range(6):
        clock.advance(minutes=390)
        desk(follow_due)
    assert desk(lambda ctx: replay_plan(ctx, plain.id)).same

    def learn(ctx):
        version = ctx.policy.setups.version
        key = RecordKey(plain.document["setup"]["id"], version, plain.document["side"], "intraday")
        record = SetupRecord(
            key=key, n=60, wins=59, mfe_free_r=(Decimal(9),) * 60, give_back=None,
            labels_hash="sha256:" + "9" * 64,
        )  # fmt: skip
        kept = store_document(ctx, "setup_record/v1", key.text, record.body())
        approve_document(ctx, kept.hash)

    desk(learn)
    again = desk(lambda ctx: replay_plan(ctx, plain.id))
    assert (again.same, again.differences) == (True, ())
