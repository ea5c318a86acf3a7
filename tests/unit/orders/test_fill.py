"""The fill model: each order type, rounding against us, partial fills, commission."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.orders.fill import (
    TradedRange,
    commission,
    fill_quantity,
    find_limit_fill,
    find_stop_fill,
    market_fill,
    market_fill_without_quote,
)

TICK = D("0.01")


def bar(opened, high, low):
    return TradedRange(open=D(opened), high=D(high), low=D(low))


@pytest.mark.parametrize(
    ("side", "bid", "ask", "bps", "tick", "price"),
    [
        ("buy", "199.98", "200.02", "2", "0.01", "200.07"),
        ("sell", "199.98", "200.02", "2", "0.01", "199.94"),
        ("buy", "41.25", "41.30", "5", "0.05", "41.35"),
        ("sell", "41.25", "41.30", "5", "0.05", "41.20"),
        ("buy", "10.00", "10.01", "0", "0.01", "10.01"),
    ],
)
def test_a_market_order_takes_the_far_side_and_slips(side, bid, ask, bps, tick, price):
    fill = market_fill(side, D(bid), ask=D(ask), slippage_bps=D(bps), tick=D(tick))
    assert (fill.price, fill.flags) == (D(price), ())


@pytest.mark.parametrize(
    ("side", "last", "price"),
    [
        ("buy", "200", "200.09"),
        ("sell", "200", "199.92"),
        ("buy", "5", "5.02"),
        ("sell", "5", "4.98"),
    ],
)
def test_without_a_quote_the_spread_is_assumed_and_flagged(side, last, price):
    fill = market_fill_without_quote(
        side, D(last), half_spread_bps=D(2), slippage_bps=D(2), tick=TICK
    )
    assert (fill.price, fill.flags) == (D(price), ("SYNTHETIC_SPREAD",))


@pytest.mark.parametrize(
    ("side", "limit", "traded", "price"),
    [
        ("buy", "100", ("101", "102", "100"), None),
        ("buy", "100", ("101", "102", "99.99"), "100"),
        ("buy", "100", ("99.5", "102", "99"), "99.5"),
        ("buy", "100", ("99.505", "102", "99"), "99.51"),
        ("sell", "100", ("99", "100", "98"), None),
        ("sell", "100", ("99", "100.01", "98"), "100"),
        ("sell", "100", ("100.5", "101", "98"), "100.5"),
        ("sell", "100", ("100.009", "101", "98"), "100"),
    ],
)
def test_a_limit_fills_only_when_traded_through(side, limit, traded, price):
    fill = find_limit_fill(side, D(limit), traded=bar(*traded), tick=TICK)
    assert (fill and fill.price) == (price and D(price))


@pytest.mark.parametrize(
    ("side", "stop", "traded", "price"),
    [
        ("sell", "98", ("99", "99", "98.01"), None),
        ("sell", "98", ("99", "99", "98"), "97.98"),
        ("sell", "98", ("97.5", "99", "97"), "97.48"),
        ("buy", "98", ("97", "98", "96"), "98.02"),
        ("buy", "98", ("99", "99", "98.5"), "99.02"),
        ("buy", "98", ("97", "97.99", "96"), None),
    ],
)
def test_a_stop_triggers_on_touch_and_fills_at_the_worse_price(side, stop, traded, price):
    fill = find_stop_fill(side, D(stop), traded=bar(*traded), slippage_bps=D(2), tick=TICK)
    assert (fill and fill.price) == (price and D(price))


@pytest.mark.parametrize(
    ("volume", "filled", "flags"),
    [("3210", "321", ("PARTIAL",)), ("5000", "500", ()), ("9", "0", ("PARTIAL",))],
)
def test_at_most_a_share_of_the_volume_fills(volume, filled, flags):
    found = fill_quantity(D(500), D(volume), max_volume_pct=D("0.10"), lot=D(1))
    assert (found.quantity, found.flags) == (D(filled), flags)


def test_the_minimum_commission_is_charged_once_per_order():
    terms = {"per_unit": D("0.005"), "minimum": D("1.00")}
    whole = commission(D(300), **terms)
    first = commission(D(100), **terms)
    rest = commission(D(200), already_filled=D(100), **terms)
    assert (whole, first, rest) == (D("1.50"), D("1.00"), D("0.50"))


def test_commission_may_be_nothing():
    assert commission(D(300), per_unit=D(0), minimum=D(0)) == 0


@pytest.mark.parametrize(
    "terms",
    [
        {"side": "hold"},
        {"bid": D(0)},
        {"bid": D(11)},
        {"slippage_bps": D(-1)},
        {"slippage_bps": D(10000)},
        {"tick": D(0)},
        {"side": "sell", "bid": D("0.005")},
    ],
)
def test_a_quote_that_can_not_be_filled_is_refused(terms):
    given_terms = {
        "side": "buy",
        "bid": D(10),
        "ask": D("10.01"),
        "slippage_bps": D(2),
        "tick": TICK,
    } | terms
    side, bid = given_terms.pop("side"), given_terms.pop("bid")
    with pytest.raises(Refusal) as caught:
        market_fill(side, bid, **given_terms)
    assert caught.value.code == "PARAM_INVALID"


@given(
    bid=st.decimals("1", "500", places=2),
    spread=st.decimals("0", "1", places=2),
    bps=st.integers(0, 50),
    tick=st.sampled_from([D("0.01"), D("0.05"), D("0.005")]),
)
def test_a_market_fill_is_never_better_than_the_quote(bid, spread, bps, tick):
    terms = {"ask": bid + spread, "slippage_bps": D(bps), "tick": tick}
    buy, sell = (market_fill(side, bid, **terms).price for side in ("buy", "sell"))
    assert buy >= bid + spread
    assert sell <= bid
    assert buy % tick == sell % tick == 0


@given(parts=st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_partial_fills_pay_together_what_one_fill_pays(parts):
    paid, done = D(0), D(0)
    for part in parts:
        paid += commission(D(part), per_unit=D("0.005"), minimum=D(1), already_filled=done)
        done += part
    assert paid == commission(done, per_unit=D("0.005"), minimum=D(1))
