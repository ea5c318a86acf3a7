"""Two real providers on loopback servers: who answers, under whose name, and what is written."""

from datetime import timedelta

import pytest

from services import audit
from services.kit.clock import HandClock
from services.kit.http import HttpLimits
from services.kit.ids import CountedIds
from services.market.failover import STAY_S, FailoverFeed, record_change
from services.market.feed import Feed
from services.market.fetching import FetchingRuntime
from services.market.massive import MassiveFeed
from tests.fakes import massive_server as massive
from tests.fakes import tradier_server as tradier
from tests.unit.market.test_massive import row, snapshot, trade
from tests.unit.market.test_tradier_feed import (
    NOW,
    SESSION,
    ctx,
    minute_row,
    open_feed,
    quote_row,
    refused,
    tick,
)

__all__ = ["ctx"]
SNAPSHOTS = "/v2/snapshot"


@pytest.fixture
def first_server():
    with massive.MassiveServer() as running:
        running.page_size = 50_000
        for symbol in ("AAPL", "MSFT"):
            running.list_ticker(symbol)
            running.snapshots[symbol] = snapshot()
        yield running


@pytest.fixture
def second_server():
    with tradier.TradierServer() as running:
        for symbol in ("AAPL", "MSFT"):
            running.list_security(symbol)
            running.quotes[symbol] = quote_row(symbol)
        yield running


@pytest.fixture
def clock():
    return HandClock(NOW)


@pytest.fixture
def feed(first_server, second_server, clock):
    limits = HttpLimits(attempts_max=1)
    first = MassiveFeed(first_server.base_url, massive.KEY, clock, limits=limits)
    second = open_feed(second_server, clock)
    yield FailoverFeed(first, second, clock)
    first.close()
    second.close()


def test_while_the_first_answers_the_second_is_asked_nothing(feed, second_server, ctx):
    assert feed.quote(ctx(), "AAPL").source == "massive"
    assert (second_server.requests, feed.record().failed_over_to) == ([], None)
    assert feed.changes.take() == []


def test_a_unit_that_waits_for_the_network_compares_both_providers_once(
    feed, second_server, database, settings, clock, owner
):
    runtime = FetchingRuntime(database, clock, CountedIds(), settings, ports={Feed: feed})

    def both(ctx):
        other = feed.comparison.quote(ctx, "AAPL")
        return feed.quote(ctx, "AAPL").source, other and other.source

    assert runtime.read(owner, both) == ("massive", "tradier")
    asked = len(second_server.requests)
    clock.advance(seconds=60)
    assert runtime.read(owner, both) == ("massive", None)
    assert len(second_server.requests) == asked
    runtime.threads.shutdown(wait=True)


def test_nothing_is_compared_while_the_second_provider_answers(feed, first_server, ctx):
    first_server.fault(SNAPSHOTS, massive.Fault.HTML_504)
    feed.quote(ctx(), "AAPL")
    assert feed.comparison.quote(ctx(), "AAPL") is None


@pytest.mark.parametrize(
    "fault", [massive.Fault.HTML_504, massive.Fault.HALF_BODY, massive.Fault.LIMITED_429]
)
def test_while_the_first_fails_the_second_answers_under_its_own_name(
    feed, first_server, ctx, fault
):
    first_server.fault(SNAPSHOTS, fault)
    quote = feed.quote(ctx(), "AAPL")
    assert (quote.source, quote.dataset) == ("tradier", "tradier_snapshot")
    assert (feed.name, feed.record().name) == ("tradier", "massive")
    assert feed.record().failed_over_to == "tradier"
    capability = feed.capability()
    assert capability.on
    assert "massive fails" in capability.why
    assert "tradier answers" in capability.why


def test_every_value_is_whole_from_one_provider(feed, first_server, second_server, ctx):
    opens = [SESSION.open + timedelta(minutes=at) for at in range(20)]
    first_server.bars["AAPL", "1minute"] = [row(at, price=10) for at in opens]
    second_server.series["AAPL", "1min"] = [minute_row(at, 11.0) for at in opens]
    before = feed.bars(ctx(), "AAPL", "1m", 5)
    first_server.fault("/v2", massive.Fault.HTML_504)
    quote, after = feed.quote(ctx(), "AAPL"), feed.bars(ctx(), "AAPL", "5m", 2)
    assert (before.source, {bar.c for bar in before.bars}) == ("massive", {10})
    assert (after.source, quote.source) == ("tradier", "tradier")
    assert quote.bid != 190


