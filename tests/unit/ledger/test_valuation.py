"""Valuation marks every holding with its provenance; the series gives returns and drawdown."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from services.kit.errors import Refusal
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.ledger.performance import history, performance, round_trips
from services.ledger.portfolio import contribute, withdraw
from services.ledger.tables import valuations
from services.ledger.valuation import record, value
from services.market.feed import Feed
from services.market.session import sessions_between
from tests.unit.ledger.conftest import AAPL, MSFT, Desk
from tests.unit.ledger.hand_feed import HandFeed

TUESDAY = datetime(2012, 1, 3, 14, 31, tzinfo=UTC)


@pytest.fixture
def feed():
    return HandFeed(TUESDAY)


@pytest.fixture
def desk(database, clock, settings, owner, feed):
    runtime = Runtime(database, clock, CountedIds(), settings, ports={Feed: feed})
    return Desk(runtime, owner)


def worth(desk):
    return desk.do(lambda ctx: value(ctx, desk.id))


def stored(desk):
    return desk.do(
        lambda ctx: ctx.db.rows(
            select(valuations).order_by(valuations.c.era, valuations.c.at, valuations.c.kind.desc())
        )
    )


def keep(desk):
    return desk.do(lambda ctx: record(ctx, desk.id))


def test_equity_is_cash_plus_units_at_the_last_trade(desk, feed):
    desk.fill("buy", 100, 200)
    feed.prices[AAPL] = 201
    now = worth(desk)
    [held] = now.holdings
    assert (held.market_value, held.unrealised) == (20100, 99)
    assert (now.equity, now.day_pnl, now.session_open_equity) == (100_099, 99, 100_000)
    assert (held.provenance, held.source, now.provenance) == ("REPLAY", "hand", "REPLAY")


@pytest.mark.fault("F020")
def test_a_missing_price_leaves_totals_open_and_is_never_zero(desk, feed):
    desk.fill("buy", 10, 100)
    desk.fill("buy", 10, 100, listing=MSFT)
    feed.prices[AAPL] = 100
    now = worth(desk)
    assert (now.equity, now.market_value, now.day_pnl, now.flags) == (
        None,
        None,
        None,
        ("INCOMPLETE",),
    )
    assert [held.missing for held in now.holdings] == ["", "QUOTE_UNUSABLE"]
    with pytest.raises(Refusal, match="DQ_BLOCK"):
        now.require_equity()
    assert keep(desk) is False


def test_the_series_has_one_row_per_minute_and_one_close_per_session(desk, feed):
    desk.fill("buy", 100, 200)
    feed.prices[AAPL] = 201
    assert [keep(desk), keep(desk)] == [True, False]
    feed.advance(seconds=60)
    assert keep(desk) is True
    feed.now = datetime(2012, 1, 3, 20, 59, 30, tzinfo=UTC)
    keep(desk)
    feed.now, feed.prices[AAPL] = datetime(2012, 1, 4, 14, 30, tzinfo=UTC), 190
    assert keep(desk) is True
    assert [(row.kind, row.at.strftime("%dT%H:%M"), row.equity) for row in stored(desk)] == [
        ("start", "03T14:31", 100_099),
        ("minute", "03T14:32", 100_099),
        ("minute", "03T20:59", 100_099),
        ("close", "03T21:00", 100_099),
        ("minute", "04T14:30", 98_999),
    ]
    assert worth(desk).day_pnl == -1100
    assert worth(desk).session_open_equity == 100_099


def test_a_close_holds_what_was_bought_after_the_last_row_at_the_closing_price(desk, feed):
    keep(desk)
    desk.fill("buy", 100, 200, at=feed.now)
    feed.prices[AAPL], feed.closes = 190, {(AAPL, date(2012, 1, 3)): 203}
    feed.now = datetime(2012, 1, 4, 14, 31, tzinfo=UTC)
    assert keep(desk) is True
    close = stored(desk)[1]
    assert (close.kind, close.at.hour, close.cash) == ("close", 21, 79_999)
    assert (close.market_value, close.equity, close.provenance) == (20_300, 100_299, "REPLAY")
    assert worth(desk).day_pnl == -1300


def test_every_close_that_a_jump_passes_is_kept(desk, feed):
    desk.fill("buy", 100, 200)
    feed.prices[AAPL] = 200
    keep(desk)
    days = [date(2012, 1, day) for day in (3, 4, 5)]
    feed.closes = {(AAPL, day): price for day, price in zip(days, (201, 198, 205), strict=True)}
    feed.now = datetime(2012, 1, 6, 15, 0, tzinfo=UTC)
    keep(desk)
    closes = [(row.session, row.equity) for row in stored(desk) if row.kind == "close"]
    assert closes == [("2012-01-03", 100_099), ("2012-01-04", 99_799), ("2012-01-05", 100_499)]


def test_nothing_is_stored_while_nothing_is_held_or_the_market_rests(desk, feed):
    assert [keep(desk)] == [True]
    feed.advance(minutes=5)
    assert keep(desk) is False
    desk.fill("buy", 1, 100)
    feed.prices[AAPL] = 100
    assert keep(desk) is True
    feed.now = datetime(2012, 1, 3, 21, 30, tzinfo=UTC)
    assert keep(desk) is True
    feed.advance(minutes=1)
    assert keep(desk) is False
    assert [row.kind for row in stored(desk)] == ["start", "minute", "close"]


def test_market_time_that_goes_back_begins_a_new_era(desk, feed):
    desk.fill("buy", 1, 100)
    feed.prices[AAPL] = 100
    feed.now = datetime(2013, 12, 30, 15, 0, tzinfo=UTC)
    keep(desk)
    feed.now = TUESDAY
    keep(desk)
    assert [row.era for row in stored(desk)] == [1, 2]
    assert worth(desk).session_open_equity == D(99_999)


def test_money_from_outside_is_neither_profit_nor_return(desk, feed):
    desk.fill("buy", 100, 200)
    feed.prices[AAPL] = 200
    keep(desk)
    desk.do(lambda ctx: contribute(ctx, desk.id, D(50_000), key="c"))
    desk.do(lambda ctx: withdraw(ctx, desk.id, D(1000), key="w"))
    feed.advance(minutes=1)
    keep(desk)
    assert worth(desk).day_pnl == -1
    done = desk.do(lambda ctx: performance(ctx, desk.id))
    assert done.total_return == D("-0.000010")
    feed.prices[AAPL] = 300
    done = desk.do(lambda ctx: performance(ctx, desk.id))
    assert done.total_return == D("0.067104")
    assert done.max_drawdown == D("-0.000010")


def test_performance_of_the_worked_account(desk, feed):
    desk.fill("buy", 100, 200)
    for price in (201,):
        feed.prices[AAPL] = price
        feed.advance(minutes=1)
        keep(desk)
    desk.fill("buy", 50, 206)
    feed.prices[AAPL] = D("196.34")
    feed.advance(minutes=1)
    keep(desk)
    desk.fill("sell", 120, 209)
    desk.fill("sell", 30, 190)
    by_fill = desk.do(lambda ctx: performance(ctx, desk.id, basis="fill"))
    assert (by_fill.closed.win_rate, by_fill.closed.profit_factor) == (D("0.5"), D("2.317100"))
    assert (by_fill.total_return, by_fill.realised) == (D("0.004760"), D("476.00"))
    trip = desk.do(lambda ctx: performance(ctx, desk.id))
    assert (trip.closed.trades, trip.closed.win_rate) == (1, 1)
    assert (trip.sharpe, trip.cagr) == (None, None)
    assert trip.flags == ("NO_LOSSES", "SHORT_HISTORY")
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        desk.do(lambda ctx: performance(ctx, desk.id, basis="day"))


def test_history_shows_closed_trades_and_leaves_out_reversed_ones(desk, feed):
    from services.ledger.book import reverse

    feed.prices[AAPL] = 200
    desk.fill("buy", 100, 200)
    desk.fill("sell", 10, 210)
    sale = desk.fill("sell", 10, 220)
    keep(desk)
    assert len(desk.do(lambda ctx: history(ctx, desk.id)).trades) == 2
    desk.do(lambda ctx: reverse(ctx, desk.id, sale.seq, key="u", effective_at=feed.now))
    told = desk.do(lambda ctx: history(ctx, desk.id))
    assert [trade.price for trade in told.trades] == [210]
    assert [point.kind for point in told.points] == ["start"]
    assert round_trips(told.trades) == []
    for limit in (0, 1001):
        with pytest.raises(Refusal, match="PARAM_INVALID"):
            desk.do(lambda ctx, n=limit: history(ctx, desk.id, limit=n))


def test_daily_ratios_come_from_twenty_closes_on(desk, feed):
    desk.fill("buy", 100, 200)
    days = sessions_between("XNYS", TUESDAY.date(), (TUESDAY + timedelta(days=32)).date())
    for number, session in enumerate(days):
        feed.prices[AAPL] = 200 + (number * 7) % 5
        feed.now = session.close - timedelta(minutes=1)
        keep(desk)
        feed.now = session.close
        keep(desk)
    done = desk.do(lambda ctx: performance(ctx, desk.id))
    assert len(days) >= 20
    assert done.sharpe is not None
    assert done.annual_volatility is not None
    assert "SHORT_HISTORY" not in done.flags


def test_returns_are_the_steps_between_levels():
    from services.ledger.performance_math import returns_of

    assert returns_of([D(1), D("1.1"), D("0.99")]) == [0.1, -0.1]
    assert returns_of([D(1), D(0), D(5)]) == [-1.0]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30))
def test_drawdown_of_the_running_course_is_the_drawdown_of_the_series(prices):
    from types import SimpleNamespace

    from services.ledger.performance_math import max_drawdown
    from services.ledger.valuation import grow

    row, start = None, D(100)
    for price in prices:
        course = grow(row, D(price), start if row is None else D(0))
        row = SimpleNamespace(
            growth=course.growth,
            peak_growth=course.peak,
            drawdown_max=course.drawdown_max,
            equity=D(price),
        )
    direct = max_drawdown([D(price) for price in prices], start=start)
    assert abs(course.drawdown_max - direct) < D("1e-9")
    assert abs(course.growth - D(prices[-1]) / 100) < D("1e-8")
