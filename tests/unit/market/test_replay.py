"""The replay feed: labelled, exact, of one piece, and never from the future."""

import itertools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market import replay
from services.market.bar import bar_hash, resample, validate_bars
from services.market.feed import Feed
from services.market.grid import TIMEFRAMES, load_grid
from services.market.history.bundle import History, load_history
from services.market.quote import Provenance
from services.market.replay_bars import daily_bars, intraday_bars, trades_between

OPEN = datetime(2012, 1, 3, 14, 30, tzinfo=UTC)


@pytest.fixture
def ask(runtime, owner):
    """Ask the feed something in a reading unit of work, the clock opened before."""
    runtime.write(owner, replay.resume_at_boot)
    feed = runtime.ports[Feed]
    return lambda question: runtime.read(owner, lambda ctx: question(feed, ctx))


@pytest.fixture
def move(runtime, owner):
    return lambda seconds: runtime.write(owner, lambda ctx: replay.step(ctx, seconds))


def bars(ask, symbol, timeframe, count, **more):
    return ask(lambda feed, ctx: feed.bars(ctx, symbol, timeframe, count, **more))


def test_a_quote_has_a_spread_a_time_and_a_label(ask):
    quote = ask(lambda feed, ctx: feed.quote(ctx, "aapl"))
    assert (quote.symbol, quote.instrument_id, quote.currency) == ("AAPL", "XNAS:AAPL", "USD")
    assert quote.ts == OPEN + timedelta(minutes=1)
    assert (quote.provenance, quote.source, quote.dataset) == (
        Provenance.SIMULATED,
        "replay",
        "simulated_intraday",
    )
    assert quote.bid < quote.ask
    assert quote.bid <= quote.last <= quote.ask
    assert quote.mid == (quote.bid + quote.ask) / 2
    assert Decimal(0) < quote.spread_pct < Decimal("0.001")
    assert min(quote.bid_size, quote.ask_size) >= 100


def test_a_symbol_may_be_an_instrument_id(ask):
    assert ask(lambda feed, ctx: feed.quote(ctx, "XNYS:IBM")) == ask(
        lambda feed, ctx: feed.quote(ctx, "ibm")
    )


def test_daily_bars_are_the_real_ones_and_say_replay(ask):
    series = bars(ask, "AAPL", "1d", 3)
    assert (series.provenance, series.source, series.dataset) == (
        Provenance.REPLAY,
        "replay",
        "wiki_daily",
    )
    assert [one.t_open.date().isoformat() for one in series.bars] == [
        "2011-12-28",
        "2011-12-29",
        "2011-12-30",
    ]
    row = load_history()["AAPL"].find_row(date(2011, 12, 30))
    last = series.bars[-1]
    assert (last.o, last.h, last.l, last.c, last.v) == (
        Decimal("403.51"),
        Decimal("406.28"),
        Decimal("403.49"),
        Decimal("405.00"),
        row.v,
    )
    assert series.bar_hash == bar_hash("XNAS:AAPL", "1d", series.bars)


def test_a_day_in_progress_comes_only_when_asked_for_and_says_simulated(ask):
    series = bars(ask, "AAPL", "1d", 2, include_partial=True)
    assert [one.complete for one in series.bars] == [True, False]
    assert series.provenance == Provenance.SIMULATED
    assert series.bars[-1].o == Decimal("409.40")
    assert all(one.complete for one in bars(ask, "AAPL", "1d", 50).bars)


def test_minute_bars_say_simulated_and_are_complete(ask):
    series = bars(ask, "MSFT", "1m", 1)
    assert (series.provenance, series.dataset) == (Provenance.SIMULATED, "simulated_intraday")
    assert series.bars[0].t_open == OPEN
    assert series.bars[0].t_close == series.as_of


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_every_timeframe_is_on_its_grid_and_never_ahead(ask, move, timeframe):
    move(23_400 * 2 + 3_733)
    series = bars(ask, "AAPL", timeframe, 30)
    assert len(series.bars) == 30
    assert all(one.complete and one.t_close <= series.as_of for one in series.bars)
    grid = load_grid("XNYS", timeframe, series.bars[0].t_open, series.bars[-1].t_open)
    validate_bars(series.bars, grid)
    partial = bars(ask, "AAPL", timeframe, 30, include_partial=True)
    assert partial.bars[-1].t_open <= series.as_of < partial.bars[-1].t_close
    assert not partial.bars[-1].complete
    assert partial.bars[:-1] == series.bars[1:]


