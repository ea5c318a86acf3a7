"""The weekend plan without a provider: what one night's ingest stored is enough for it."""

from datetime import date
from decimal import Decimal

import pytest

from services import watchlist
from services.kit.codes import CATALOGUE
from services.kit.errors import Kind, Refusal
from services.kit.money import rounded
from services.market import ingest, replay
from services.market.feed import Feed
from services.market.reference_job import refresh_instruments
from services.market.replay import ReplayFeed
from services.research.resting import at_close
from services.research.weekend import build_weekend, last_closed, make_weekend
from services.strategy.load import TrackCache
from services.trade.plan_store import list_plans
from services.trade.wording import pct_words
from tools.wording.picks import watch_words, weekend_words

WEEKS = 8
SYMBOLS = ["AAPL", "GOOG", "IBM", "MSFT"]


@pytest.fixture
def desk(runtime, owner):
    """A runtime at the open after 2012-02-29, when IBM had left its box."""
    runtime.ports[TrackCache] = TrackCache()
    runtime.write(owner, replay.resume_at_boot)
    for _ in range(WEEKS):
        runtime.write(owner, lambda ctx: replay.step(ctx, 117_000))
    return lambda do: runtime.write(owner, do)


class GoneFeed(ReplayFeed):
    """A provider that answers nothing at all."""

    def _gone(self):
        kind = Kind(CATALOGUE["PROVIDER_UNAVAILABLE"].kind)
        raise Refusal("PROVIDER_UNAVAILABLE", kind, "the provider does not answer")

    def instruments(self, ctx):
        self._gone()

    def instrument(self, ctx, symbol):
        self._gone()

    def quote(self, ctx, symbol):
        self._gone()

    def bars(self, ctx, symbol, timeframe, count, *, include_partial=False):
        self._gone()


@pytest.fixture
def gone(desk, runtime):
    """The same, after one night of jobs on an empty store; then the provider is gone."""
    before = desk(build_weekend).body
    desk(lambda ctx: watchlist.save(ctx, "mine", SYMBOLS))
    desk(lambda ctx: refresh_instruments(ctx, SYMBOLS))
    assert desk(lambda ctx: ingest.ingest_eod(ctx, SYMBOLS))["bars"] == 4 * 400
    desk(lambda ctx: ingest.ingest_last_good(ctx, SYMBOLS))
    runtime.ports[Feed], runtime.ports[TrackCache] = GoneFeed(), TrackCache()
    return before


def test_one_night_of_an_empty_store_is_enough_for_a_plan_without_a_provider(desk, gone):
    body = desk(build_weekend).body
    assert body["scanned"] == 4
    (swing,), (usual,) = body["swings"], gone["swings"]
    assert (swing["symbol"], swing["setup"]) == ("IBM", "range_breakout")
    assert (swing["entry"], swing["stop"]) == (usual["entry"], usual["stop"])
    assert swing["snapshot_age_sessions"] == 0
    codes = {one["symbol"]: one["code"] for one in body["swing_rejects"]}
    assert codes == {one["symbol"]: one["code"] for one in gone["swing_rejects"]}
    assert "PROVIDER_UNAVAILABLE" not in codes.values()
    desk(make_weekend)
    assert desk(list_plans) == []


def test_nothing_stored_of_a_later_day_is_read_without_a_provider(desk, runtime, gone):
    runtime.ports[Feed], gone_feed = ReplayFeed(), runtime.ports[Feed]
    first = desk(lambda ctx: last_closed(ctx.port(Feed).as_of(ctx)))
    desk(lambda ctx: replay.step(ctx, 23_400))
    desk(lambda ctx: ingest.ingest_eod(ctx, SYMBOLS))
    runtime.ports[Feed] = gone_feed

    def at(ctx):
        closed = at_close(ctx, first)
        feed = closed.port(Feed)
        return feed.bars(closed, "IBM", "1d", 5).bars[-1], feed.quote(closed, "IBM")

    bar, quote = desk(at)
    assert bar.t_close == quote.ts == first.close
    assert (quote.last, str(quote.provenance)) == (bar.c, "SNAPSHOT")


def test_what_was_never_stored_is_unknown_or_short_and_not_an_outage(desk, gone):
    def ask(ctx, symbol):
        closed = at_close(ctx, last_closed(ctx.port(Feed).as_of(ctx)))
        return closed.port(Feed).bars(closed, symbol, "1d", 5)

    for symbol, code in (("SPY", "SYMBOL_UNKNOWN"), ("NOPE", "SYMBOL_UNKNOWN")):
        with pytest.raises(Refusal) as caught:
            desk(lambda ctx, symbol=symbol: ask(ctx, symbol))
        assert caught.value.code == code


def test_an_empty_store_says_that_the_provider_is_down(desk, runtime):
    desk(lambda ctx: watchlist.save(ctx, "mine", ["IBM"]))
    runtime.ports[Feed], runtime.ports[TrackCache] = GoneFeed(), TrackCache()
    body = desk(build_weekend).body
    assert [one["code"] for one in body["swing_rejects"]] == ["PROVIDER_UNAVAILABLE"]
    assert body["watch"] == []


def test_symbols_without_a_swing_are_told_by_where_they_stand_and_what_is_nearest(desk):
    body = desk(build_weekend).body
    rows = {one["symbol"]: one for one in body["watch"]}
    assert set(rows) == {one["symbol"] for one in body["swing_rejects"]}
    falls = [Decimal(one["below_high_pct"]) for one in body["watch"]]
    assert falls == sorted(falls)
    days = desk(lambda ctx: ctx.port(Feed).bars(ctx, "AAPL", "1d", 300).bars)
    seen = [bar for bar in days if bar.t_close.date() <= date(2012, 2, 29)]
    aapl = rows["AAPL"]
    assert Decimal(aapl["close"]) == rounded(seen[-1].c, 2)
    high = max(bar.h for bar in seen[-252:])
    assert Decimal(aapl["below_high_pct"]) == rounded(100 * (high - seen[-1].c) / high, 2)
    week = [bar for bar in seen if date(2012, 2, 20) <= bar.t_close.date() <= date(2012, 2, 24)]
    assert Decimal(aapl["week_high"]) == rounded(max(bar.h for bar in week), 2)
    assert Decimal(aapl["week_low"]) == rounded(min(bar.l for bar in week), 2)
    assert aapl["nearest"].startswith("weekly_breakout 1w long: ")
    assert "past setups of its kind" in rows["MSFT"]["nearest"]
    assert body["leaps_limits"] == {"each": "0.05", "total": "0.15"}


def test_a_weekend_without_an_edge_says_so_and_lists_what_to_watch(desk):
    body = desk(build_weekend).body
    said = weekend_words(body)
    assert "None of them has a measured edge" in said
    sure = body["swings"][0]["confidence"]
    stated, even = (pct_words(Decimal(sure[name])) for name in ("value", "p_breakeven_tp1"))
    assert f"uncalibrated prior chance {stated} against {even} to break even" in said
    lines = watch_words(body)
    assert len(lines) == len(body["watch"]) == 3
    for one, line in zip(body["watch"], lines, strict=True):
        close, low, high = (Decimal(one[name]) for name in ("close", "week_low", "week_high"))
        assert f"{one['symbol']} {low:.2f} to {high:.2f}" in said
        assert line.startswith(f"  {one['symbol']} {close:.2f}, ")
        assert line.endswith(one["nearest"])
    older = {name: value for name, value in body.items() if name not in ("watch", "leaps_limits")}
    assert "To watch" not in weekend_words(older)
    assert watch_words(older) == []
