"""The price that may be shown: what can not be true is a finding, a repeat is no clean one."""

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.errors import Refusal
from services.market.bar import Bar
from services.market.believable import believable_price, find_untrue, require_believable
from services.market.doubt import is_plausible
from services.market.feed import Feed
from services.market.freeze import active_freezes
from services.market.gate import admit, admit_all, believe, observed, observed_bar
from services.market.ingest import ingest_intraday
from services.market.quality_store import INTRADAY, find_marks
from tests.conftest import build_runtime
from tests.fakes.hand_feed import HandFeed, listed

AAPL, APPLE = "XNAS:AAPL", listed("AAPL")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def do(database, clock, settings, owner, feed):
    runtime = build_runtime(database, clock, settings)
    object.__setattr__(runtime, "ports", {**runtime.ports, Feed: feed})

    def act(work, seconds=0, *, silent=False):
        """Work after some seconds, in which a silent market quotes nothing new."""
        if silent:
            feed.time += timedelta(seconds=seconds)
        elif seconds:
            feed.advance(seconds=seconds)
        clock.advance(seconds=seconds)
        return runtime.write(owner, work)

    return act


def take(ctx):
    feed = ctx.port(Feed)
    return admit(ctx, observed(feed.instrument(ctx, "AAPL"), feed.quote(ctx, "AAPL")))


def minute(opens, price, **edges):
    edge = {"o": D(price), "h": D(price), "l": D(price), "c": D(price)}
    edge |= {name: D(value) for name, value in edges.items()}
    bar = Bar(t_open=opens, t_close=opens + MINUTE, v=D(100), **edge)
    return observed_bar(APPLE, bar, daily=False, source="hand", provenance="LIVE")


@pytest.mark.fault("F019")
@pytest.mark.parametrize(
    ("bid", "ask", "code"),
    [("19000", "19000.1", "DQ_SCALE_SUSPECT"), ("190.5", "190.1", "DQ_CROSSED")],
)
def test_a_quote_that_can_not_be_true_is_refused_with_the_last_good_value(do, feed, bid, ask, code):
    do(take)
    feed.set("AAPL", bid, ask)
    with pytest.raises(Refusal, match=code) as refused:
        do(lambda ctx: believable_price(ctx, "AAPL"), seconds=5)
    assert refused.value.code == "DQ_BLOCK"
    assert refused.value.facts["last_good"] == "190.05"
    shown = do(lambda ctx: require_believable(ctx, ["AAPL", "MSFT"]))
    assert [one.instrument.symbol for one in shown] == ["MSFT"]


def test_an_old_quote_and_a_jump_are_shown(do, feed):
    do(take)
    old = do(lambda ctx: believable_price(ctx, "AAPL"), seconds=300, silent=True)
    assert old.last == D("190.05")
    feed.set("AAPL", "230", "230.1")
    assert do(lambda ctx: believable_price(ctx, "AAPL"), seconds=1).last == D("230.05")


@pytest.mark.parametrize(
    ("bid", "ask", "before", "code"),
    [
        ("190", "190.1", "189", None),
        ("190", "190.1", None, None),
        ("19000", "19000.1", "190", "DQ_SCALE_SUSPECT"),
        ("1.9", "1.901", "190", "DQ_SCALE_SUSPECT"),
        ("190.1", "190", "190", "DQ_CROSSED"),
        ("-1", "190", "190", "DQ_NONPOSITIVE"),
    ],
)
def test_a_live_line_checks_a_quote_by_itself(feed, bid, ask, before, code):
    feed.set("AAPL", bid, ask)
    fault = find_untrue(feed.quotes["AAPL"], None if before is None else D(before))
    assert (fault and fault.code) == code


def test_the_same_observation_again_is_no_clean_one(do, feed):
    do(take)
    feed.set("AAPL", "190.2", "190.1")
    do(take, seconds=5)
    feed.set("AAPL", "190.1", "190.2")
    do(take, seconds=5)
    for _ in range(5):
        do(take, seconds=1, silent=True)
    (standing,) = do(active_freezes)
    assert (standing.code, standing.clean_seen) == ("DQ_CROSSED", 1)


def test_a_quote_that_is_older_than_its_storing_is_known_when_it_comes_again(do, feed):
    for counted in ("prices", "known", "known"):
        done = do(lambda ctx: ingest_intraday(ctx, ["AAPL"]), seconds=4, silent=True)
        assert done[counted] == 1


def test_history_does_not_take_the_mark_back(do, feed):
    do(take)
    at = feed.time
    do(lambda ctx: admit_all(ctx, [minute(at - 3 * MINUTE, "190"), minute(at - 2 * MINUTE, "190")]))
    mark = do(lambda ctx: find_marks(ctx, [AAPL]))[AAPL, INTRADAY]
    assert (mark.window.last, mark.window.last_ts) == (D("190.05"), at)


@pytest.mark.parametrize("edge", [{"h": "19000"}, {"l": "1.9"}, {"h": "240"}, {"l": "150"}])
def test_a_minute_with_a_bad_print_in_it_is_not_admitted(do, feed, edge):
    do(take)
    [verdict] = do(lambda ctx: admit_all(ctx, [minute(feed.time - MINUTE, "190", **edge)]))
    assert not verdict.accepted
    assert [one.code for one in verdict.findings] == ["DQ_BAR_SANITY"]


def test_who_reads_bars_past_the_ingest_believes_only_sound_ones_and_moves_no_mark(do, feed):
    do(take)
    before = do(lambda ctx: find_marks(ctx, [AAPL]))
    at = feed.time
    bars = [minute(at, "190.1"), minute(at + MINUTE, "19000"), minute(at + 2 * MINUTE, "190.2")]
    feed.advance(seconds=180)
    assert do(lambda ctx: believe(ctx, bars)) == [True, False, True]
    assert [one.code for one in do(active_freezes)] == ["DQ_SCALE_SUSPECT"]
    assert do(lambda ctx: find_marks(ctx, [AAPL])) == before
    assert do(lambda ctx: believe(ctx, [])) == []


def test_a_single_trade_is_held_against_the_last_good_price(do, feed):
    do(take)

    def plausible(price):
        return do(lambda ctx: is_plausible(ctx, AAPL, D(price), feed.time))

    assert [plausible(price) for price in ("191", "19000", "1.9", "230")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert do(lambda ctx: is_plausible(ctx, "XNAS:NONE", D(1), feed.time))
