"""What became of a suggestion: every end, in R of the suggestion, with nothing flattered."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.bar import Bar
from services.research.settle import ENTERED, NO_TRADE, Suggested, settle

T0 = datetime(2024, 6, 3, 13, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bars(*rows):
    return [
        Bar(
            t_open=T0 + n * HOUR,
            t_close=T0 + (n + 1) * HOUR,
            o=D(str(o)),
            h=D(str(h)),
            l=D(str(low)),
            c=D(str(c)),
            v=D(1),
        )
        for n, (o, h, low, c) in enumerate(rows)
    ]


def asked(**given):
    fields = {
        "side": "long",
        "entry_kind": "market",
        "entry": None,
        "worst": D(100),
        "stop": D(98),
        "target": D(102),
        "entry_until": T0 + 2 * HOUR,
        "ends_at": T0 + 4 * HOUR,
    }
    return Suggested(**{**fields, **given})


STOP_ENTRY = {"entry_kind": "stop", "entry": D("99.5")}
QUIET = (100, "100.5", "99.5", 100)


@pytest.mark.parametrize(
    ("terms", "rows", "state", "r"),
    [
        ({}, [(100, 102, "99.5", 101)], "target", 1),
        ({}, [(100, 101, 98, 99)], "stop", -1),
        ({}, [(100, 103, 97, 99)], "stop", -1),
        ({}, [QUIET, (97, 97, 96, 96)], "stop", "-1.5"),
        ({}, [QUIET, QUIET, QUIET, (100, 101, 99, 101)], "time", "0.5"),
        ({}, [QUIET], "open", None),
        ({}, [], "waiting", None),
        (STOP_ENTRY, [(99, "99.4", "98.5", 99)], "waiting", None),
        (STOP_ENTRY, [(99, "99.4", "98.5", 99)] * 2, "unfilled", None),
        (STOP_ENTRY, [(99, 102, 99, 101)], "target", 1),
        (STOP_ENTRY, [("101.5", 102, 101, 101)], "gapped", None),
        (STOP_ENTRY, [("100.8", 102, "100.5", 101)], "target", 1),
        ({}, [(98, 99, 97, 98)], "through_stop", None),
        (
            {**STOP_ENTRY, "invalid_at": D("98.8")},
            [(99, "99.3", "98.2", "98.5"), (99, 102, 99, 101)],
            "invalidated",
            None,
        ),
        ({"side": "short", "stop": D(102), "target": D(98)}, [(100, "100.5", 98, 99)], "target", 1),
    ],
)
def test_every_end_has_its_state_and_its_r(terms, rows, state, r):
    found = settle(asked(**terms), bars(*rows))
    assert found.state == state
    assert found.r == (None if r is None else D(str(r)))


def test_a_better_fill_does_not_flatter_the_record():
    found = settle(
        asked(entry_kind="limit", entry=D(100)),
        bars((99, "100.9", 99, 100), *[(100, 100, 99, 100)] * 3),
    )
    assert (found.state, found.entry) == ("time", 99)
    assert found.mfe_free_r == D("0.45")


def test_the_run_without_a_target_goes_on_after_it():
    rows = [(100, 102, "99.5", 101), (101, 105, 101, 104), QUIET, (100, 101, 99, 101)]
    early, late = settle(asked(), bars(*rows[:2])), settle(asked(), bars(*rows))
    assert (early.state, early.free_ended) == ("target", False)
    assert (late.state, late.free_ended, late.mfe_free_r) == ("target", True, D("2.5"))


def test_stop_and_target_in_one_bar_are_told():
    assert settle(asked(), bars((100, 103, 97, 99))).ambiguous


PRICES = st.tuples(*[st.integers(95, 105)] * 4).map(
    lambda four: (four[0], max(four), min(four), four[3])
)


@given(st.lists(PRICES, min_size=1, max_size=6), st.integers(0, 6))
def test_an_end_is_never_taken_back_by_later_bars(rows, cut):
    made = bars(*rows)
    early, late = settle(asked(), made[:cut]), settle(asked(), made)
    if early.state in (*ENTERED, *NO_TRADE):
        assert (late.state, late.r, late.ended_at) == (early.state, early.r, early.ended_at)


def test_an_open_beyond_the_target_in_the_bar_of_the_stop_was_surely_reached():
    found = settle(asked(), bars((100, 100, 100, 100), (103, 103, 95, 95), *[(95, 95, 95, 95)] * 2))
    assert (found.state, found.r, found.mfe_free_r) == ("target", D("1.5"), D("1.5"))


@given(st.lists(PRICES, min_size=4, max_size=6))
def test_a_target_at_x_is_a_free_run_that_reached_x(rows):
    found = settle(asked(), bars(*rows))
    if found.state in ENTERED and found.free_ended:
        assert (found.state == "target") == (found.mfe_free_r >= 1)
