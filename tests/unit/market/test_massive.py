"""The Massive feed against a real loopback server that speaks the vendor's wire, and its faults."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.kit.clock import HandClock
from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.http import HttpLimits
from services.kit.ids import CountedIds
from services.kit.policy import DEFAULT_POLICY
from services.kit.settings import Settings
from services.market.massive import MassiveFeed
from services.market.quote import Provenance
from services.market.session import get_session, sessions_between
from tests.fakes.massive_server import KEY, Fault, MassiveServer
from tests.fakes.vendor_server import PATIENCE_S

NOW = datetime(2027, 1, 12, 15, 0, 30, tzinfo=UTC)
SESSION = get_session("XNYS", NOW.date())


def nanos(moment):
    return int(moment.timestamp() * 1_000_000) * 1000


def millis(moment):
    return int(moment.timestamp() * 1000)


def snapshot(bid=190.00, ask=190.10, last=190.05, at=NOW):
    return {
        "lastQuote": {"p": bid, "s": 3, "P": ask, "S": 4, "t": nanos(at)},
        "lastTrade": {"p": last, "s": 25, "t": nanos(at), "c": [1]},
        "day": {"o": 1, "h": 2, "l": 1, "c": 2, "v": 3, "vw": 1},
        "updated": nanos(at),
    }


def row(opens, price="10", volume=100):
    return {"t": millis(opens), "o": 10, "h": 12, "l": 9, "c": float(price), "v": volume, "n": 3}


@pytest.fixture
def server():
    with MassiveServer() as running:
        for symbol in ("AAPL", "AAP", "AMAT", "MSFT"):
            running.list_ticker(symbol)
        running.snapshots["AAPL"] = snapshot()
        yield running


@pytest.fixture
def clock():
    return HandClock(NOW)


@pytest.fixture
def feed(server, clock):
    made = open_feed(server, clock)
    yield made
    made.close()


def open_feed(server, clock, key=KEY, *, read_s=5.0, **settings):
    limits = HttpLimits(attempts_max=1, read_s=read_s)
    return MassiveFeed(server.base_url, key, clock, limits=limits, **settings)


@pytest.fixture
def ctx(clock, owner):
    class Live:
        """The context of a unit of work that begins when it is asked for."""

        def __call__(self):
            return Context(
                db=None,
                now=clock.now(),
                ids=CountedIds(),
                settings=Settings(),
                policy=DEFAULT_POLICY,
                principal=owner,
            )

    return Live()


def refused(act):
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value


def test_a_quote_has_shares_exact_prices_and_its_own_time(feed, ctx):
    quote = feed.quote(ctx(), "xnas:aapl")
    assert (quote.bid, quote.ask, quote.last) == (
        Decimal("190.0"),
        Decimal("190.1"),
        Decimal("190.05"),
    )
    assert (quote.bid_size, quote.ask_size) == (300, 400)
    assert (quote.instrument_id, quote.currency, quote.ts) == ("XNAS:AAPL", "USD", NOW)
    assert (quote.provenance, quote.source) == (Provenance.LIVE, "massive")


@pytest.mark.fault("F030")
def test_an_answer_that_says_delayed_is_labelled_delayed(server, feed, ctx):
    server.delayed = True
    assert feed.quote(ctx(), "AAPL").provenance == Provenance.DELAYED
    assert feed.provenance == Provenance.DELAYED
    assert "delayed by the plan" in feed.capability().why


def test_before_any_answer_nothing_is_called_live(feed):
    assert feed.provenance == Provenance.DELAYED


def test_the_key_travels_in_the_header_and_never_in_an_address(server, feed, ctx):
    feed.quote(ctx(), "AAPL")
    assert {sent["authorization"] for sent in server.headers} == {f"Bearer {KEY}"}
    assert not any(KEY in path for path in server.requests)


@pytest.mark.parametrize("part", ["lastQuote", "lastTrade"])
def test_a_quote_without_a_side_or_a_trade_is_unusable_and_never_zero(server, feed, ctx, part):
    del server.snapshots["AAPL"][part]
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "QUOTE_UNUSABLE"


def test_quotes_within_a_second_are_asked_once(server, clock, feed, ctx):
    for _ in range(5):
        feed.quote(ctx(), "AAPL")
    assert server.count("/v2/snapshot") == 1
    clock.advance(seconds=1.1)
    feed.quote(ctx(), "AAPL")
    assert server.count("/v2/snapshot") == 2


@pytest.mark.fault("F017")
def test_an_unknown_symbol_names_the_three_nearest(server, feed, ctx):
    server.page_size = 1000
    refusal = refused(lambda: feed.instrument(ctx(), "AAPLL"))
    assert refusal.code == "SYMBOL_UNKNOWN"
    assert refusal.facts["nearest"] == ["AAPL", "AAP", "AMAT"]


@pytest.mark.parametrize("text", ["../v1", "A B", "A" * 300, "AAPL?x=1", "А", "A\n", ""])
def test_text_that_is_no_symbol_reaches_no_provider(server, feed, ctx, text):
    assert refused(lambda: feed.quote(ctx(), text)).code == "PARAM_INVALID"
    assert server.requests == []


def test_a_listing_elsewhere_is_another_listing(feed, ctx):
    assert refused(lambda: feed.instrument(ctx(), "XNYS:AAPL")).code == "SYMBOL_UNKNOWN"


def test_delisted_and_foreign_rows_are_no_instruments(server, feed, ctx):
    server.list_ticker("OLD", active=False)
    server.list_ticker("EUR", currency_name="eur")
    for symbol in ("OLD", "EUR"):
        assert (
            refused(lambda symbol=symbol: feed.instrument(ctx(), symbol)).code == "SYMBOL_UNKNOWN"
        )


def test_a_dash_is_the_dot_of_a_class_share(server, feed, ctx):
    server.list_ticker("BRK.B")
    assert feed.instrument(ctx(), "brk-b").symbol == "BRK.B"


def test_all_pages_are_read_from_our_host_whatever_next_url_names(server, feed, ctx):
    assert [one.symbol for one in feed.instruments(ctx())] == ["AAP", "AAPL", "AMAT", "MSFT"]
    assert server.count("/v3/reference/tickers?") == 2


def test_a_small_budget_does_not_pay_for_the_whole_list(server, clock, ctx):
    feed = open_feed(server, clock, requests_minute=5)
    feed.instrument(ctx(), "AAPL")
    assert [one.symbol for one in feed.instruments(ctx())] == ["AAPL"]
    feed.close()


def minutes(server, count=60, unit="1minute", step=1, begin=None):
    begin = begin or SESSION.open
    rows = [row(begin + timedelta(minutes=step * at), price=10 + at / 100) for at in range(count)]
    server.bars["AAPL", unit] = rows


def test_minutes_are_complete_regular_and_newest_last(server, feed, ctx):
    minutes(server, count=40, begin=SESSION.open - timedelta(minutes=5))
    server.page_size = 50_000
    series = feed.bars(ctx(), "AAPL", "1m", 3)
    opens = [bar.t_open for bar in series.bars]
    assert opens == [SESSION.open + timedelta(minutes=at) for at in (27, 28, 29)]
    assert all(bar.complete for bar in series.bars)
    assert series.provenance == Provenance.LIVE
    partial = feed.bars(ctx(), "AAPL", "1m", 1, include_partial=True).bars[0]
    assert (partial.t_open, partial.complete) == (SESSION.open + timedelta(minutes=30), False)


def test_on_a_delayed_plan_a_bar_is_complete_only_when_the_delay_has_passed(server, feed, ctx):
    minutes(server, count=40)
    server.page_size, server.delayed = 50_000, True
    series = feed.bars(ctx(), "AAPL", "1m", 1)
    assert series.bars[-1].t_close == SESSION.open + timedelta(minutes=15)
    assert series.provenance == Provenance.DELAYED


def test_hours_are_anchored_at_the_open_and_built_from_half_hours(server, clock, feed, ctx):
    clock.set(SESSION.close + timedelta(minutes=5))
    minutes(server, count=13, unit="30minute", step=30)
    server.page_size = 50_000
    bars = feed.bars(ctx(), "AAPL", "60m", 10).bars
    assert len(bars) == 7
    assert [bar.t_open.minute for bar in bars] == [30] * 7
    assert (bars[0].v, bars[-1].t_close) == (200, SESSION.close)


def days(server, first, last):
    zone = "America/New_York"
    from zoneinfo import ZoneInfo

    sessions = sessions_between("XNYS", first, last)
    server.bars["AAPL", "1day"] = [
        row(datetime(s.date.year, s.date.month, s.date.day, tzinfo=ZoneInfo(zone)))
        for s in sessions
    ]
    return sessions


def test_days_are_sessions_and_the_one_in_progress_is_partial(server, feed, ctx):
    sessions = days(server, date(2026, 12, 1), NOW.date())
    server.page_size = 5
    series = feed.bars(ctx(), "AAPL", "1d", 10)
    assert [bar.t_open for bar in series.bars] == [s.open for s in sessions[-11:-1]]
    assert series.provenance == Provenance.EOD
    partial = feed.bars(ctx(), "AAPL", "1d", 1, include_partial=True)
    assert (partial.bars[0].complete, partial.provenance) == (False, Provenance.LIVE)


def test_weeks_are_built_from_days(server, feed, ctx):
    days(server, date(2026, 11, 2), NOW.date())
    server.page_size = 50_000
    bars = feed.bars(ctx(), "AAPL", "1w", 4).bars
    assert [bar.t_open.date() for bar in bars] == [
        date(2026, 12, 14),
        date(2026, 12, 21),
        date(2026, 12, 28),
        date(2027, 1, 4),
    ]


@pytest.mark.fault("F023")
@pytest.mark.parametrize(
    "change", [{"c": 0}, {"h": 1}, {"l": 100}, {"v": -1}, {"t": millis(SESSION.open) + 7000}]
)
def test_a_bar_that_can_not_be_true_is_refused(server, feed, ctx, change):
    minutes(server, count=5)
    server.page_size = 50_000
    server.bars["AAPL", "1minute"][2] |= change
    assert refused(lambda: feed.bars(ctx(), "AAPL", "1m", 3)).code == "BAR_INVALID"


def test_an_explicit_null_is_asked_a_second_time(server, feed, ctx):
    minutes(server, count=5)
    server.page_size = 50_000
    server.fault("/v2/aggs", Fault.NULL_RESULTS, times=1)
    assert len(feed.bars(ctx(), "AAPL", "1m", 3).bars) == 3
    assert server.count("/v2/aggs") == 2


def test_a_symbol_without_trades_has_no_bars(feed, ctx):
    assert feed.bars(ctx(), "AAPL", "1m", 3).bars == ()


@pytest.mark.parametrize("count", [0, 5001, True, "3"])
def test_an_impossible_count_is_refused(feed, ctx, count):
    assert refused(lambda: feed.bars(ctx(), "AAPL", "1d", count)).code == "PARAM_INVALID"


def test_an_unknown_timeframe_is_refused(feed, ctx):
    assert refused(lambda: feed.bars(ctx(), "AAPL", "2m", 3)).code == "TIMEFRAME_UNSUPPORTED"


def trade(at, price, *conditions):
    return {
        "sip_timestamp": nanos(at),
        "price": price,
        "size": 10,
        "id": "1",
        "conditions": conditions,
    }


def test_the_tape_has_the_trades_after_and_until_that_may_set_a_high(server, feed, ctx):
    at = [NOW - timedelta(seconds=s) for s in (10, 9, 8, 7, 6, 0)]
    prices = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    server.trades["AAPL"] = [trade(t, p, 1) for t, p in zip(at, prices, strict=True)]
    server.trades["AAPL"][2]["conditions"] = [1, 2]
    ticks = feed.tape(ctx(), "AAPL", at[0], NOW)
    assert [tick.price for tick in ticks] == [2, 4, 5]
    assert {(tick.bid, tick.ask) for tick in ticks} == {(0, 0)}
    assert feed.tape(ctx(), "AAPL", NOW, NOW) == []


def test_neighbouring_spans_of_the_tape_share_no_trade_and_lose_none(server, feed, ctx):
    cut = NOW - timedelta(seconds=5)
    server.trades["AAPL"] = [trade(cut, 1.0), trade(cut, 2.0)]
    server.trades["AAPL"][1]["sip_timestamp"] += 700
    first = feed.tape(ctx(), "AAPL", cut - timedelta(seconds=5), cut)
    second = feed.tape(ctx(), "AAPL", cut, NOW)
    assert [tick.price for tick in (*first, *second)] == [1, 2]


def test_a_delayed_plan_has_no_tape(server, feed, ctx):
    server.delayed = True
    server.trades["AAPL"] = [trade(NOW - timedelta(seconds=5), 1.0)]
    refusal = refused(lambda: feed.tape(ctx(), "AAPL", NOW - timedelta(seconds=9), NOW))
    assert refusal.code == "PROVIDER_NOT_ENTITLED"


def test_a_split_is_effective_at_the_open_of_its_day(server, feed, ctx):
    server.splits = [
        {"ticker": "AAPL", "execution_date": "2027-01-12", "split_from": 2, "split_to": 3},
        {"ticker": "AAPL", "execution_date": "2027-01-13", "split_from": 1, "split_to": 2},
        {"ticker": "MSFT", "execution_date": "2027-01-12", "split_from": 1, "split_to": 5},
    ]
    found = feed.splits(ctx(), "AAPL", NOW - timedelta(days=3), NOW + timedelta(days=3))
    assert [(one.ratio_from, one.ratio_to, one.effective_at) for one in found] == [
        (2, 3, SESSION.open)
    ]


@pytest.mark.fault("F028")
def test_a_product_that_the_plan_lacks_is_remembered_and_shown(server, clock, feed, ctx):
    server.fault("/v2/snapshot", Fault.DENIED_403)
    for _ in range(3):
        assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_NOT_ENTITLED"
        clock.advance(minutes=10)
    assert server.count("/v2/snapshot") == 1
    capability = feed.capability()
    assert capability.on
    assert "not in the plan: snapshots" in capability.why
    assert capability.todo


@pytest.mark.fault("F028")
def test_a_429_is_waited_out_as_long_as_the_server_says(server, clock, feed, ctx):
    feed.instrument(ctx(), "AAPL")
    server.fault("/v2/snapshot", Fault.LIMITED_429, times=1)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_RATE_LIMITED"
    clock.advance(seconds=6)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_RATE_LIMITED"
    assert server.count("/v2/snapshot") == 1
    clock.advance(seconds=6.1)
    assert feed.quote(ctx(), "AAPL").bid == 190


def test_the_budget_of_a_minute_is_never_exceeded(server, clock, ctx):
    feed = open_feed(server, clock, requests_minute=5)
    for _ in range(20):
        clock.advance(seconds=2)
        try:
            feed.quote(ctx(), "AAPL")
        except Refusal as refusal:
            last = refusal
    assert len(server.requests) == 5
    assert (last.code, last.facts["retry_after_s"] > 0) == ("PROVIDER_RATE_LIMITED", True)
    feed.close()


@pytest.mark.parametrize("fault", [Fault.HTML_504, Fault.HTML_200, Fault.HALF_BODY, Fault.RESET])
def test_the_breaker_opens_after_five_failures_and_closes_by_itself(
    server, clock, feed, ctx, fault
):
    feed.instrument(ctx(), "AAPL")
    server.fault("/v2/snapshot", fault, times=5)
    for _ in range(9):
        code = refused(lambda: feed.quote(ctx(), "AAPL")).code
        assert code in ("PROVIDER_UNAVAILABLE", "PROVIDER_BODY_INVALID")
        clock.advance(seconds=5.1)
        if "not answering" in feed.capability().why:
            break
    assert server.count("/v2/snapshot") == 5
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_UNAVAILABLE"
    assert server.count("/v2/snapshot") == 5
    clock.advance(seconds=31)
    assert feed.quote(ctx(), "AAPL").bid == 190
    assert "not answering" not in feed.capability().why


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.REDIRECT, Fault.DEEP, Fault.OVERSIZE])
def test_other_faults_are_refusals_and_never_a_price(server, clock, ctx, fault):
    feed = open_feed(server, clock, read_s=PATIENCE_S)
    server.fault("/v2/snapshot", fault)
    code = refused(lambda: feed.quote(ctx(), "AAPL")).code
    assert code in ("PROVIDER_UNAVAILABLE", "PROVIDER_BODY_INVALID")
    feed.close()


def test_a_wrong_key_says_so_and_is_not_tried_again_at_once(server, clock, ctx):
    feed = open_feed(server, clock, key="wrong")
    for _ in range(3):
        assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_UNAUTHORIZED"
        clock.advance(seconds=61)
    assert len(server.requests) == 1
    capability = feed.capability()
    assert (capability.on, "MASSIVE_API_KEY" in capability.todo) == (False, True)
    feed.close()


def test_the_record_tells_part_by_part_what_answered_and_what_is_denied(server, feed, ctx):
    server.fault("/v2/aggs", Fault.DENIED_403)
    feed.quote(ctx(), "AAPL")
    refused(lambda: feed.bars(ctx(), "AAPL", "1d", 3))
    record = feed.record()
    parts = {one.feature: (one.on, one.why) for one in record.products}
    assert parts["quotes"] == (True, "Massive: answered")
    assert parts["trades"] == (True, "Massive: not asked yet")
    assert not parts["bars"][0]
    assert (record.host, record.breaker, record.requests_used) == ("127.0.0.1", "closed", 3)
    assert feed.link.asked() == ("aggregates", "reference", "snapshots")