@pytest.mark.parametrize("timeframe", ["5m", "15m", "30m", "60m", "240m", "1d"])
def test_coarser_bars_are_the_minutes_resampled(timeframe):
    history = load_history()["IBM"]
    as_of = datetime(2012, 7, 5, 13, 30, tzinfo=UTC)
    minutes = intraday_bars(history, as_of, 1, 600)
    direct = (
        daily_bars(history, as_of, 2)
        if timeframe == "1d"
        else intraday_bars(history, as_of, int(timeframe[:-1]), 500)
    )
    built = resample(minutes, calendar="XNYS", from_tf="1m", to_tf=timeframe)
    assert built == [bar for bar in direct if bar.t_open >= minutes[0].t_open]
    assert len(built) >= 2


@given(second=st.integers(60, 23_399), symbol=st.sampled_from(["AAPL", "GOOG", "IBM", "MSFT"]))
@hypothesis_settings(max_examples=60, deadline=None)
def test_quote_tape_and_minutes_agree_at_any_second(second, symbol):
    history = load_history()[symbol]
    as_of = OPEN + timedelta(seconds=second)
    tape = trades_between(history, OPEN - timedelta(seconds=1), as_of)
    day = daily_bars(history, as_of, 1, include_partial=True)[0]
    assert day.o == tape[0].price
    assert day.c == tape[-1].price
    assert day.h == max(trade.price for trade in tape)
    assert day.l == min(trade.price for trade in tape)
    assert day.v == sum(trade.size for trade in tape)
    minute = intraday_bars(history, as_of, 1, 1, include_partial=True)[0]
    inside = [trade for trade in tape if minute.t_open <= trade.ts < minute.t_close]
    assert (minute.o, minute.c) == (inside[0].price, inside[-1].price)
    assert minute.v == sum(trade.size for trade in inside)


def test_the_quote_is_the_last_trade_of_the_tape(ask, move):
    for seconds in (7, 61, 600, 23_400):
        state = move(seconds)
        quote = ask(lambda feed, ctx: feed.quote(ctx, "GOOG"))
        tape = ask(
            lambda feed, ctx, to=state.as_of: feed.tape(ctx, "GOOG", to - timedelta(minutes=2), to)
        )
        assert (quote.last, quote.bid, quote.ask) == (tape[-1].price, tape[-1].bid, tape[-1].ask)


@given(cuts=st.lists(st.integers(0, 86_400), min_size=1, max_size=4))
@hypothesis_settings(max_examples=12, deadline=None)
def test_pieces_of_the_tape_join_without_gap_or_double(cuts):
    history = load_history()["IBM"]
    marks = [
        OPEN,
        *(OPEN + timedelta(seconds=cut) for cut in sorted(cuts)),
        OPEN + timedelta(days=1, hours=1),
    ]
    whole = trades_between(history, marks[0], marks[-1])
    pieces = [
        trade
        for low, high in itertools.pairwise(marks)
        for trade in trades_between(history, low, high)
    ]
    assert pieces == whole
    assert all(before.ts < after.ts for before, after in itertools.pairwise(whole))


def test_nothing_later_than_the_clock_can_be_read(ask):
    far = OPEN + timedelta(days=300)
    as_of = ask(lambda feed, ctx: feed.as_of(ctx))
    tape = ask(lambda feed, ctx: feed.tape(ctx, "AAPL", OPEN - timedelta(days=1), far))
    assert tape
    assert max(trade.ts for trade in tape) <= as_of
    assert ask(lambda feed, ctx: feed.splits(ctx, "AAPL", OPEN, far)) == []
    for timeframe in TIMEFRAMES:
        for one in bars(ask, "AAPL", timeframe, 40, include_partial=True).bars:
            assert one.t_open <= as_of
            assert one.t_close <= as_of or not one.complete


def test_a_planted_future_changes_no_bar_of_today():
    real = load_history()["AAPL"]
    as_of = OPEN + timedelta(hours=2)
    at = real.until(date(2012, 1, 3))
    planted = tuple(
        row if n < at else type(row)(row.date, 1, 2, 1, 1, 9) for n, row in enumerate(real.rows)
    )
    other = History(real.instrument, planted, real.days)
    for minutes in (1, 60):
        assert intraday_bars(other, as_of, minutes, 300, include_partial=True) == intraday_bars(
            real, as_of, minutes, 300, include_partial=True
        )
    assert daily_bars(other, as_of, 300, include_partial=True) == daily_bars(
        real, as_of, 300, include_partial=True
    )
    assert trades_between(other, OPEN, as_of) == trades_between(real, OPEN, as_of)


