"""The Tradier feed against a real loopback server that speaks the vendor's wire, and its faults."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.kit.clock import HandClock
from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.http import HttpLimits
from services.kit.ids import CountedIds
from services.kit.policy import DEFAULT_POLICY
from services.kit.settings import Settings
from services.market.quote import Provenance
from services.market.session import get_session, sessions_between
from services.market.tradier import TradierFeed
from tests.fakes.tradier_server import TOKEN, Fault, TradierServer
from tests.fakes.vendor_server import PATIENCE_S

NOW = datetime(2027, 1, 12, 15, 0, 30, tzinfo=UTC)
EASTERN = ZoneInfo("America/New_York")
SESSION = get_session("XNYS", NOW.date())
QUOTES, SERIES = "/v1/markets/quotes", "/v1/markets/timesales"


def quote_row(symbol="AAPL", bid=190.08, ask=190.09, last=190.085, at=NOW, **more):
    moment = round(at.timestamp() * 1000)
    return {
        "symbol": symbol,
        "type": "stock",
        "open": None,
        "close": None,
        "last": last,
        "bid": bid,
        "ask": ask,
        "bidsize": 2,
        "asksize": 3,
        "trade_date": moment,
        "bid_date": moment,
        "ask_date": moment - 500,
        **more,
    }


def minute_row(opens, price=10.0, volume=100):
    return {
        "time": opens.astimezone(EASTERN).strftime("%Y-%m-%dT%H:%M:%S"),
        "timestamp": int(opens.timestamp()),
        "price": price,
        "open": 10,
        "high": 12,
        "low": 9,
        "close": price,
        "volume": volume,
        "vwap": price,
    }


@pytest.fixture
def server():
    with TradierServer() as running:
        for symbol in ("AAPL", "AAP", "AMAT", "MSFT"):
            running.list_security(symbol)
            running.quotes[symbol] = quote_row(symbol)
        yield running


@pytest.fixture
def clock():
    return HandClock(NOW)


@pytest.fixture
def feed(server, clock):
    made = open_feed(server, clock)
    yield made
    made.close()


@pytest.fixture
def impatient(server, clock):
    """A feed that a test may let wait for nothing."""
    made = open_feed(server, clock, read_s=PATIENCE_S)
    yield made
    made.close()


@pytest.fixture
def sandbox(server, clock):
    made = open_feed(server, clock, env="sandbox")
    yield made
    made.close()


def open_feed(server, clock, token=TOKEN, env="production", read_s=5.0):
    limits = HttpLimits(attempts_max=1, read_s=read_s)
    return TradierFeed(token, clock, env=env, base_url=server.base_url, limits=limits)


@pytest.fixture
def ctx(clock, owner):
    base = Context(
        db=None,
        now=clock.now(),
        ids=CountedIds(),
        settings=Settings(),
        policy=DEFAULT_POLICY,
        principal=owner,
    )
    return lambda: replace(base, now=clock.now())


def refused(act):
    with pytest.raises(Refusal) as caught:
        act()
    return caught.value


def test_a_quote_has_shares_exact_prices_and_the_time_of_its_newer_side(feed, ctx):
    quote = feed.quote(ctx(), "xnas:aapl")
    assert (quote.bid, quote.ask, quote.last) == (
        Decimal("190.08"),
        Decimal("190.09"),
        Decimal("190.085"),
    )
    assert (quote.bid_size, quote.ask_size, quote.ts) == (200, 300, NOW)
    assert (quote.instrument_id, quote.source) == ("XNAS:AAPL", "tradier")
    assert (quote.provenance, feed.provenance) == (Provenance.LIVE, Provenance.LIVE)


@pytest.mark.fault("F030")
def test_the_sandbox_is_delayed_always(sandbox, ctx):
    assert sandbox.quote(ctx(), "AAPL").provenance == Provenance.DELAYED
    assert sandbox.provenance == Provenance.DELAYED


def test_json_is_asked_for_and_the_token_travels_in_the_header(server, feed, ctx):
    feed.quote(ctx(), "AAPL")
    assert {one["authorization"] for one in server.headers} == {f"Bearer {TOKEN}"}
    assert {one["accept"] for one in server.headers} == {"application/json"}
    assert not any(TOKEN in path for path in server.requests)


@pytest.mark.parametrize(
    "change", [{"bid": None}, {"ask": "null"}, {"last": "null"}, {"bid": 0, "bidsize": 0}]
)
def test_a_quote_without_a_side_or_a_trade_is_unusable_and_never_zero(server, feed, ctx, change):
    server.quotes["AAPL"] |= change
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "QUOTE_UNUSABLE"


def test_symbols_asked_lately_travel_in_one_request(server, clock, feed, ctx):
    for symbol in ("AAPL", "MSFT", "AMAT"):
        feed.quote(ctx(), symbol)
    clock.advance(seconds=2)
    server.requests.clear()
    for symbol in ("AAPL", "MSFT", "AMAT"):
        assert feed.quote(ctx(), symbol).symbol == symbol
    assert server.requests == [f"{QUOTES}?symbols=AAPL%2CAMAT%2CMSFT&greeks=false"]


@pytest.mark.fault("F017")
def test_a_symbol_the_answer_leaves_out_has_no_price_and_the_others_keep_theirs(
    server, clock, feed, ctx
):
    feed.quote(ctx(), "MSFT")
    feed.quote(ctx(), "AAPL")
    del server.quotes["MSFT"]
    clock.advance(seconds=2)
    assert feed.quote(ctx(), "AAPL").bid == Decimal("190.08")
    assert refused(lambda: feed.quote(ctx(), "MSFT")).code == "QUOTE_UNUSABLE"


@pytest.mark.fault("F017")
def test_an_unknown_symbol_names_the_three_nearest(feed, ctx):
    refusal = refused(lambda: feed.instrument(ctx(), "AAPLL"))
    assert (refusal.code, refusal.facts["nearest"]) == ("SYMBOL_UNKNOWN", ["AAPL", "AAP"])


@pytest.mark.parametrize("text", ["../v1", "A B", "A" * 300, "AAPL&x=1", "А", "A\n", ""])
def test_text_that_is_no_symbol_reaches_no_provider(server, feed, ctx, text):
    assert refused(lambda: feed.quote(ctx(), text)).code == "PARAM_INVALID"
    assert server.requests == []


def test_a_class_share_is_spelled_the_vendors_way_on_the_wire_only(server, feed, ctx):
    server.list_security("BRK/B", exchange="N")
    server.quotes["BRK/B"] = quote_row("BRK/B")
    quote = feed.quote(ctx(), "brk-b")
    assert (quote.symbol, quote.instrument_id) == ("BRK.B", "XNYS:BRK.B")
    assert f"{QUOTES}?symbols=BRK%2FB&greeks=false" in server.requests


@pytest.mark.parametrize(("kind", "exchange"), [("index", "Q"), ("stock", "U")])
def test_an_index_or_an_unlisted_share_is_no_instrument(server, feed, ctx, kind, exchange):
    server.list_security("OTCX", kind=kind, exchange=exchange)
    assert refused(lambda: feed.instrument(ctx(), "OTCX")).code == "SYMBOL_UNKNOWN"


def test_minutes_lie_on_the_eastern_grid_and_are_complete(server, feed, ctx):
    rows = [minute_row(SESSION.open + timedelta(minutes=at), 10 + at / 100) for at in range(31)]
    server.series["AAPL", "1min"] = rows
    series = feed.bars(ctx(), "AAPL", "1m", 3)
    opens = [SESSION.open + timedelta(minutes=at) for at in (27, 28, 29)]
    assert [bar.t_open for bar in series.bars] == opens
    assert (series.bars[-1].c, series.provenance) == (Decimal("10.29"), Provenance.LIVE)
    assert (series.source, series.dataset) == ("tradier", "tradier_aggregates")
    partial = feed.bars(ctx(), "AAPL", "1m", 1, include_partial=True).bars[0]
    assert (partial.t_open, partial.complete) == (SESSION.open + timedelta(minutes=30), False)


def test_in_the_sandbox_a_bar_is_complete_only_when_the_delay_has_passed(server, sandbox, ctx):
    rows = [minute_row(SESSION.open + timedelta(minutes=at)) for at in range(31)]
    server.series["AAPL", "1min"] = rows
    series = sandbox.bars(ctx(), "AAPL", "1m", 1)
    assert series.bars[-1].t_close == SESSION.open + timedelta(minutes=15)
    assert series.provenance == Provenance.DELAYED


@pytest.mark.parametrize(("timeframe", "count", "volume"), [("30m", 13, 200), ("60m", 7, 400)])
def test_hours_are_anchored_at_the_open_and_built_from_quarters(
    server, clock, feed, ctx, timeframe, count, volume
):
    clock.set(SESSION.close + timedelta(minutes=5))
    server.series["AAPL", "15min"] = [
        minute_row(SESSION.open + timedelta(minutes=15 * at)) for at in range(26)
    ]
    bars = feed.bars(ctx(), "AAPL", timeframe, 20).bars
    assert (len(bars), bars[0].t_open, bars[0].v) == (count, SESSION.open, volume)
    assert bars[-1].t_close == SESSION.close


def daily_rows(server, first, last):
    sessions = sessions_between("XNYS", first, last)
    server.days["AAPL"] = [
        {"date": s.date.isoformat(), "open": 10, "high": 12, "low": 9, "close": 11, "volume": 5}
        for s in sessions
    ]
    return sessions


def test_days_are_sessions_and_the_one_in_progress_is_partial(server, feed, ctx):
    sessions = daily_rows(server, date(2026, 12, 1), NOW.date())
    series = feed.bars(ctx(), "AAPL", "1d", 10)
    assert [bar.t_open for bar in series.bars] == [s.open for s in sessions[-11:-1]]
    assert series.provenance == Provenance.EOD
    partial = feed.bars(ctx(), "AAPL", "1d", 1, include_partial=True)
    assert (partial.bars[0].complete, partial.provenance) == (False, Provenance.LIVE)


def test_weeks_are_built_from_days(server, feed, ctx):
    daily_rows(server, date(2026, 11, 2), NOW.date())
    bars = feed.bars(ctx(), "AAPL", "1w", 2).bars
    assert [bar.t_open.date() for bar in bars] == [date(2026, 12, 28), date(2027, 1, 4)]


def test_minutes_are_asked_for_no_further_back_than_they_are_kept(server, feed, ctx):
    feed.bars(ctx(), "AAPL", "1m", 5000)
    asked = next(path for path in server.requests if path.startswith(SERIES))
    assert "start=2026-12-23+00%3A00&end=2027-01-12+23%3A59&session_filter=open" in asked


@pytest.mark.fault("F023")
@pytest.mark.parametrize(
    "change", [{"close": 0}, {"high": 1}, {"low": 100}, {"volume": -1}, {"timestamp": 1800000007}]
)
def test_a_bar_that_can_not_be_true_is_refused_or_off_the_session(server, feed, ctx, change):
    rows = [minute_row(SESSION.open + timedelta(minutes=at)) for at in range(5)]
    rows[2] |= change
    server.series["AAPL", "1min"] = rows
    if "timestamp" in change:
        server.series["AAPL", "1min"][2]["timestamp"] = int(SESSION.open.timestamp()) + 7
    assert refused(lambda: feed.bars(ctx(), "AAPL", "1m", 3)).code == "BAR_INVALID"


@pytest.mark.fault("F017")
@pytest.mark.parametrize("timeframe", ["1m", "1d"])
def test_the_text_null_is_no_bar(server, feed, ctx, timeframe):
    server.fault("/v1/markets/history", Fault.NULL_TEXT)
    server.fault(SERIES, Fault.NULL_TEXT)
    assert feed.bars(ctx(), "AAPL", timeframe, 3).bars == ()


@pytest.mark.parametrize("count", [0, 5001, True, "3"])
def test_an_impossible_count_is_refused(feed, ctx, count):
    assert refused(lambda: feed.bars(ctx(), "AAPL", "1d", count)).code == "PARAM_INVALID"


def tick(at, price):
    return {"time": "", "timestamp": int(at.timestamp()), "price": price, "volume": 10}


def test_a_trade_counts_at_the_end_of_its_second_so_neighbouring_spans_lose_none(server, feed, ctx):
    at = NOW - timedelta(seconds=10)
    server.series["AAPL", "tick"] = [tick(at + timedelta(seconds=n), n + 1.0) for n in range(5)]
    cut = at + timedelta(seconds=2, milliseconds=500)
    first = feed.tape(ctx(), "AAPL", at, cut)
    second = feed.tape(ctx(), "AAPL", cut, NOW)
    assert [one.price for one in first] == [1, 2]
    assert [one.price for one in second] == [3, 4, 5]
    assert first[0].ts == at + timedelta(seconds=1)
    assert {(one.bid, one.ask) for one in (*first, *second)} == {(0, 0)}


def test_the_sandbox_has_no_tape_and_asks_for_none(server, sandbox, ctx):
    refusal = refused(lambda: sandbox.tape(ctx(), "AAPL", NOW - timedelta(seconds=9), NOW))
    assert refusal.code == "PROVIDER_NOT_ENTITLED"
    assert server.count(SERIES) == 0


def test_splits_are_unknown_and_the_record_says_so(feed, ctx):
    assert feed.splits(ctx(), "AAPL", NOW - timedelta(days=3), NOW) == []
    splits = next(one for one in feed.record().products if one.feature == "splits")
    assert (splits.on, "unknown" in splits.why, bool(splits.todo)) == (False, True, True)


@pytest.mark.fault("F028")
def test_a_product_the_account_lacks_is_remembered_and_shown(server, clock, feed, ctx):
    server.fault(SERIES, Fault.DENIED_403)
    for _ in range(3):
        assert refused(lambda: feed.bars(ctx(), "AAPL", "1m", 3)).code == "PROVIDER_NOT_ENTITLED"
        clock.advance(minutes=10)
    assert server.count(SERIES) == 1
    assert feed.quote(ctx(), "AAPL").bid > 0
    parts = {one.feature: one for one in feed.record().products}
    assert (parts["minute bars and trades"].on, parts["quotes"].on) == (False, True)
    assert feed.record().on


@pytest.mark.fault("F028")
def test_a_429_is_waited_out_as_long_as_the_server_says(server, clock, feed, ctx):
    feed.instrument(ctx(), "AAPL")
    server.fault(QUOTES, Fault.LIMITED_429, times=1)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_RATE_LIMITED"
    clock.advance(seconds=6)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_RATE_LIMITED"
    assert (server.count(QUOTES), feed.record().limited_for_s) == (1, 1)
    clock.advance(seconds=5.1)
    assert feed.quote(ctx(), "AAPL").bid > 0


@pytest.mark.fault("F028")
def test_a_quota_fault_names_the_end_of_its_window_in_its_text(server, clock, feed, ctx):
    feed.instrument(ctx(), "AAPL")
    server.quota_ends, server.allowed = (NOW + timedelta(seconds=40)).timestamp(), 1000
    server.fault(QUOTES, Fault.QUOTA_FAULT, times=1)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_RATE_LIMITED"
    assert feed.record().limited_for_s == 40


@pytest.mark.fault("F028")
@pytest.mark.parametrize("in_ms", [True, False])
def test_the_vendors_own_count_ends_the_budget_whether_in_s_or_ms(server, clock, feed, ctx, in_ms):
    server.allowed, server.used, server.quota_in_ms = 50, 48, in_ms
    server.quota_ends = (NOW + timedelta(seconds=20)).timestamp()
    feed.instrument(ctx(), "AAPL")
    feed.quote(ctx(), "AAPL")
    record = feed.record()
    assert (record.requests_used, record.requests_allowed, record.limited_for_s) == (50, 50, 20)
    clock.advance(seconds=5)
    refusal = refused(lambda: feed.quote(ctx(), "AAPL"))
    assert (refusal.code, refusal.facts["retry_after_s"]) == ("PROVIDER_RATE_LIMITED", 15)
    assert server.count(QUOTES) == 1
    clock.advance(seconds=16)
    server.used, server.quota_ends = 0, (NOW + timedelta(seconds=80)).timestamp()
    assert feed.quote(ctx(), "AAPL").bid > 0


@pytest.mark.parametrize("fault", [Fault.HTML_504, Fault.HALF_BODY, Fault.RESET, Fault.SILENCE])
def test_the_breaker_opens_tries_once_and_closes_again(server, clock, impatient, ctx, fault):
    feed = impatient
    feed.instrument(ctx(), "AAPL")
    server.fault(QUOTES, fault, times=6)
    for _ in range(5):
        code = refused(lambda: feed.quote(ctx(), "AAPL")).code
        assert code in ("PROVIDER_UNAVAILABLE", "PROVIDER_BODY_INVALID")
        clock.advance(seconds=5.1)
    assert (feed.record().breaker, server.count(QUOTES)) == ("open", 5)
    refused(lambda: feed.quote(ctx(), "AAPL"))
    assert server.count(QUOTES) == 5
    clock.advance(seconds=26)
    assert feed.record().breaker == "half_open"
    refused(lambda: feed.quote(ctx(), "AAPL"))
    assert (feed.record().breaker, server.count(QUOTES)) == ("open", 6)
    clock.advance(seconds=31)
    assert feed.quote(ctx(), "AAPL").bid > 0
    assert feed.record().breaker == "closed"


@pytest.mark.fault("F029")
@pytest.mark.parametrize("fault", [Fault.DEEP, Fault.OVERSIZE])
def test_a_body_out_of_all_proportion_is_a_refusal_and_never_a_price(server, feed, ctx, fault):
    server.fault(QUOTES, fault)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_BODY_INVALID"


def test_plain_text_with_status_400_is_a_request_that_was_refused(server, feed, ctx):
    server.fault(QUOTES, Fault.TEXT_400)
    assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_BAD_REQUEST"


@pytest.mark.parametrize("fault", [None, Fault.EXPIRED_401])
def test_a_wrong_token_says_so_and_is_not_tried_again_at_once(server, clock, ctx, fault):
    feed = open_feed(server, clock, token=TOKEN if fault else "wrong")
    if fault:
        server.fault("/v1", fault)
    for _ in range(3):
        assert refused(lambda: feed.quote(ctx(), "AAPL")).code == "PROVIDER_UNAUTHORIZED"
        clock.advance(seconds=61)
    assert len(server.requests) == 1
    record = feed.record()
    assert (record.on, record.provenance) == (False, None)
    assert "TRADIER_ACCESS_TOKEN" in record.todo
    assert not any(one.on for one in record.products)
    feed.close()


def test_a_probe_says_in_the_record_that_the_key_works_and_never_raises(server, clock, feed):
    assert feed.record().checked_at is None
    feed.probe()
    assert feed.record().checked_at == NOW
    server.fault("/v1", Fault.HTML_504)
    clock.advance(seconds=9)
    feed.probe()
    assert feed.record().checked_at == NOW


def calendar_day(day, status="open", opens="09:30", closes="16:00"):
    row = {"date": day.isoformat(), "status": status}
    return row | ({"open": {"start": opens, "end": closes}} if status == "open" else {})


def january(**changed):
    days = [date(2027, 1, 1) + timedelta(days=n) for n in range(31)]
    sessions = {one.date for one in sessions_between("XNYS", days[0], days[-1])}
    return [
        changed.get(f"d{day.day}") or calendar_day(day, "open" if day in sessions else "closed")
        for day in days
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"d13": calendar_day(date(2027, 1, 13), "closed")}, "2027-01-13 is closed"),
        ({"d13": calendar_day(date(2027, 1, 13), closes="13:00")}, "09:30 to 13:00, the tables"),
        ({"d18": calendar_day(date(2027, 1, 18))}, "the tables say closed"),
    ],
)
def test_a_calendar_that_differs_from_the_session_tables_is_shown(server, feed, changed, said):
    server.calendar["2027", "1"] = january(**changed)
    feed.probe()
    found = next(one for one in feed.record().products if one.feature == "session tables")
    assert (found.on, said in found.why) == (not said, True)
