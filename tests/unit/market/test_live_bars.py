"""Minute bars of a stream: any order of arrival, any repeat, and the provider's bar on top."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.market.bar import Bar
from services.market.indicator import atr, ema
from services.market.live_bars import BARS_MAX, LATE_S, MinuteBars
from services.market.live_indicator import fold_session
from services.market.stream_frame import StreamBar, StreamTrade
from services.market.vwap import VolumeBar, vwap

OPEN = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
END = OPEN + 4 * MINUTE
LATEST = OPEN + MINUTE + timedelta(seconds=LATE_S)

cents = st.integers(1, 10**7).map(lambda number: Decimal(number).scaleb(-2))


def made_trades(until_ms):
    return st.builds(_trade_at, st.integers(0, until_ms - 1), cents, st.integers(1, 9999), seqs)


seqs = st.integers(1, 10**6)


def _trade_at(at, price, size, seq):
    at = OPEN + timedelta(milliseconds=at)
    return StreamTrade("AAPL", price, Decimal(size), at, (), seq, f"4:{seq}")


trades, early_trades = made_trades(3 * 60_000), made_trades(2 * 60_000)


def trade(second, price, seq, size=1):
    at = OPEN + timedelta(seconds=second)
    return StreamTrade("AAPL", Decimal(price), Decimal(size), at, (), seq, f"4:{seq}")


def official(minute, close, volume=100):
    opens = OPEN + minute * MINUTE
    c = Decimal(close)
    return StreamBar(
        symbol="AAPL", t_open=opens, t_close=opens + MINUTE, o=c, h=c, l=c, c=c, v=Decimal(volume)
    )


def bars_of(ticks, until=END, seen_at=OPEN):
    made = MinuteBars()
    for tick in ticks:
        made.add_trade(tick, seen_at)
    made.finish(until)
    return made.newest()


def plain_bars(ticks):
    """The definition: the sorted trades of each minute, each once."""
    once = sorted({(t.ts, t.seq, t.key): t for t in ticks}.items())
    by_minute = {}
    for _, tick in once:
        by_minute.setdefault(tick.ts.replace(second=0, microsecond=0), []).append(tick)
    return tuple(
        Bar(
            t_open=opens,
            t_close=opens + MINUTE,
            o=ticks[0].price,
            h=max(t.price for t in ticks),
            l=min(t.price for t in ticks),
            c=ticks[-1].price,
            v=sum((t.size for t in ticks), Decimal(0)),
            vw=sum(t.price * t.size for t in ticks) / sum(t.size for t in ticks),
            n=len(ticks),
        )
        for opens, ticks in by_minute.items()
    )


@pytest.mark.fault("F024")
@given(st.lists(trades, max_size=40, unique_by=lambda t: t.seq), st.data())
def test_shuffled_and_repeated_trades_give_the_bars_of_the_sorted_feed(ticks, data):
    repeats = data.draw(st.lists(st.sampled_from(ticks), max_size=10)) if ticks else []
    arrived = data.draw(st.permutations(ticks + repeats))
    assert bars_of(arrived) == plain_bars(ticks)


@pytest.mark.fault("F024")
@given(st.lists(early_trades, min_size=1, max_size=30, unique_by=lambda t: t.seq), st.data())
def test_a_trade_that_comes_after_its_minute_closed_amends_the_bar(ticks, data):
    late = data.draw(st.lists(st.sampled_from(ticks), unique_by=lambda t: t.seq))
    made = MinuteBars()
    for tick in ticks:
        if tick not in late:
            made.add_trade(tick, OPEN)
    made.finish(LATEST)
    for tick in late:
        made.add_trade(tick, LATEST)
    made.finish(LATEST)
    assert made.newest() == plain_bars(ticks)


def test_a_trade_later_than_two_minutes_is_left_to_the_provider():
    made = MinuteBars()
    made.add_trade(trade(0, 10, 1), OPEN)
    made.finish(OPEN + MINUTE + timedelta(seconds=LATE_S + 1))
    before = made.newest()
    assert made.add_trade(trade(1, 99, 2), OPEN + MINUTE + timedelta(seconds=LATE_S + 1)) is False
    assert made.newest() == before


def test_a_minute_is_complete_two_seconds_after_its_close():
    due = OPEN + MINUTE + timedelta(seconds=2)
    assert bars_of([trade(0, 10, 1)], due - timedelta(microseconds=1)) == ()
    assert len(bars_of([trade(0, 10, 1)], due)) == 1


@pytest.mark.parametrize("provider_first", [True, False])
def test_the_bar_of_the_provider_wins_over_the_built_one(provider_first):
    made = MinuteBars()
    if provider_first:
        made.add_bar(official(0, "11"))
    made.add_trade(trade(0, 10, 1), OPEN)
    made.finish(END)
    made.add_bar(official(0, "11"))
    made.add_trade(trade(2, 12, 2), OPEN)
    made.finish(END)
    assert [(bar.c, bar.v) for bar in made.newest()] == [(11, 100)]


def test_a_minute_with_a_gap_in_its_trades_is_not_built():
    made = MinuteBars()
    made.add_trade(trade(10, 10, 1), OPEN)
    made.sound_from = OPEN + timedelta(seconds=30)
    made.add_trade(trade(40, 11, 2), OPEN)
    made.add_trade(trade(61, 12, 3), OPEN)
    made.finish(END)
    assert [bar.t_open for bar in made.newest()] == [OPEN + MINUTE]


@pytest.mark.parametrize(
    "at", [OPEN - MINUTE, OPEN + 390 * MINUTE, datetime(1901, 1, 5, tzinfo=UTC)]
)
def test_early_late_and_impossible_hours_have_no_bar(at):
    made = MinuteBars()
    assert made.add_trade(replace(trade(0, 10, 1), ts=at), OPEN) is False
    assert made.add_bar(replace(official(0, 1), t_open=at, t_close=at + MINUTE)) is False


def test_a_half_day_ends_at_its_early_close():
    made = MinuteBars()
    close = datetime(2025, 11, 28, 18, 0, tzinfo=UTC)
    bar = official(0, 1)
    assert made.add_bar(replace(bar, t_open=close - MINUTE, t_close=close)) is True
    assert made.add_bar(replace(bar, t_open=close, t_close=close + MINUTE)) is False


def test_seconds_and_bars_off_the_minute_are_not_kept():
    made, bar = MinuteBars(), official(0, 1)
    shifted = bar.t_open + timedelta(seconds=7)
    assert made.add_bar(replace(bar, span="second")) is False
    assert made.add_bar(replace(bar, t_open=shifted, t_close=shifted + MINUTE)) is False


def test_only_the_newest_session_length_is_kept():
    made, next_open = MinuteBars(), datetime(2026, 3, 10, 13, 30, tzinfo=UTC)
    for minute in range(390):
        made.add_bar(official(minute, 1 + minute))
    for minute in range(10):
        opens = next_open + minute * MINUTE
        made.add_bar(replace(official(0, 5), t_open=opens, t_close=opens + MINUTE))
    kept = made.newest()
    assert len(kept) == BARS_MAX
    assert (kept[0].t_open, kept[-1].t_open) == (OPEN + 10 * MINUTE, next_open + 9 * MINUTE)
    assert len(made.newest(3)) == 3
    assert made.indicators().bars == 10


def bars_from(numbers):
    """One bar a number, ascending with holes; its digits are the prices and the volume."""
    made = []
    for at, number in enumerate(numbers):
        rest, hole = divmod(number, 6)
        rest, up = divmod(rest, 97)
        rest, down = divmod(rest, 97)
        rest, volume = divmod(rest, 1009)
        rest, has_vw = divmod(rest, 2)
        o = Decimal(rest % 10**6 + 200).scaleb(-2)
        high, low = o + Decimal(up).scaleb(-2), o - Decimal(down).scaleb(-2)
        opens = OPEN + (at * 6 + hole) * MINUTE
        made.append(
            StreamBar(
                symbol="AAPL",
                t_open=opens,
                t_close=opens + MINUTE,
                o=o,
                h=high,
                l=low,
                c=high if number % 2 else low,
                v=Decimal(volume),
                vw=o if has_vw else None,
            )
        )
    return made


numbers = st.integers(0, 2**60)


@settings(max_examples=30)
@given(st.lists(numbers, min_size=25, max_size=60).map(bars_from))
def test_indicators_folded_live_equal_the_whole_series_bit_for_bit(bars):
    made = MinuteBars()
    for bar in bars:
        made.add_bar(bar)
        made.indicators()
    kept = made.newest()
    closes = [float(bar.c) for bar in kept]
    highs, lows = [float(bar.h) for bar in kept], [float(bar.l) for bar in kept]
    found = made.indicators()
    assert found.bars == len(kept) == len(bars)
    assert found.ema_fast == ema(closes, 9).last
    assert found.ema_slow == ema(closes, 21).last
    assert (found.atr or None) == atr(highs, lows, closes, 14).last
    priced = [
        VolumeBar(float(b.h), float(b.l), float(b.c), float(b.v), b.vw and float(b.vw))
        for b in kept
    ]
    assert found.vwap == vwap(priced).value


@given(st.lists(numbers, max_size=40).map(bars_from), st.data())
def test_corrected_and_late_bars_leave_the_same_indicators_as_a_fresh_fold(bars, data):
    made = MinuteBars()
    again = data.draw(st.lists(st.sampled_from(bars), max_size=8)) if bars else []
    for bar in [*bars, *(replace(bar, v=bar.v + 1) for bar in again)]:
        made.add_bar(bar)
    assert made.indicators() == fold_session(made.newest()).value


def test_without_bars_there_are_no_indicators():
    empty = MinuteBars().indicators()
    assert (empty.bars, empty.ema_fast, empty.atr, empty.vwap) == (0, None, None, None)
