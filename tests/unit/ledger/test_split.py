"""Splits change units and never cost, pay lost fractions in cash, and are posted once."""

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.ledger import book, holding, rebuild
from services.ledger.position import FLAT, Terms, acquire, relieve, require_sound, split
from services.ledger.posting import (
    Conversion,
    Exchange,
    buy_legs,
    cash_effect,
    cost_effect,
    require_balanced,
    sell_legs,
)
from services.ledger.split import apply_due_splits, outcome
from services.ledger.valuation import value
from services.market.feed import Feed, Split
from tests.conftest import NOW
from tests.unit.ledger.conftest import AAPL, Desk
from tests.unit.ledger.hand_feed import HandFeed

LATER = NOW + timedelta(days=1)


def ratio(old, new, at=LATER):
    return Split(at.date(), at, old, new)


@pytest.fixture
def feed():
    return HandFeed(NOW)


@pytest.fixture(params=["average", "fifo"])
def desk(request, database, clock, settings, owner, feed):
    runtime = Runtime(database, clock, CountedIds(), settings, ports={Feed: feed})
    return Desk(runtime, owner, cost_method=request.param)


def held(desk):
    [one] = desk.do(lambda ctx: holding.positions(ctx, desk.id))
    return one


def test_a_two_for_one_split_doubles_units_at_unchanged_cost_once(desk, feed):
    desk.fill("buy", 100, 200)
    feed.known_splits[AAPL] = [ratio(1, 2)]
    assert desk.do(apply_due_splits) == []
    feed.now, feed.prices[AAPL] = LATER, 101
    pending = desk.do(lambda ctx: value(ctx, desk.id))
    assert (pending.equity, pending.holdings[0].missing) == (None, "CORPORATE_ACTION_PENDING")
    assert len(desk.do(apply_due_splits)) == 1
    assert desk.do(apply_due_splits) == []
    assert (held(desk).quantity, held(desk).cost_base) == (200, 20_001)
    assert desk.do(lambda ctx: value(ctx, desk.id)).equity == 79_999 + 20_200
    assert desk.do(rebuild.check) == []
    assert desk.fill("sell", 200, 101).pnl == D(20_199) - 20_001


@pytest.mark.fault("F087")
def test_a_lost_fraction_is_paid_in_cash(desk, feed):
    desk.fill("buy", 4, 10, fee="0")
    desk.fill("buy", 3, 20, fee="0")
    feed.known_splits[AAPL] = [ratio(2, 3)]
    feed.now, feed.prices[AAPL] = LATER, "7.35"
    before = desk.do(lambda ctx: book.cash(ctx, desk.id)).posted.amount
    desk.do(apply_due_splits)
    after = desk.do(lambda ctx: book.cash(ctx, desk.id)).posted.amount
    assert (held(desk).quantity, held(desk).cost_base) == (10, 100)
    assert after - before == D("3.68")
    assert desk.do(rebuild.check) == []


@pytest.mark.fault("F087")
def test_a_reverse_split_that_leaves_nothing_closes_the_position_in_cash(desk, feed):
    desk.fill("buy", 3, 10, fee="0")
    feed.known_splits[AAPL] = [ratio(10, 1)]
    feed.now, feed.prices[AAPL] = LATER, 90
    desk.do(apply_due_splits)
    assert desk.do(lambda ctx: holding.positions(ctx, desk.id)) == []
    assert desk.do(lambda ctx: book.cash(ctx, desk.id)).posted.amount == 100_000 - 30 + 27
    assert desk.do(rebuild.check) == []


def test_a_split_then_its_inverse_restores_units_and_cost(desk, feed):
    desk.fill("buy", 40, 10)
    desk.fill("buy", 20, 11)
    before = held(desk)
    feed.known_splits[AAPL] = [ratio(2, 3), ratio(3, 2, LATER + timedelta(days=1))]
    feed.now = LATER + timedelta(days=2)
    assert len(desk.do(apply_due_splits)) == 2
    assert held(desk) == before


