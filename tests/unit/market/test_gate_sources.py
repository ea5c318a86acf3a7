"""What a source is held against: its clock, a second source, and the minutes it should have."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from sqlalchemy import select

from services.kit.context import system_principal
from services.market.bar import Bar
from services.market.failover import FailoverFeed
from services.market.feed import BarSeries, Feed
from services.market.freeze import active_freezes
from services.market.gaps import ASK_AGAIN, find_gap, first_missing
from services.market.ingest import ingest_intraday
from services.market.quality import look
from services.market.quality_tables import dq_findings
from services.market.quote import Provenance
from services.market.recon import SECOND_EVERY, SECONDS_MINUTE
from services.market.session import get_session
from services.market.skew import find_skew_fault
from services.market.store_bars import stored_bars
from tests.conftest import build_runtime
from tests.fakes.hand_feed import OPEN_TIME, HandFeed, listed

WHO = system_principal("t_owner")
APPLE = listed("AAPL")
SESSION = get_session("XNYS", OPEN_TIME.date())
MINUTE = timedelta(minutes=1)


class Desk:
    """A feed and the runtime that takes it in; both clocks move together."""

    def __init__(self, runtime, clock, *feeds):
        self.runtime, self.clock, self.feeds = runtime, clock, feeds

    def take(self, **delta):
        for one in self.feeds:
            one.advance(**delta)
        self.clock.advance(**delta)
        return self.do(lambda ctx: ingest_intraday(ctx, ["AAPL"]))

    def do(self, act):
        return self.runtime.write(WHO, act)

    def freezes(self):
        return [one.code for one in self.do(active_freezes)]

    def findings(self):
        return [(row.code, row.severity) for row in self.do(lambda ctx: ctx.db.rows(_FOUND))]


_FOUND = select(dq_findings).order_by(dq_findings.c.as_of)


def desk_of(feed, *feeds, database, clock, settings):
    made = build_runtime(database, clock, settings)
    object.__setattr__(made, "ports", {**made.ports, Feed: feed})
    return Desk(made, clock, *(feeds or (feed,)))


class LiveFeed(HandFeed):
    """A live source whose clock is wrong by `off`; `jitter` is added in turn."""

    provenance = Provenance.LIVE

    def __init__(self, off=timedelta(0), jitter=(0,), name="hand"):
        super().__init__()
        self.off, self.jitter, self.asked, self.name = off, jitter, 0, name

    def quote(self, ctx, symbol):
        self.asked += 1
        more = timedelta(seconds=self.jitter[self.asked % len(self.jitter)])
        quote = super().quote(ctx, symbol)
        return replace(quote, ts=self.time + self.off - more, source=self.name)


@pytest.mark.parametrize(
    ("lags", "severity"),
    [
        ([8000] * 5, "WARN"),
        ([61_000, 60_500, 61_500, 61_000, 62_000], "CRIT"),
        ([-1600] * 5, "WARN"),
        ([-5000, -5200, -4900, -5000, -5100], "CRIT"),
        ([5000] * 5, None),
        ([-1500] * 5, None),
        ([8000] * 4, None),
        ([8000, 8000, 8000, 8000, 10_001], None),
        ([-1000, 0, -500, -900, 100], None),
    ],
)
def test_a_clock_is_wrong_when_the_newest_lags_are_one_steady_amount(lags, severity):
    fault = find_skew_fault(lags)
    assert (fault and (fault.code, fault.severity)) == (severity and ("DQ_SKEW", severity))


@pytest.mark.fault("F025")
def test_a_clock_that_runs_ahead_freezes_and_a_right_one_ends_it(database, clock, settings):
    feed = LiveFeed(off=timedelta(seconds=5))
    desk = desk_of(feed, database=database, clock=clock, settings=settings)
    done = [desk.take(seconds=20) for _ in range(5)]
    assert not any(one["prices"] for one in done)
    assert done[-1]["rejected:DQ_SKEW"] == 1
    assert sorted(desk.freezes()) == ["DQ_FUTURE_TS", "DQ_SKEW"]
    feed.off = timedelta(0)
    for _ in range(9):
        desk.take(seconds=20)
    assert desk.freezes() == []


def test_a_clock_that_runs_behind_warns_and_data_health_says_so(database, clock, settings):
    feed = LiveFeed(off=timedelta(seconds=-8))
    desk = desk_of(feed, database=database, clock=clock, settings=settings)
    for _ in range(5):
        assert desk.take(seconds=20)["prices"] == 1
    assert ("DQ_SKEW", "WARN") in desk.findings()
    [seen] = desk.do(lambda ctx: look(ctx, ["AAPL"]))
    assert [one.detail for one in seen.findings if one.code == "DQ_SKEW"] == [
        "the source's clock is 8.0 s behind ours, steadily"
    ]
    assert seen.critical == ()


def test_prices_that_are_old_by_chance_say_nothing_of_the_clock(database, clock, settings):
    feed = LiveFeed(jitter=(1, 9, 4, 14, 6))
    desk = desk_of(feed, database=database, clock=clock, settings=settings)
    for _ in range(10):
        desk.take(seconds=20)
    assert desk.findings() == []


@pytest.mark.parametrize(
    ("other", "codes"),
    [("190.10", []), ("193.00", [("DQ_RECON", "WARN")]), ("210.00", [("DQ_RECON", "CRIT")])],
)
def test_two_providers_that_differ_are_a_finding(database, clock, settings, other, codes):
    first, second = LiveFeed(name="one"), LiveFeed(name="two")
    second.set("AAPL", other, other)
    both = FailoverFeed(first, second, clock)
    desk = desk_of(both, first, second, database=database, clock=clock, settings=settings)
    desk.take(seconds=1)
    assert desk.findings() == codes
    assert desk.freezes() == [code for code, severity in codes if severity == "CRIT"]


@pytest.mark.parametrize("change", [{"provenance": Provenance.DELAYED}, {"currency": "GBP"}])
def test_a_second_source_of_another_moment_or_currency_is_no_measure(
    database, clock, settings, change
):
    first, second = LiveFeed(name="one"), LiveFeed(name="two")
    second.set("AAPL", "210.00", "210.00", **change)
    both = FailoverFeed(first, second, clock)
    desk = desk_of(both, first, second, database=database, clock=clock, settings=settings)
    desk.take(seconds=1)
    assert second.asked == 1
    assert desk.findings() == []


@pytest.mark.fault("F018")
def test_a_second_source_that_agrees_ends_a_jump_at_once(database, clock, settings):
    first, second = LiveFeed(name="one"), LiveFeed(name="two")
    both = FailoverFeed(first, second, clock)
    desk = desk_of(both, first, second, database=database, clock=clock, settings=settings)
    desk.take(seconds=1)
    for one in (first, second):
        one.set("AAPL", "220.00", "220.10")
    done = desk.take(seconds=SECOND_EVERY.total_seconds())
    assert done["prices"] == 1
    assert desk.freezes() == []


def test_the_second_provider_is_asked_at_a_bounded_rate(database, clock, settings, owner):
    first, second = LiveFeed(name="one"), LiveFeed(name="two")
    both = FailoverFeed(first, second, clock)
    runtime = build_runtime(database, clock, settings)

    def ask(*symbols):
        return runtime.read(owner, lambda ctx: [both.comparison.quote(ctx, one) for one in symbols])

    assert [one.source for one in ask("AAPL", "AAPL")] == ["two", "two"]
    clock.advance(seconds=1)
    assert ask("AAPL") == [None]
    many = [f"S{at}" for at in range(SECONDS_MINUTE)]
    second.quotes |= dict.fromkeys(many, second.quotes["AAPL"])
    assert [one is not None for one in ask(*many)] == [True] * (SECONDS_MINUTE - 1) + [False]
    clock.advance(seconds=SECOND_EVERY.total_seconds())
    assert ask("AAPL", "ZZZZ")[1] is None


class Minutes(HandFeed):
    """A feed with minute bars from the open on, but for the missing ones."""

    def __init__(self):
        super().__init__()
        self.missing, self.counts = set(), []

    def bars(self, ctx, symbol, timeframe, count, *, include_partial=False):
        if timeframe != "1m":
            made = [self._day(at) for at in range(21, 0, -1)]
            return self._series(symbol, timeframe, made[-count:])
        self.counts.append(count)
        span = int((self.time - SESSION.open) / MINUTE)
        opens = [SESSION.open + at * MINUTE for at in range(span)]
        made = [self._bar(at) for at in opens if at not in self.missing]
        return self._series(symbol, timeframe, made[-count:])

    def _series(self, symbol, timeframe, made):
        made = tuple(made)
        return BarSeries(symbol, timeframe, made, self.provenance, "hand", self.time, "")

    def _bar(self, opens):
        last = D("190.05")
        return Bar(t_open=opens, t_close=opens + MINUTE, o=last, h=last, l=last, c=last, v=D(9000))

    def _day(self, back):
        opens, last = SESSION.open - timedelta(days=back), D("190.05")
        closes = opens + timedelta(hours=6.5)
        return Bar(t_open=opens, t_close=closes, o=last, h=last, l=last, c=last, v=D(3_000_000))


@pytest.fixture
def minutes(database, clock, settings):
    return desk_of(Minutes(), database=database, clock=clock, settings=settings)


def stored(desk):
    span = (SESSION.open, SESSION.close)
    return desk.do(lambda ctx: stored_bars(ctx, APPLE.id, "1m", *span))


def test_a_missing_minute_is_asked_for_again_and_stored_when_it_comes(minutes):
    [feed] = minutes.feeds
    late = OPEN_TIME - 3 * MINUTE
    feed.missing.add(late)
    minutes.take(seconds=1)
    assert late not in {one.t_open for one in stored(minutes)}
    feed.missing.clear()
    minutes.take(minutes=2)
    assert feed.counts[-1] >= 5
    assert late in {one.t_open for one in stored(minutes)}
    minutes.take(minutes=15)
    assert minutes.findings() == []


def test_a_minute_that_stays_missing_is_told_once_with_the_coverage(minutes):
    [feed] = minutes.feeds
    feed.missing.add(OPEN_TIME - 3 * MINUTE)
    for _ in range(12):
        minutes.take(minutes=1)
    assert minutes.findings() == [("DQ_BAR_SANITY", "WARN")]
    [row] = minutes.do(lambda ctx: ctx.db.rows(_FOUND))
    assert row.detail == "1 of 28 bars missing, coverage 0.964286"
    assert minutes.freezes() == []


def test_a_listing_that_rarely_trades_has_no_gaps_and_the_young_ones_are_not_judged():
    now = OPEN_TIME + timedelta(hours=1)
    bars = [Minutes()._bar(SESSION.open + at * MINUTE) for at in range(30)]
    assert find_gap(bars, SESSION, now, D(5000), instrument=APPLE) is None
    assert find_gap(bars, SESSION, now, None, instrument=APPLE) is None
    assert find_gap(bars, SESSION, now, D(2_000_000), instrument=APPLE).severity == "WARN"
    young = SESSION.open + 30 * MINUTE + ASK_AGAIN
    assert find_gap(bars, SESSION, young, D(2_000_000), instrument=APPLE) is None


def test_the_first_missing_minute_is_looked_for_within_ten_minutes():
    bars = [Minutes()._bar(SESSION.open + at * MINUTE) for at in (0, 1, 3, 4, 5, 20)]
    opens = SESSION.open
    assert first_missing(bars, SESSION, opens + 6 * MINUTE) == opens + 2 * MINUTE
    assert first_missing(bars[3:], SESSION, opens + 21 * MINUTE) == opens + 11 * MINUTE
    assert first_missing(bars[:2], SESSION, opens + 2 * MINUTE) is None
    assert first_missing([], SESSION, opens) is None
