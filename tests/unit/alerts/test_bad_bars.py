"""Alerts on bars that can not be true: nothing rings, the listing freezes, the alert waits."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts import fast
from services.market.freeze import active_freezes
from services.market.gate import admit, observed
from tests.unit.alerts.conftest import MINUTE, OPEN, D, bar


@pytest.fixture
def desk(desk, feed):
    """The desk with a last good price of 198 for AAPL."""

    def take(ctx):
        return admit(ctx, observed(feed.instrument(ctx, "AAPL"), feed.quote(ctx, "AAPL")))

    assert desk.do(take).accepted
    return desk


CALM = bar(0, 198, 198.4, 197.8, 198.2)


@pytest.mark.fault("F019")
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (bar(1, 19820, 19830, 19810, 19825), "DQ_SCALE_SUSPECT"),
        (bar(1, 198.2, 19820, 198.1, 198.3), "DQ_BAR_SANITY"),
        (bar(1, 260, 261, 259, 260), "DQ_JUMP"),
    ],
)
@pytest.mark.parametrize("by", ["poll", "stream"])
def test_a_bar_that_the_gate_would_not_admit_rings_no_alert(desk, feed, bad, code, by):
    made = desk.set("200").alert
    feed.put(CALM)
    assert desk.poll() == 0
    feed.put(bad)
    feed.set("AAPL", "198.19", "198.21")
    assert (desk.poll() if by == "poll" else desk.stream(bad)) == 0
    assert [one.code for one in desk.do(active_freezes)] == [code]
    after = desk.alert(made.id)
    assert (after.state, after.triggers) == ("armed", 0)


def test_good_bars_before_a_bad_one_still_ring(desk, feed):
    made = desk.set("200").alert
    feed.put(CALM, bar(1, 198.2, 200.5, 198.2, 200.4), bar(2, 20040, 20050, 20030, 20045))
    feed.set("AAPL", "200.39", "200.41")
    assert desk.poll() == 1
    assert desk.events(made.id) == [(2, "200", False)]


def test_a_trade_in_another_unit_tells_no_fast_alert(desk, feed):
    made = desk.set("200", latency="fast").alert
    feed.put(CALM)
    desk.poll()
    at = OPEN + MINUTE + timedelta(seconds=5)
    bad, good = (fast.Touch(made.id, "AAPL", D(price), at) for price in ("19820", "200.5"))
    assert not desk.do(lambda ctx: fast.tell_touch(ctx, bad))
    assert desk.do(lambda ctx: fast.tell_touch(ctx, good))


def a_day(back, close):
    opens = OPEN - timedelta(days=back)
    return replace(bar(opens, close, close, close, close), t_close=opens + timedelta(hours=6.5))


@pytest.mark.fault("F019")
@pytest.mark.parametrize("known", ["history", "later mark"])
def test_a_day_in_another_unit_rings_no_alert_where_no_day_is_stored(any_desk, feed, known):
    if known == "history":
        feed.put(*[a_day(back, 198) for back in (7, 6, 5, 4, 1)], timeframe="1d")
        feed.at(0)
        feed.set("AAPL", "197.99", "198.01")
    made = any_desk.set("200", timeframe="day").alert
    if known == "later mark":
        feed.at(24 * 60 + 1)
        quote = any_desk.do(lambda ctx: feed.quote(ctx, "AAPL"))
        any_desk.do(lambda ctx: admit(ctx, observed(feed.instrument(ctx, "AAPL"), quote)))
    feed.put(a_day(0, 19800), timeframe="1d")
    feed.set("AAPL", "198.00", "198.02")
    assert any_desk.poll() == 0
    assert [one.code for one in any_desk.do(active_freezes)] == ["DQ_SCALE_SUSPECT"]
    after = any_desk.alert(made.id)
    assert (after.state, after.triggers) == ("armed", 0)
