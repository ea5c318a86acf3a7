"""Which bars of a series are shown: another unit never, a jump when the course went with it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - rows of numbers read better short

import pytest

from services.market.bar import Bar
from services.market.feed import LeftOut
from services.market.quality_window import Window
from services.market.shown_bars import left_out_words
from services.market.true_bars import sift
from tests.fakes.hand_feed import listed

OPEN = datetime(2027, 1, 12, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AAPL = listed("AAPL")


def minute(at, close, **edges):
    price = D(str(close))
    bar = Bar(
        t_open=OPEN + at * MINUTE,
        t_close=OPEN + (at + 1) * MINUTE,
        o=price,
        h=price,
        l=price,
        c=price,
        v=D(100),
    )
    return replace(bar, **{name: D(str(value)) for name, value in edges.items()})


def sifted(closes, **more):
    bars = [minute(at, close) for at, close in enumerate(closes)]
    found = sift(bars, instrument=AAPL, timeframe="1m", **more)
    return [bars.index(one.bar) for one in found.bad], [one.fault.code for one in found.bad]


@pytest.mark.fault("F019")
@pytest.mark.parametrize(
    ("closes", "bad"),
    [
        ([190, 19000, 190.1, 190.2, 190.1], [1]),
        ([19000, 190, 190.1, 190.2, 190.1], [0]),
        ([190, 190.1, 190.2, 190.1, 1.9], [4]),
        ([190, 190.1, 190.2, 19020, 19010, 19030, 19020], [3, 4, 5, 6]),
    ],
    ids=["one in the middle", "the first", "the last", "from one bar on"],
)
def test_bars_in_another_unit_are_left_out(closes, bad):
    assert sifted(closes) == (bad, ["DQ_SCALE_SUSPECT"] * len(bad))


@pytest.mark.parametrize(
    ("closes", "bad"),
    [
        ([190, 190, 190, 230, 190, 190, 190], [3]),
        ([190, 190, 190, 230, 231, 229, 230], []),
        ([190, 190, 190, 230, 222, 215, 218], []),
        ([190, 190, 190, 230], [3]),
        ([190, 190, 190, 193, 196, 199, 202], []),
    ],
    ids=["it came back", "it stayed", "it gave a part back", "nothing after it", "small steps"],
)
def test_a_jump_is_shown_when_the_course_went_with_it(closes, bad):
    assert sifted(closes) == (bad, ["DQ_JUMP"] * len(bad))


@pytest.mark.parametrize(("price", "bad"), [("229.5", []), ("190", [3]), (None, [3])])
def test_a_jump_at_the_end_needs_the_price_of_the_moment(price, bad):
    second = None if price is None else D(price)
    assert sifted([190, 190, 190, 230], second=lambda: second)[0] == bad


def test_the_price_that_the_gate_believed_disowns_a_series_in_another_unit():
    known = Window(last=D(190), last_ts=OPEN + 2 * MINUTE)
    assert sifted([19000] * 4, known=known)[0] == [0, 1, 2, 3]
    assert sifted([19000], known=Window(last=D(190), last_ts=OPEN - MINUTE))[0] == [0]
    assert sifted([19000])[0] == []


@pytest.mark.parametrize(
    ("edges", "code"),
    [
        ({"c": "NaN"}, "DQ_NONFINITE"),
        ({"l": 0}, "DQ_BAR_SANITY"),
        ({"h": 19000}, "DQ_BAR_SANITY"),
        ({"l": 1.9}, "DQ_BAR_SANITY"),
        ({"h": 240}, "DQ_BAR_SANITY"),
        ({"h": 189}, "DQ_BAR_SANITY"),
        ({"v": -1}, "DQ_BAR_SANITY"),
    ],
)
def test_a_bar_with_impossible_edges_is_left_out_and_its_neighbours_stay(edges, code):
    bars = [minute(0, 190), minute(1, 190, **edges), minute(2, 190)]
    found = sift(bars, instrument=AAPL, timeframe="1m")
    assert [one.fault.code for one in found.bad] == [code]
    assert found.good == (bars[0], bars[2])


def test_what_is_left_out_is_said_with_time_and_code():
    one = LeftOut(OPEN, "DQ_SCALE_SUSPECT", "100 times the reference price")
    assert left_out_words(()) == ""
    assert left_out_words([one]) == (
        "1 bar that can not be true is left out: 2027-01-12T14:30:00.000Z (DQ_SCALE_SUSPECT)."
    )
    assert left_out_words([one] * 5).endswith(" and 2 earlier.")