def test_it_stays_for_a_while_and_comes_back_when_the_first_answers(feed, first_server, clock, ctx):
    feed.quote(ctx(), "AAPL")
    clock.advance(seconds=10)
    first_server.fault(SNAPSHOTS, massive.Fault.HTML_504, times=1)
    assert feed.quote(ctx(), "AAPL").source == "tradier"
    clock.advance(seconds=STAY_S - 1)
    asked = len(first_server.requests)
    assert feed.quote(ctx(), "AAPL").source == "tradier"
    assert len(first_server.requests) == asked
    clock.advance(seconds=2)
    assert feed.quote(ctx(), "AAPL").source == "massive"
    assert (feed.record().failed_over_to, feed.name) == (None, "massive")
    said = [(one.leaves, one.takes_over, one.reason) for one in feed.changes.take()]
    assert said == [("massive", "tradier", "PROVIDER_UNAVAILABLE"), ("tradier", "massive", "")]
    assert feed.changes.take() == []


def test_a_wrong_key_fails_over_too_and_the_record_still_says_it_is_wrong(
    first_server, second_server, clock, ctx
):
    first = MassiveFeed(first_server.base_url, "wrong", clock)
    second = open_feed(second_server, clock)
    feed = FailoverFeed(first, second, clock)
    assert feed.quote(ctx(), "AAPL").source == "tradier"
    record = feed.record()
    assert (record.on, record.failed_over_to) == (False, "tradier")
    assert "MASSIVE_API_KEY" in record.todo
    first.close()
    second.close()


def test_what_the_plan_lacks_is_no_outage(feed, first_server, second_server, ctx):
    first_server.fault(SNAPSHOTS, massive.Fault.DENIED_403)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_NOT_ENTITLED"
    assert (second_server.requests, feed.changes.take()) == ([], [])


def test_an_unknown_symbol_is_no_outage(feed, second_server, ctx):
    assert refused(lambda: feed.quote(ctx(), "ZZZZ")).code == "SYMBOL_UNKNOWN"
    assert second_server.requests == []


def test_when_both_fail_there_is_a_refusal_and_no_price(feed, first_server, second_server, ctx):
    first_server.fault("/", massive.Fault.HTML_504)
    second_server.fault("/", tradier.Fault.HTML_504)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_UNAVAILABLE"


def test_splits_are_never_taken_from_a_provider_that_knows_none(feed, first_server, ctx):
    feed.instrument(ctx(), "AAPL")
    first_server.fault("/v3/reference/splits", massive.Fault.HTML_504)
    code = refused(lambda: feed.splits(ctx(), "AAPL", NOW - timedelta(days=2), NOW)).code
    assert code == "PROVIDER_UNAVAILABLE"


def test_trades_of_two_providers_never_stand_side_by_side(
    feed, first_server, second_server, clock, ctx
):
    begin = NOW - timedelta(seconds=10)
    first_server.trades["AAPL"] = [trade(begin + timedelta(seconds=n), n) for n in (1, 4)]
    second_server.series["AAPL", "tick"] = [tick(begin + timedelta(seconds=1), 1.0)]
    first_server.fault("/v3/trades", massive.Fault.HTML_504, times=1)
    refusal = refused(lambda: feed.tape(ctx(), "AAPL", begin, NOW))
    assert refusal.code == "PROVIDER_UNAVAILABLE"
    clock.advance(seconds=6)
    whole = feed.tape(ctx(), "AAPL", begin, NOW)
    assert [one.price for one in whole] == [1, 4]
    assert second_server.count("/v1/markets/timesales") == 0


def test_a_change_is_written_into_the_audit_chain_and_told_once(
    feed, first_server, clock, runtime, owner, ctx
):
    first_server.fault(SNAPSHOTS, massive.Fault.HTML_504)
    feed.quote(ctx(), "AAPL")
    (change,) = feed.changes.take()
    runtime.write(owner, lambda one: record_change(one, change))

    def act(one):
        return [event for event in audit.trail(one) if event.kind.startswith("provider.")]

    (event,) = runtime.read(owner, act)
    assert (event.kind, event.subject) == ("provider.failed_over", "massive")
    assert (event.facts["takes_over"], event.facts["reason"]) == ("tradier", "PROVIDER_UNAVAILABLE")
