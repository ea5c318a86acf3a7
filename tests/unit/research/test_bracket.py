"""What happens to an entry with a stop and a target inside bars."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.research.bracket import Bracket, BracketOrder, Ohlc, bounds, run_bracket

FIRST = (100, 101, 99, "100.5")


def run(*bars: tuple, side: str = "long", kind: str = "market", **terms: object) -> Bracket:
    given = {"stop": "98", "target": "103"} | terms
    whole = {
        name: value if isinstance(value, (int, bool)) else D(str(value))
        for name, value in given.items()
    }
    order = BracketOrder(side=side, entry_kind=kind, **whole)
    return run_bracket(order, [Ohlc(*(D(str(x)) for x in bar)) for bar in bars])


@pytest.mark.parametrize(
    ("bars", "terms", "reason", "exit_price", "r", "ambiguous"),
    [
        ([(100, 104, 97, 102)], {}, "stop", "98", "-1", True),
        ([(100, 102, 97, 102)], {}, "stop", "98", "-1", False),
        ([FIRST, ("100.5", "103.4", 100, 103)], {}, "target", "103", "1.5", False),
        ([FIRST, ("96.5", 97, 95, 96)], {}, "stop_gap", "96.5", "-1.75", False),
        ([FIRST, (104, 105, "103.5", "104.5")], {}, "target_gap", "104", "2", False),
        ([FIRST, (98, 99, 97, 98)], {}, "stop", "98", "-1", False),
        (
            [FIRST, (101, 102, 100, "101.5")],
            {"target": "106", "time_stop_bars": 2},
            "time",
            "101.5",
            "0.75",
            False,
        ),
        (
            [("98.5", 100, "98.2", "99.8"), (100, "103.5", "99.5", 103)],
            {"kind": "limit", "entry_price": "99", "stop": "97"},
            "target",
            "103",
            "3",
            False,
        ),
        (
            [(100, 101, "96.5", 100)],
            {"kind": "limit", "entry_price": "99", "stop": "97"},
            "stop",
            "97",
            "-1",
            True,
        ),
        (
            [(100, 104, "98.5", 103), (100, 103, 99, 103)],
            {"kind": "limit", "entry_price": "99", "stop": "97"},
            "target",
            "103",
            "2",
            False,
        ),
        (
            [(99, 104, "98.5", 103)],
            {"kind": "stop", "entry_price": "100"},
            "target",
            "103",
            "1.5",
            False,
        ),
        (
            [(101, 102, "98.5", 99), (99, 99, 97, 98)],
            {"kind": "stop", "entry_price": "100"},
            "stop",
            "98",
            "-1",
            False,
        ),
    ],
)
def test_how_a_long_ends(bars, terms, reason, exit_price, r, ambiguous):
    found = run(*bars, **terms)
    assert (found.status, found.reason, found.exit) == ("closed", reason, D(exit_price))
    assert (found.r, found.ambiguous) == (D(r), ambiguous)


def test_a_short_stop_entry_stopped_in_its_own_bar_is_ambiguous():
    found = run(
        (100, "101.2", 99, "100.4"),
        side="short",
        kind="stop",
        entry_price="99.5",
        stop="101",
        target="97",
    )
    assert (found.reason, found.r, found.ambiguous) == ("stop", D(-1), True)


def test_an_open_through_the_stop_is_no_trade():
    found = run((97, 99, 96, 98), kind="limit", entry_price="99", stop="97.5")
    assert (found.status, found.entry_bar, found.r) == ("rejected", 0, None)


def test_equality_does_not_fill_a_limit_unless_asked():
    bar = (100, 101, 99, 100)
    assert run(bar, kind="limit", entry_price="99", stop="97").status == "unfilled"
    assert run(bar, kind="limit", entry_price="99", stop="97", touch=True).status == "open"


def test_excursions_leave_out_what_may_have_come_after_the_exit():
    target = run(FIRST, ("100.5", "105", "98.4", 103))
    assert (target.mfe_r, target.mae_r) == (D("1.5"), D("-0.8"))
    stop = run(FIRST, ("100.5", "102.5", "97.5", 98))
    assert (stop.mfe_r, stop.mae_r) == (D("0.5"), D(-1))


@pytest.mark.parametrize(
    "terms",
    [
        {"target": "97"},
        {"target": "98"},
        {"kind": "stop"},
        {"entry_price": "99"},
        {"time_stop_bars": 0},
    ],
)
def test_a_bracket_that_makes_no_sense_is_refused(terms):
    with pytest.raises(Refusal) as caught:
        run((100, 101, 99, 100), **terms)
    assert caught.value.code == "PARAM_INVALID"


PRICES = st.integers(90, 110).map(D)
BARS = st.lists(
    st.tuples(PRICES, PRICES, PRICES, PRICES).map(lambda x: Ohlc(x[0], max(x), min(x), x[3])),
    max_size=12,
)


@given(
    BARS,
    st.sampled_from(["market", "stop", "limit"]),
    st.integers(95, 105).map(D),
    st.integers(1, 5),
)
def test_a_mirrored_market_gives_the_same_r(bars, kind, entry, time_stop):
    price = None if kind == "market" else entry
    long = BracketOrder(
        side="long",
        entry_kind=kind,
        stop=D(94),
        target=D(108),
        entry_price=price,
        time_stop_bars=time_stop,
    )
    short = BracketOrder(
        side="short",
        entry_kind=kind,
        stop=D(106),
        target=D(92),
        entry_price=None if price is None else 200 - price,
        time_stop_bars=time_stop,
    )
    mirrored = [Ohlc(200 - bar.o, 200 - bar.l, 200 - bar.h, 200 - bar.c) for bar in bars]
    one, other = run_bracket(long, bars), run_bracket(short, mirrored)
    assert (one.status, one.reason, one.r, one.mfe_r, one.mae_r, one.ambiguous) == (
        other.status,
        other.reason,
        other.r,
        other.mfe_r,
        other.mae_r,
        other.ambiguous,
    )
    if one.status == "closed":
        assert one.mae_r <= one.r <= one.mfe_r


@given(BARS, st.integers(0, 12))
def test_later_bars_never_change_a_closed_trade(bars, end):
    order = BracketOrder(side="long", entry_kind="market", stop=D(94), target=D(108))
    early = run_bracket(order, bars[:end])
    if early.status == "closed":
        assert run_bracket(order, bars) == early


def test_both_bounds_of_ambiguous_trades():
    doubtful, plain = run((100, 104, 97, 102)), run(FIRST, ("100.5", "103.4", 100, 103))
    assert bounds([doubtful, plain], target_r=[D("1.5"), D("1.5")]) == (D("0.5"), D("3.0"))
