"""A track's columns are what its definitions give, folded bar by bar, and safe to read at once."""

import math
import random
import threading
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest

from services.kit.errors import InvariantBroken
from services.market.bar import resample
from services.market.indicator import Adx, Atr, Ema, Rsi
from services.market.level import opening_range, swings
from services.market.realised_volatility import realised_volatility, volatility_percentile
from services.market.session import sessions_between
from services.market.vwap import VolumeBar, Vwap
from services.strategy.track import EMA_LENGTHS, Track
from tests.unit.strategy.market_days import CALENDAR, walk

FIRST, LAST = date(2024, 6, 10), date(2024, 7, 12)
"""Five weeks with a half day, 3 July, and a holiday."""


@cache
def bars_of(timeframe):
    fine = walk(7, FIRST, LAST)
    for at in range(0, len(fine), 7):
        fine[at] = replace(fine[at], vw=(fine[at].h + fine[at].l) / 2)
    for at in range(0, 400, 5):
        fine[at] = replace(fine[at], v=Decimal(0))
    if timeframe == "5m":
        return fine
    if timeframe == "1d":
        return walk(8, date(2022, 1, 3), LAST, minutes=390)
    return resample(fine, calendar=CALENDAR, from_tf="5m", to_tf=timeframe)


def floats(bars, letter):
    return [float(getattr(bar, letter)) for bar in bars]


def in_pieces(timeframe, seed):
    """A track whose bars came in pieces of random size, read at random in between."""
    source, rest = random.Random(seed), list(bars_of(timeframe))
    track = Track(timeframe, CALENDAR)
    names = ["atr", "rsi", "adx", "swings", "c", "v"]
    while rest:
        size = source.choice((1, 1, 2, 30, 200))
        track.extend(rest[:size])
        del rest[:size]
        for name in source.sample(names, 2):
            assert len(getattr(track, name)) <= len(track)
        track.emas[source.choice(EMA_LENGTHS)]
        if track.minutes is not None:
            at = source.randrange(len(track))
            assert track.first_of_session[at] <= at
    return track


