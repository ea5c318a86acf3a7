"""The weekend plan: made at the last close, the same whenever it is made, and without an act."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - short in rows

import pytest

from services.kit.canonical import bytes_hash, canonical
from services.kit.codes import CATALOGUE
from services.kit.errors import Kind, Refusal
from services.market import replay
from services.market.chain import Chain, ChainFeed, OptionContract
from services.market.feed import Capability, Feed
from services.market.last_good import keep_good
from services.market.quote import Provenance
from services.market.replay import ReplayFeed
from services.market.session import get_session
from services.research.replay_plan import replay_plan
from services.research.resting import at_close, snapshot_age
from services.research.weekend import (
    build_weekend,
    coming_week,
    find_weekend,
    last_closed,
    make_weekend,
    weekend_parts,
)
from services.strategy.load import TrackCache
from services.trade.plan_store import list_plans

WEEKS = 8
CLOSED = get_session("XNYS", date(2012, 2, 29))


@pytest.fixture
def desk(runtime, owner):
    """A runtime at the open after 2012-02-29, when IBM had left its box."""
    runtime.ports[TrackCache] = TrackCache()
    runtime.write(owner, replay.resume_at_boot)
    for _ in range(WEEKS):
        runtime.write(owner, lambda ctx: replay.step(ctx, 117_000))

    def act(do):
        return runtime.write(owner, do)

    return act


def test_the_plan_stands_at_the_close_is_stored_once_and_the_same_a_day_later(desk, clock):
    made = desk(make_weekend)
    body = made.body
    assert made.hash == bytes_hash("weekend_plan/v1", canonical(body))
    assert (body["session"], body["as_of"]) == ("2012-02-29", "2012-02-29T21:00:00.000Z")
    assert [one["symbol"] for one in body["swings"]] == ["IBM"]
    assert {one["symbol"] for one in body["swing_rejects"]} == {"AAPL", "GOOG", "MSFT"}
    assert {one["code"] for one in body["leaps_rejects"]} <= {"NO_CHAIN", "TREND_WEEKLY"}
    assert len(body["leaps_rejects"]) == 4
    swing = body["swings"][0]
    assert swing["timeframe"] in ("1d", "1w")
    assert (swing["flags"], swing.get("snapshot_age_sessions")) == (sorted(swing["flags"]), None)
    clock.advance(minutes=45)
    again = desk(make_weekend)
    assert again.hash == made.hash
    assert again.generated_at > made.generated_at
    assert desk(find_weekend).hash == made.hash
    stored = desk(list_plans)
    assert [one.id for one in stored] == [swing["plan_id"]]
    assert desk(lambda ctx: replay_plan(ctx, swing["plan_id"])).same


def test_nothing_later_than_the_close_is_seen(desk, clock):
    clock.advance(minutes=180)

    def look(ctx):
        closed = at_close(ctx, CLOSED)
        feed = closed.port(Feed)
        quote = feed.quote(closed, "IBM")
        bars = [feed.bars(closed, "IBM", name, 5).bars[-1] for name in ("5m", "60m", "1d", "1w")]
        return feed.as_of(closed), quote, bars

    as_of, quote, bars = desk(look)
    assert as_of == CLOSED.close
    assert quote.ts <= CLOSED.close
    assert quote.last == bars[2].c
    assert max(bar.t_close for bar in bars) <= CLOSED.close


def test_the_plan_holds_no_order_and_no_act(desk):
    def names(value):
        if isinstance(value, dict):
            yield from value
            for one in value.values():
                yield from names(one)
        elif isinstance(value, list):
            for one in value:
                yield from names(one)

    body = desk(build_weekend).body
    assert not {"order", "proposal", "action", "button", "quantity"} & set(names(body))


class DownFeed(ReplayFeed):
    """A provider that stopped answering for quotes."""

    def quote(self, ctx, symbol):
        kind = Kind(CATALOGUE["PROVIDER_UNAVAILABLE"].kind)
        raise Refusal("PROVIDER_UNAVAILABLE", kind, "the provider does not answer")


def test_while_the_provider_is_down_an_old_snapshot_is_flagged_and_confidence_stays(desk, runtime):
    before = desk(build_weekend).body["swings"][0]
    up = runtime.ports[Feed]

    def keep(ctx):
        instrument = up.instrument(ctx, "IBM")
        last = D(before["entry"]["worst"])
        seen = replace(
            up.quote(ctx, "IBM"),
            bid=last - D("0.01"),
            ask=last,
            last=last,
            ts=datetime(2012, 2, 27, 20, 59, tzinfo=UTC),
            provenance=Provenance.SIMULATED,
        )
        return keep_good(ctx, instrument, seen)

    assert desk(keep)
    runtime.ports[Feed] = DownFeed()
    body = desk(build_weekend).body
    assert {one["code"] for one in body["swing_rejects"]} >= {"DQ_BLOCK"}
    after = body["swings"][0]
    assert after["snapshot_age_sessions"] == 2
    assert "SNAPSHOT_OLD" in after["flags"]
    assert after["confidence"] == before["confidence"]
    assert after["idea_hash"] == before["idea_hash"]
    desk(make_weekend)
    assert desk(list_plans) == []


class LongChain:
    """One deep call of 500 days on every symbol, priced from the feed that asks."""

    expiry = CLOSED.date + timedelta(days=500)

    def expirations(self, ctx, symbol):
        return (self.expiry,)

    def chain(self, ctx, symbol, expiry):
        spot = ctx.port(Feed).quote(ctx, symbol).last
        strike = (spot * D("0.8")).quantize(D(1))
        mid = spot - strike + spot * D("0.04")
        one = OptionContract(
            symbol=f"{symbol}{expiry:%y%m%d}C{int(strike) * 1000:08d}",
            underlying=symbol,
            expiry=expiry,
            right="call",
            strike=strike,
            style="american",
            multiplier=D(100),
            bid=(mid * D("0.995")).quantize(D("0.01")),
            ask=(mid * D("1.005")).quantize(D("0.01")),
            last=None,
            bid_size=D(9),
            ask_size=D(9),
            volume=D(5),
            open_interest=D(600),
            iv=D("0.28"),
            delta=D("0.80"),
            gamma=D("0.002"),
            theta=D("-0.02"),
            vega=D("0.5"),
            quote_ts=CLOSED.close,
            greeks_ts=CLOSED.close,
        )
        return Chain(
            underlying=symbol,
            spot=spot,
            as_of=CLOSED.close,
            provenance=Provenance.SIMULATED,
            source="hand",
            contracts=(one,),
        )

    def capability(self):
        return Capability("option chains", on=True, why="by hand")


def test_symbols_in_a_long_trend_give_leaps_with_what_they_cost(desk, runtime):
    runtime.ports[ChainFeed] = LongChain()
    body = desk(build_weekend).body
    leaps, rejects = body["leaps"], body["leaps_rejects"]
    assert leaps
    assert sorted(one["symbol"] for one in (*leaps, *rejects)) == ["AAPL", "GOOG", "IBM", "MSFT"]
    assert [one["symbol"] for one in leaps] == [
        one["symbol"] for one in sorted(leaps, key=lambda one: (-D(one["score"]), one["symbol"]))
    ]
    best = leaps[0]
    assert (best["dte"], best["greeks_source"]) == (500, "provider")
    assert D(best["breakeven"]) > D(best["strike"])
    assert D(best["carry_annualised"]) < D("0.10")
    assert D(best["drawdown_pct"]) <= 15
    assert "IV_RANK_UNKNOWN" in best["flags"]


@pytest.mark.parametrize(
    ("ts", "age"),
    [
        (datetime(2012, 2, 29, 20, tzinfo=UTC), 0),
        (datetime(2012, 2, 28, 20, tzinfo=UTC), 1),
        (datetime(2012, 2, 24, 20, tzinfo=UTC), 3),
    ],
)
def test_the_age_of_a_snapshot_is_counted_in_sessions(ts, age):
    assert snapshot_age("XNYS", ts, CLOSED) == age


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2024, 3, 28, 19, 59, tzinfo=UTC), date(2024, 3, 27)),
        (datetime(2024, 3, 28, 20, 0, tzinfo=UTC), date(2024, 3, 28)),
        (datetime(2024, 3, 31, 12, 0, tzinfo=UTC), date(2024, 3, 28)),
    ],
)
def test_the_last_close_is_that_of_a_session_that_has_ended(now, day):
    assert last_closed(now).date == day


def test_the_coming_week_names_holidays_and_half_days(desk):
    week = desk(lambda ctx: coming_week(ctx, date(2024, 11, 22), ["IBM"]))
    assert week["holidays"] == [date(2024, 11, 28)]
    assert week["half_days"] == [date(2024, 11, 29)]
    assert len(week["sessions"]) == 4
    assert week["earnings"] == []
    assert week["earnings_unknown_because"]


def test_the_job_has_nothing_to_do_for_a_person_who_follows_nothing(desk):
    assert desk(weekend_parts) == []