def test_old_bars_are_adjusted_for_splits_and_quotes_are_not():
    history = load_history()["AAPL"]
    raw = history.find_row(date(2000, 6, 20))
    seen_before = daily_bars(history, datetime(2000, 6, 21, 13, 0, tzinfo=UTC), 1)[0]
    seen_after = daily_bars(history, datetime(2000, 6, 21, 13, 30, tzinfo=UTC), 1)[0]
    assert seen_before.c == Decimal("101.25")
    assert seen_before.v == raw.v
    assert seen_after.c == Decimal("50.625")
    assert seen_after.v == 2 * raw.v
    minutes = intraday_bars(history, datetime(2000, 6, 21, 13, 30, tzinfo=UTC), 60, 1)
    assert minutes[0].c == Decimal("50.625")
    tape = trades_between(
        history, datetime(2000, 6, 20, 19, 59, tzinfo=UTC), datetime(2000, 6, 20, 20, 0, tzinfo=UTC)
    )
    assert tape[-1].price == Decimal("101.25")


def test_adjusted_history_has_no_jump_at_a_split_and_keeps_the_fall_of_2000(ask):
    series = bars(ask, "AAPL", "1d", 5000)
    assert series.bars[0].t_open.date() == date(2000, 3, 1)
    assert series.bars[0].o == Decimal("29.64")
    jumps = [
        after.t_open.date().isoformat()
        for before, after in zip(series.bars, series.bars[1:], strict=False)
        if not Decimal("0.75") < after.o / before.c < Decimal("1.33")
    ]
    assert jumps == ["2000-09-29"]


def test_weeks_and_months_are_whole(ask, move):
    weeks = bars(ask, "AAPL", "1w", 3).bars
    assert [one.t_open.date().isoformat() for one in weeks] == [
        "2011-12-12",
        "2011-12-19",
        "2011-12-27",
    ]
    assert [one.t_open.date().isoformat() for one in bars(ask, "AAPL", "1mo", 2).bars] == [
        "2011-11-01",
        "2011-12-01",
    ]


def test_an_instrument_exists_from_its_first_session_on(ask, move):
    def names():
        return [one.symbol for one in ask(lambda feed, ctx: feed.instruments(ctx))]

    assert names() == ["AAPL", "GOOG", "IBM", "MSFT"]
    with pytest.raises(Refusal) as told:
        ask(lambda feed, ctx: feed.quote(ctx, "FB"))
    assert told.value.code == "SYMBOL_UNKNOWN"
    assert "2012-05-18" in told.value.hint
    for _ in range(19):
        move(23_400 * 5)
    assert "FB" in names()
    assert bars(ask, "FB", "1d", 10).bars == ()
    assert ask(lambda feed, ctx: feed.quote(ctx, "FB")).last > 38


def test_an_unknown_symbol_names_its_neighbours(ask):
    with pytest.raises(Refusal) as told:
        ask(lambda feed, ctx: feed.quote(ctx, "APPL"))
    assert told.value.code == "SYMBOL_UNKNOWN"
    assert told.value.facts["nearest"] == ["AAPL", "GOOG", "IBM"]
    assert "AAPL" in told.value.hint
    with pytest.raises(Refusal, match="SYMBOL_UNKNOWN"):
        ask(lambda feed, ctx: feed.quote(ctx, "XNYS:AAPL"))


@pytest.mark.parametrize("count", [0, -1, 5001, True, 1.0, "5", None])
def test_a_count_out_of_range_is_refused(ask, count):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        bars(ask, "AAPL", "1d", count)


@pytest.mark.parametrize("timeframe", ["2m", "1h", "", "1D", "1d "])
def test_an_unknown_timeframe_is_refused(ask, timeframe):
    with pytest.raises(Refusal, match="TIMEFRAME_UNSUPPORTED") as told:
        bars(ask, "AAPL", timeframe, 5)
    assert told.value.facts["to"] == timeframe


def test_the_feed_says_that_it_is_on_and_replays(runtime):
    found = runtime.ports[Feed].capability()
    assert found.on
    assert "replayed" in found.why


def test_intraday_bars_reach_back_a_year_of_sessions_at_most():
    found = intraday_bars(load_history()["IBM"], OPEN, 240, 5000)
    assert len({bar.t_open.date() for bar in found}) == 249
