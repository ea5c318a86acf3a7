"""The order of candidates, and the hard filters before any setup."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.policy import PickPolicy
from services.market.bar import Bar
from services.market.fetching import Unfetched
from services.research.each_symbol import each_symbol
from services.research.rank import drawdown, failed_filter, in_order, turnover
from tests.fakes.hand_feed import listed

DAY = datetime(2027, 1, 4, 14, 30, tzinfo=UTC)
POLICY = PickPolicy()


@dataclass(frozen=True)
class One:
    symbol: str
    score: D | None
    edge: D | None = None


def day(at: int, close: str = "10", volume: str = "3000000", high: str = "10.5") -> Bar:
    opened = DAY + timedelta(days=at)
    return Bar(
        t_open=opened,
        t_close=opened + timedelta(hours=6),
        o=D(close),
        h=max(D(high), D(close)),
        l=D(close),
        c=D(close),
        v=D(volume),
    )


def test_candidates_stand_by_score_then_edge_then_symbol():
    rows = [
        One("C", D("0.71"), D("0.02")),
        One("B", D("0.71"), D("0.05")),
        One("A", D("0.80"), D("0.01")),
        One("E", D("0.71"), None),
        One("D", D("0.71"), D("0.02")),
        One("F", None, D("0.9")),
    ]
    assert [one.symbol for one in in_order(rows)] == ["A", "B", "C", "D", "E", "F"]


@given(
    st.permutations([One(name, D(score)) for name, score in zip("ABCD", (1, 2, 2, 3), strict=True)])
)
def test_the_order_does_not_depend_on_the_order_of_arrival(rows):
    assert [one.symbol for one in in_order(rows)] == ["D", "B", "C", "A"]


def test_turnover_is_the_mean_of_twenty_days():
    assert turnover([day(at) for at in range(20)]) == 30_000_000
    assert turnover([day(at) for at in range(19)]) is None


def test_the_drawdown_is_counted_from_the_high_of_a_year():
    days = [day(0, "100", high="100"), *(day(at, "85", high="90") for at in range(1, 252))]
    assert drawdown(days) == D("0.15")
    assert drawdown([*days, day(252, "85", high="90")]) == D(5) / 90


@pytest.mark.parametrize(
    ("days", "history", "code"),
    [
        ([day(at) for at in range(20)], 0, None),
        ([day(at) for at in range(19)], 0, "INSUFFICIENT_BARS"),
        ([day(at) for at in range(299)], 300, "INSUFFICIENT_BARS"),
        ([day(at) for at in range(300)], 300, None),
        ([day(at, "4.99", "9000000") for at in range(20)], 0, "PRICE_LOW"),
        ([day(at, volume="1999999") for at in range(20)], 0, "TURNOVER_LOW"),
        ([day(at, volume="2000000") for at in range(20)], 0, None),
    ],
)
def test_the_first_hard_filter_that_fails_is_named(days, history, code):
    failed = failed_filter(listed("AAPL"), days, POLICY, history_days=history)
    assert (failed.code if failed else None) == code


def test_a_corporate_action_that_waits_comes_before_every_other_filter():
    waiting = replace(listed("AAPL"), flags=("CORPORATE_ACTION_PENDING",))
    failed = failed_filter(waiting, [], POLICY)
    assert failed is not None
    assert failed.code == "CORPORATE_ACTION_PENDING"


def test_answers_that_are_missing_are_fetched_together_after_the_others_were_looked_at():
    asked, seen = [], []

    def act(name):
        seen.append(name)
        if name in "ac":
            raise Unfetched(lambda: asked.append(name))
        return name

    got = []
    with pytest.raises(Unfetched) as caught:
        got.extend(each_symbol("abcd", act))
    assert (seen, asked) == (list("abcd"), [])
    caught.value.fetch()
    assert asked == ["a", "c"]
