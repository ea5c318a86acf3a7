"""Performance figures: worked numbers, when they are null, and the average-cost account."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.ledger.average_cost import MarkEvent, TradeEvent, run_account
from services.ledger.performance_math import (
    annual_growth,
    max_drawdown,
    profit_factor,
    return_stats,
    time_weighted_return,
    trade_stats,
    win_rate,
)

EIGHT = [0.012, -0.008, 0.004, -0.02, 0.015, 0.007, -0.003, 0.011]


def test_a_short_history_has_no_ratios():
    found = return_stats(EIGHT)
    assert (found.total_return, found.max_drawdown) == (D("0.017639"), D("-0.023951"))
    assert (found.sharpe, found.sortino, found.annual_volatility) == (None, None, None)
    assert found.flags == ("SHORT_HISTORY",)


def test_twenty_returns_have_ratios():
    found = return_stats([0.01, -0.01] * 10)
    assert found.flags == ()
    assert (found.sharpe, found.sortino) == (D(0), D(0))
    assert found.annual_volatility == D("0.162869")


def test_equal_returns_have_no_spread_to_divide_by():
    found = return_stats([0.001] * 20)
    assert (found.sharpe, found.sortino, found.annual_volatility) == (None, None, D(0))


def test_no_return_is_no_drawdown():
    assert (return_stats([]).max_drawdown, return_stats([]).total_return) == (None, D(0))


@pytest.mark.parametrize(
    ("returns", "terms"),
    [
        ([float("nan")], {}),
        ([-1.5], {}),
        ([0.1], {"periods_per_year": 0}),
        ([0.1], {"rf": float("inf")}),
    ],
)
def test_returns_that_can_not_be_are_refused(returns, terms):
    with pytest.raises(Refusal) as caught:
        return_stats(returns, **terms)
    assert caught.value.code == "PARAM_INVALID"


def test_the_start_is_the_first_peak():
    assert max_drawdown([D(90), D(95)], start=D(100)) == D("-0.1")
    assert max_drawdown([], start=D(100)) is None


def test_zero_is_not_a_win():
    assert win_rate([D(10), D(0), D(-5), D(3)]) == D("0.5")
    assert win_rate([]) is None


def test_without_losses_there_is_no_profit_factor():
    assert profit_factor([D(1)]) is None
    assert trade_stats([D(1), D(0)]).flags == ("NO_LOSSES",)
    assert trade_stats([]).flags == ()


def test_flows_do_not_count_as_return():
    assert time_weighted_return([(D(100), D(110)), (D(210), D(189))]) == D("-0.01")
    assert time_weighted_return([(D(0), D(1))]) is None


def test_growth_is_annual_only_after_ninety_days():
    assert annual_growth(D(100), D(110), 89) is None
    assert annual_growth(D(100), D(121), 730) == D("0.100072")


def buy(units, price, symbol="AAPL"):
    return TradeEvent(symbol=symbol, side="buy", quantity=D(units), price=D(price))


def sell(units, price, symbol="AAPL"):
    return TradeEvent(symbol=symbol, side="sell", quantity=D(units), price=D(price))


def test_the_worked_account():
    report = run_account(
        D(100000),
        D(1),
        events=[
            buy(100, 200),
            buy(50, 206),
            sell(120, 209),
            sell(30, 190),
            sell(1, 190),
            buy(10000, 190, "NVDA"),
            MarkEvent({}),
        ],
    )
    assert [rounded(trade.pnl, 2) for trade in report.trades] == [D("837.40"), D("-361.40")]
    assert report.cash == report.equity[0] == D(100476)
    assert [reject.reason for reject in report.rejects] == [
        "INSUFFICIENT_POSITION",
        "INSUFFICIENT_CASH",
    ]


def test_a_symbol_without_a_mark_keeps_its_last_price():
    report = run_account(
        D(1000),
        D(0),
        events=[buy(1, 100), MarkEvent({"AAPL": D(110)}), buy(1, 120), MarkEvent({"MSFT": D(5)})],
    )
    assert report.equity == (D(1010), D(1020))


def test_without_a_mark_there_is_no_return():
    report = run_account(D(1000), D(0), events=[buy(1, 100)])
    assert (report.total_return, report.max_drawdown) == (None, None)


@pytest.mark.parametrize(
    ("cash", "fee", "events"),
    [
        (0, 0, []),
        (1, -1, []),
        (1, 0, [buy(0, 1)]),
        (1, 0, [buy(1, 0)]),
        (1, 0, [MarkEvent({"A": D(-1)})]),
    ],
)
def test_events_that_can_not_be_are_refused(cash, fee, events):
    with pytest.raises(Refusal) as caught:
        run_account(D(cash), D(fee), events=events)
    assert caught.value.code == "PARAM_INVALID"


trades = st.lists(
    st.builds(
        TradeEvent,
        symbol=st.sampled_from(["A", "B"]),
        side=st.sampled_from(["buy", "sell"]),
        quantity=st.integers(1, 30).map(D),
        price=st.decimals("1", "60", places=2),
    ),
    max_size=25,
)


@given(trades, st.decimals("1", "60", places=2))
def test_selling_out_leaves_start_plus_everything_realised(events, price):
    flat = [
        sell(units, price, symbol)
        for symbol in ("A", "B")
        for units in (16, 8, 4, 2, 1)
        for _ in range(50)
    ]
    report = run_account(D(5000), D(0), events=[*events, *flat, MarkEvent({})])
    realised = sum((trade.pnl for trade in report.trades), D(0))
    assert rounded(report.equity[0], 2) == rounded(5000 + realised, 2)
    assert -1 <= report.max_drawdown <= 0


@given(trades, st.integers(2, 9))
def test_marking_again_and_again_does_not_move_drawdown(events, times):
    marked = [part for event in events for part in (event, MarkEvent({}))]
    repeated = [part for event in events for part in (event, *[MarkEvent({})] * times)]
    once, often = (run_account(D(5000), D(1), events=found) for found in (marked, repeated))
    assert once.max_drawdown == often.max_drawdown
