"""Owns the proof of the whole path: propose, confirm, send, fill, post, release."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.orders import propose, switch
from services.orders.order import State
from services.orders.paper_tables import paper_orders
from services.orders.tables import fills, order_intents, order_transitions, submit_attempts


def test_a_confirmed_market_order_fills_and_posts_once(desk):
    order_id = desk.buy("AAPL", quantity="10")
    held = desk.cash()
    assert held.reserved.amount == Decimal("1921.10")  # 10 x 192.01 worst, 1.00 commission
    desk.work()
    order = desk.order(order_id)
    assert order.state is State.FILLED
    assert order.avg_price == Decimal("190.14")  # 190.10 and 2 bps, rounded up to the cent
    assert desk.held("AAPL") == 10
    after = desk.cash()
    assert after.reserved.amount == 0
    assert after.posted.amount == Decimal(100000) - Decimal("1901.40") - Decimal("1.00")
    assert desk.count(fills) == desk.count(paper_orders) == desk.count(submit_attempts) == 1


def test_every_arrow_of_an_order_is_on_record(desk):
    order_id = desk.buy()
    desk.work()
    rows = desk.rows(order_transitions, order_transitions.c.number)
    assert [row.to_state for row in rows if row.order_id == order_id] == [
        "QUEUED",
        "CLAIMED",
        "SUBMITTING",
        "WORKING",
        "FILLED",
    ]
    assert len(desk.audited("order.fill")) == 1


def test_working_again_changes_nothing_after_the_fill(desk):
    desk.buy()
    desk.work()
    assert desk.work(3) == 0
    assert desk.count(fills) == 1


def test_nothing_is_sent_before_a_confirmation(desk):
    desk.propose()
    desk.work(2)
    assert desk.count(order_intents) == desk.count(paper_orders) == 0


def test_a_sale_of_the_whole_position_leaves_it_flat(desk):
    desk.buy("AAPL", quantity="10")
    desk.work()
    desk.buy("AAPL", "sell", "10")
    desk.work()
    assert desk.held("AAPL") == 0


def test_selling_more_than_is_held_is_refused(desk):
    desk.buy("AAPL", quantity="10")
    desk.work()
    refusal = desk.refused(lambda: desk.propose("AAPL", "sell", "11"))
    assert refusal.code == "INSUFFICIENT_POSITION"
    assert refusal.facts["guard"] == "buying_power"


def test_units_promised_to_one_sale_are_not_free_for_another(desk):
    desk.buy("AAPL", quantity="10")
    desk.work()
    desk.buy("AAPL", "sell", "6", type="limit", limit_price="200.00")
    assert desk.refused(lambda: desk.propose("AAPL", "sell", "5")).code == "INSUFFICIENT_POSITION"


def test_a_limit_order_waits_and_fills_when_the_market_trades_through(desk, feed):
    order_id = desk.buy(type="limit", limit_price="189.00")
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    feed.trade("AAPL", "189.00")
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    feed.trade("AAPL", "188.99")
    desk.work()
    assert desk.order(order_id).avg_price == Decimal("189.00")


def test_a_stop_sells_when_it_is_touched(desk, feed):
    desk.buy("AAPL", quantity="10")
    desk.work()
    order_id = desk.buy("AAPL", "sell", "10", type="stop", stop_price="188.00")
    desk.work()
    feed.trade("AAPL", "188.50")
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    feed.trade("AAPL", "187.90")
    desk.work()
    assert desk.order(order_id).avg_price == Decimal("187.86")  # 187.90 less 2 bps, down


def test_a_large_order_fills_in_parts_of_a_tenth_of_the_volume(desk, feed):
    feed.minute_volume = Decimal(1000)
    order_id = desk.buy(quantity="300")
    desk.work()
    part = desk.order(order_id)
    assert (part.state, part.filled_quantity) == (State.PARTIALLY_FILLED, Decimal(100))
    assert desk.cash().reserved.amount == Decimal("38402.00")  # 200 x 192.01 still waits
    feed.trade("AAPL", "190.05", size="500")
    desk.work()
    assert desk.order(order_id).filled_quantity == Decimal(150)
    feed.trade("AAPL", "190.05", size="100000")
    desk.work()
    whole = desk.order(order_id)
    assert (whole.state, desk.held("AAPL")) == (State.FILLED, Decimal(300))
    assert desk.cash().reserved.amount == 0
    assert sum(row.commission for row in desk.rows(fills, fills.c.id)) == Decimal("1.50")


@pytest.mark.fault("F048")
def test_a_partly_filled_order_that_is_cancelled_keeps_its_fill_and_frees_the_rest(desk, feed):
    from services.orders import execute

    feed.minute_volume = Decimal(100)
    order_id = desk.buy(quantity="50")
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    order = desk.order(order_id)
    assert (order.state, order.filled_quantity) == (State.CANCELLED, Decimal(10))
    assert desk.held("AAPL") == 10
    assert desk.cash().reserved.amount == 0


def test_a_day_order_ends_at_the_close_and_frees_its_cash(desk, feed):
    order_id = desk.buy(type="limit", limit_price="150.00")
    desk.work()
    feed.advance(hours=7)
    desk.work()
    assert desk.order(order_id).state is State.EXPIRED
    assert desk.cash().reserved.amount == 0


def test_a_persons_cancel_is_direct_and_repeatable(desk):
    from services.orders import execute

    order_id = desk.buy(type="limit", limit_price="150.00")
    desk.work()
    for _ in range(2):
        desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    assert desk.order(order_id).state is State.CANCELLED
    assert desk.cash().reserved.amount == 0
    desk.write(lambda ctx: execute.cancel(ctx, order_id))


def test_a_queued_order_is_cancelled_before_it_leaves(desk):
    from services.orders import execute

    order_id = desk.buy()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work()
    assert desk.order(order_id).state is State.CANCELLED
    assert desk.count(paper_orders) == 0


def test_the_coachs_cancel_is_a_card(desk):
    order_id = desk.buy(type="limit", limit_price="150.00")
    desk.work()
    card = desk.write(lambda ctx: propose.propose_cancel(ctx, order_id))
    desk.work()
    assert desk.order(order_id).state is State.WORKING
    desk.confirm(card.id)
    desk.work()
    assert desk.order(order_id).state is State.CANCELLED


def test_a_filled_order_can_not_be_cancelled(desk):
    from services.orders import execute

    order_id = desk.buy()
    desk.work()
    refusal = desk.refused(lambda: desk.write(lambda ctx: execute.cancel(ctx, order_id)))
    assert refusal.code == "ORDER_FINAL"


@pytest.mark.fault("F011")
def test_an_identical_second_proposal_is_the_first(desk):
    first = desk.propose()
    desk.feed.set("AAPL", "190.02", "190.12")
    assert desk.propose().id == first.id


def test_a_card_from_before_a_halt_is_not_offered_again_while_halted(desk):
    first = desk.propose()
    other = desk.propose(quantity="7")
    desk.write(lambda ctx: switch.halt(ctx, "news"))
    assert desk.refused(desk.propose).code == "KILL_SWITCH"
    back = {"quantity": Decimal(first.order.quantity)}
    refusal = desk.refused(lambda: desk.write(lambda ctx: propose.edit(ctx, other.id, back)))
    assert refusal.code == "KILL_SWITCH"
    desk.write(lambda ctx: switch.resume(ctx, "looked at the book"))
    assert desk.propose().id == first.id
    assert desk.write(lambda ctx: propose.edit(ctx, other.id, back)).id == first.id


def test_a_split_ends_a_waiting_order(desk, feed):
    from services.market.feed import Split

    order_id = desk.buy(type="limit", limit_price="150.00", tif="gtc")
    desk.work()
    feed.advance(minutes=1)
    feed.split_list.append(Split(feed.time.date(), feed.time, 1, 2))
    desk.work()
    assert desk.order(order_id).state is State.CANCELLED