def test_a_reversed_split_gives_back_the_lots(desk, feed):
    desk.fill("buy", 10, 10)
    feed.known_splits[AAPL] = [ratio(1, 2)]
    feed.now = LATER
    [posted] = desk.do(apply_due_splits)
    desk.do(lambda ctx: book.reverse(ctx, desk.id, posted.seq, key="u", effective_at=LATER))
    assert held(desk).quantity == 10
    assert desk.do(rebuild.check) == []
    desk.fill("sell", 10, 10)
    assert desk.do(rebuild.check) == []


def test_a_feed_without_a_price_leaves_the_holding_until_it_has_one(desk, feed):
    desk.fill("buy", 7, 10)
    feed.known_splits[AAPL] = [ratio(2, 3)]
    feed.now = LATER
    assert desk.do(apply_due_splits) == []
    assert held(desk).quantity == 7
    feed.prices[AAPL] = 7
    assert len(desk.do(apply_due_splits)) == 1


@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 99_999)), min_size=1, max_size=5),
    st.integers(1, 12),
    st.integers(1, 12),
    st.sampled_from(["average", "fifo"]),
)
def test_a_split_keeps_cost_and_lots_add_up(buys, old, new, method):
    position = FLAT
    for seq, (units, cents) in enumerate(buys, start=1):
        position = acquire(position, D(units), D(cents) / 100, seq=seq, at=NOW, method=method)
    made = outcome(position.quantity, ratio(old, new), D(1))
    assert made.become + made.in_lieu == position.quantity * new / old
    after, relieved = split(position, made.become, seq=9)
    require_sound(after)
    assert after.cost + relieved == position.cost
    if made.in_lieu == 0:
        back, _ = split(after, position.quantity, seq=10)
        assert (back.quantity, back.cost) == (position.quantity, position.cost)


@pytest.mark.fault("F084")
@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 99_999)), min_size=1, max_size=5),
    st.data(),
    st.sampled_from(["average", "fifo"]),
)
def test_reliefs_and_open_cost_are_the_cost_of_all_buys(buys, data, method):
    terms, position, relieved = Terms(method, "USD", 2), FLAT, D(0)
    for seq, (units, cents) in enumerate(buys, start=1):
        position = acquire(position, D(units), D(cents) / 100, seq=seq, at=NOW, method=method)
        units = data.draw(st.integers(0, int(position.quantity)))
        if units:
            position, relief = relieve(position, D(units), terms)
            relieved += relief
            assert relief >= 0
        require_sound(position)
    assert relieved + position.cost == sum(D(cents) / 100 for _, cents in buys)


@given(
    st.integers(1, 10**6),
    st.integers(1, 10**7),
    st.integers(0, 10**4),
    st.integers(1, 10**6),
    st.sampled_from(["GBP", "JPY", "USD"]),
)
def test_foreign_deals_balance_and_leave_no_foreign_cash(units, cents, fee, rate, base):
    from services.kit.money import FxRate

    conversion = Conversion(rate=FxRate("USD", base, D(rate) / 10**5), source="s", at=NOW)
    deal = Exchange(
        listing=AAPL,
        quantity=D(units),
        price=D(cents) / 10_000,
        commission=D(fee) / 100,
        currency="USD",
        base=base,
        conversion=None if base == "USD" else conversion,
    )
    for legs in (buy_legs(deal), sell_legs(deal)):
        require_balanced("k", legs)
        assert set(cash_effect(legs)) <= {base}
        assert cost_effect(legs, base) == -cash_effect(legs).get(base, D(0))


def test_a_foreign_deal_without_a_rate_is_refused():
    from services.kit.errors import Refusal

    deal = Exchange(
        listing=AAPL, quantity=D(1), price=D(1), commission=D(0), currency="USD", base="GBP"
    )
    with pytest.raises(Refusal, match="FX_MISSING"):
        buy_legs(deal)