@pytest.mark.parametrize("timeframe", ["5m", "15m", "60m", "1d"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_indicator_is_the_push_of_each_bar(timeframe, seed):
    track, bars = in_pieces(timeframe, seed), bars_of(timeframe)
    columns = {letter: floats(bars, letter) for letter in "hlcv"}
    for letter, values in columns.items():
        assert getattr(track, letter) == values
    closes, ranges = columns["c"], list(zip(columns["h"], columns["l"], columns["c"], strict=True))
    for n in EMA_LENGTHS:
        state = Ema(n)
        assert track.emas[n] == [state.push(close) for close in closes]
    state = Rsi(14)
    assert track.rsi == [state.push(close) for close in closes]
    state = Atr(14)
    assert track.atr == [state.push(*row) for row in ranges]
    state = Adx(14)
    assert track.adx == [state.push(*row) for row in ranges]
    k = 5 if timeframe == "1d" else 3
    assert tuple(track.swings) == swings(columns["h"], columns["l"], k)


@pytest.mark.parametrize("timeframe", ["5m", "15m", "60m"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_session_value_is_that_of_its_session_alone(timeframe, seed):
    track, bars = in_pieces(timeframe, seed), bars_of(timeframe)
    at, whole_days = 0, []
    for session in sessions_between(CALENDAR, FIRST, LAST):
        first, state, total, seen = at, Vwap(), 0.0, []
        while at < len(bars) and bars[at].t_open < session.close:
            bar = bars[at]
            high, low, close, v = (float(getattr(bar, name)) for name in "hlcv")
            own = None if bar.vw is None else float(bar.vw)
            assert track.vwap[at] == state.push(VolumeBar(high, low, close, v, own))
            assert track.sigma[at] == state.sigma
            assert track.first_of_session[at] == first
            total += v
            minute = (bar.t_close - session.open) // timedelta(minutes=1)
            seen.append((minute, total))
            assert track.rvol_tod[at] == usual(whole_days[-20:], minute, total)
            at += 1
        assert ranges_of(track, bars, first, at) == ranges_by_rule(session, bars[first:at])
        if not session.half_day:
            whole_days.append(seen)
    assert at == len(bars)


def usual(days, minute, total):
    """Relative volume by the minute, from the (minute, volume so far) of each day before."""
    if len(days) < 5:
        return None
    sums = 0.0
    for day in days:
        sums += max((volume for closed, volume in day if closed <= minute), default=0.0)
    mean = sums / len(days)
    return total / mean if mean else None


def ranges_of(track, bars, first, end):
    return [track.opening_range[at] for at in range(first, end)]


def ranges_by_rule(session, bars):
    if not bars:
        return []
    step = (bars[0].t_close - bars[0].t_open) // timedelta(minutes=1)
    over = session.open + timedelta(minutes=15)
    if step > 15:
        whole = (float(bars[0].h), float(bars[0].l))
        return [whole for _ in bars]
    made = opening_range(session.open, bars, minutes=15, bar_minutes=step, as_of=over)
    known = (float(made.high), float(made.low))
    return [known if bar.t_close >= over else None for bar in bars]


def test_the_volatility_rank_is_that_of_each_value_made_alone():
    track, closes = Track("1d", CALENDAR, bars_of("1d")), floats(bars_of("1d"), "c")
    alone = [realised_volatility(closes[: at + 1], 20) for at in range(20, len(closes))]
    assert track.volatility_rank(271) is None
    for count in (272, 273, 400, len(closes), 300):
        assert track.volatility_rank(count) == volatility_percentile(alone[: count - 20])


def test_a_bar_out_of_order_or_in_progress_is_a_bug_and_leaves_the_track():
    first, second, third = bars_of("5m")[:3]
    track = Track("5m", CALENDAR, [first, second])
    for wrong in ([second], [first], [third, second], [replace(third, complete=False)]):
        with pytest.raises(InvariantBroken):
            track.extend(wrong)
    assert track.bars == [first, second]


def test_a_bar_that_no_vwap_can_take_is_refused_when_it_is_read():
    from services.kit.errors import Refusal

    first, second = bars_of("5m")[:2]
    track = Track("5m", CALENDAR, [first, replace(second, vw=Decimal(-1))])
    with pytest.raises(Refusal, match="above 0"):
        track.vwap[1]


def test_readers_at_once_get_the_same_columns_while_bars_come_in():
    """Tracks are shared by the threads of the product; one extends while the others read."""
    bars = bars_of("5m")
    whole = Track("5m", CALENDAR, bars)
    expected = {name: list(getattr(whole, name)) for name in ("c", "atr", "rsi", "adx")}
    expected["ema"], expected["swings"] = list(whole.emas[20]), list(whole.swings)
    expected["vwap"] = list(whole.vwap)
    track, wrong = Track("5m", CALENDAR, bars[:50]), []
    began = threading.Barrier(5)

    def read(seed):
        source = random.Random(seed)
        began.wait(30)
        while True:
            count = len(track)
            name = source.choice(list(expected))
            values = track.emas[20] if name == "ema" else getattr(track, name)
            if name == "vwap":
                at = source.randrange(count)
                if values[at] != expected[name][at]:
                    wrong.append((name, at))
            elif name == "swings":
                if values[:10] != expected[name][: len(values[:10])]:
                    wrong.append(name)
            elif values[:count] != expected[name][:count]:
                wrong.append((name, count))
            if count == len(bars):
                return

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for one in readers:
        one.start()
    began.wait(30)
    for at in range(50, len(bars), 3):
        track.extend(bars[at : at + 3])
    for one in readers:
        one.join(60)
    assert wrong == []
    assert all(math.isfinite(value) for value in track.c)
    assert track.swings == expected["swings"]
