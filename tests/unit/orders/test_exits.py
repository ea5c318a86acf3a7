"""Owns the proof of brackets at the desk: exits follow the fill, once, and never more than it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.invariant import check_all
from services.kit.outbox import outbox_rows
from services.orders import execute, switch
from services.orders.order import OrderClass, State
from services.orders.paper_tables import paper_orders
from services.orders.store import find_exit_of
from services.orders.tables import order_intents

D = Decimal
BRACKET = {"take_profit": D("200.00"), "stop_loss": D("185.00")}


def exit_of(desk, order_id):
    return desk.read(lambda ctx: find_exit_of(ctx, order_id))


def clean(desk):
    assert desk.read(check_all) == []


def notices(desk):
    rows = desk.rows(outbox_rows, outbox_rows.c.seq)
    return [row.payload for row in rows if row.kind == "alert"]


def test_a_filled_entry_is_followed_by_one_order_with_both_exits(desk):
    order_id = desk.buy(**BRACKET)
    desk.work(2)
    exits = exit_of(desk, order_id)
    assert (exits.state, exits.quantity, exits.order.order_class) == (
        State.WORKING,
        D(10),
        OrderClass.OCO,
    )
    assert exits.parent_id == order_id
    assert desk.count(order_intents) == desk.count(paper_orders) == 2
    assert desk.refused(lambda: desk.propose("AAPL", "sell", "1")).code == "INSUFFICIENT_POSITION"
    desk.work(3)
    assert desk.count(order_intents) == 2
    clean(desk)


@pytest.mark.parametrize(
    ("prices", "average"),
    [(("199.00", "200.00", "200.05"), "200.00"), (("186.00", "184.90"), "184.86")],
)
def test_the_first_exit_that_trades_closes_the_position_and_ends_the_other(
    desk, feed, prices, average
):
    order_id = desk.buy(**BRACKET)
    desk.work(2)
    for price in prices:
        feed.trade("AAPL", price)
        desk.work()
    exits = exit_of(desk, order_id)
    assert (exits.state, exits.avg_price) == (State.FILLED, D(average))
    for price in ("184.00", "201.00"):
        feed.trade("AAPL", price)
        desk.work()
    assert desk.held("AAPL") == 0
    assert "the exits sold 10 at" in notices(desk)[-1]
    clean(desk)


@pytest.mark.parametrize(
    ("exits", "kind"),
    [({"take_profit": D("200.00")}, "limit"), ({"stop_loss": D("185.00")}, "stop")],
)
def test_an_entry_with_one_exit_is_followed_by_a_plain_order(desk, exits, kind):
    order_id = desk.buy(**exits)
    desk.work(2)
    made = exit_of(desk, order_id)
    assert (made.order.type.value, made.order.order_class, made.state) == (
        kind,
        None,
        State.WORKING,
    )


def test_exits_close_what_was_filled_of_a_cancelled_entry(desk, feed):
    feed.minute_volume = D(40)
    order_id = desk.buy(type="limit", limit_price="190.50", **BRACKET)
    desk.work()
    assert desk.order(order_id).filled_quantity == D(4)
    assert exit_of(desk, order_id) is None
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(2)
    exits = exit_of(desk, order_id)
    assert (exits.quantity, exits.state) == (D(4), State.WORKING)
    clean(desk)


def test_an_entry_without_a_fill_has_no_exits(desk):
    order_id = desk.buy(type="limit", limit_price="180.00", take_profit=D(200), stop_loss=D(170))
    desk.work()
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(2)
    assert exit_of(desk, order_id) is None
    assert desk.cash().reserved.amount == 0


def test_exits_wait_while_the_data_is_not_clean_and_the_owner_is_told_once(desk, feed):
    order_id = desk.buy(**BRACKET)
    desk.work()
    waiting = exit_of(desk, order_id)
    assert waiting.state is State.QUEUED
    feed.broken = True
    desk.work(3)
    assert exit_of(desk, order_id).state is State.QUEUED
    assert sum("the exits wait to be placed" in said for said in notices(desk)) == 1
    feed.broken = False
    desk.work(2)
    assert exit_of(desk, order_id).state is State.WORKING


def test_a_halt_that_cancels_exits_says_that_units_stand_unprotected(desk):
    order_id = desk.buy(**BRACKET)
    desk.work(2)
    desk.write(lambda ctx: switch.halt(ctx, "too much", cancel_working=True))
    desk.work(2)
    assert exit_of(desk, order_id).state is State.CANCELLED
    assert any("10 units stand without their exits" in said for said in notices(desk))
    clean(desk)


@pytest.mark.parametrize("column", ["quantity", "order_json"])
def test_exits_that_are_not_what_was_confirmed_are_never_sent(desk, column):
    order_id = desk.buy(**BRACKET)
    desk.work()
    change = {
        "quantity": "quantity = quantity * 2",
        "order_json": 'order_json = replace(order_json, \'"limit_price":"200"\', '
        '\'"limit_price":"201"\')',
    }[column]
    desk.sql(f"UPDATE order_intents SET {change} WHERE parent_id IS NOT NULL")
    desk.work(2)
    assert exit_of(desk, order_id).state is State.DENIED
    assert desk.count(paper_orders) == 1
    assert any(one.id in ("I3", "I8") for one in desk.read(check_all))


@pytest.mark.parametrize(
    ("rest", "code", "field"),
    [
        ({"take_profit": D("190.10")}, "PARAM_INVALID", "take_profit"),
        ({"stop_loss": D("190.00")}, "STOP_WRONG_SIDE", "stop_loss"),
        ({"stop_loss": D(0)}, "PRICE_NON_POSITIVE", "stop_loss"),
        ({"stop_loss": D("185.005")}, "PRICE_OFF_TICK", "stop_loss"),
        (
            {"type": "limit", "limit_price": "188.00", "stop_loss": D(188)},
            "STOP_WRONG_SIDE",
            "stop_loss",
        ),
    ],
)
def test_exits_on_the_wrong_side_are_refused(desk, rest, code, field):
    refusal = desk.refused(lambda: desk.propose(**rest))
    assert (refusal.code, refusal.facts["field"]) == (code, field)


@pytest.mark.parametrize(
    ("rest", "field"),
    [
        ({"take_profit": D(200)}, "take_profit"),
        ({"stop_loss": D(185)}, "stop_loss"),
        ({"type": "limit", "limit_price": "189.00", "stop_loss": D(185)}, "limit_price"),
    ],
)
def test_a_sale_has_its_target_as_its_limit_and_a_stop_beside_it(desk, rest, field):
    desk.buy()
    desk.work()
    refusal = desk.refused(lambda: desk.propose("AAPL", "sell", "10", **rest))
    assert (refusal.code, refusal.facts["field"]) == ("PARAM_INVALID", field)


def test_a_stop_beside_a_limit_sale_protects_a_position_that_is_held(desk, feed):
    desk.buy()
    desk.work()
    order_id = desk.buy(
        "AAPL", "sell", "10", type="limit", limit_price="200.00", tif="gtc", stop_loss=D(185)
    )
    desk.work()
    feed.trade("AAPL", "184.95")
    desk.work()
    assert desk.order(order_id).avg_price == D("184.91")
    clean(desk)


def test_the_card_shows_entry_exits_risk_and_gain(desk):
    made = desk.propose(**BRACKET)
    shown = desk.issue(made.id).card
    said = {line.label: f"{line.value} | {line.note}" for line in shown.lines}
    assert shown.title == "Buy 10 AAPL at market, with stop 185.00 and target 200.00"
    assert said["Then sell"].startswith("what was bought, limit 200.00 or at market once 185.00")
    assert "it is placed with this order" in said["Risk to the stop"]
    assert "times the risk" in said["Gain at the target"]
    assert made.risk["reward"] == "98.52"


def test_an_edit_keeps_the_exits_it_does_not_name(desk):
    from services.orders import propose

    made = desk.propose(**BRACKET)
    edited = desk.write(lambda ctx: propose.edit(ctx, made.id, {"take_profit": D("205.00")}))
    assert (edited.order.take_profit, edited.order.stop_loss) == (D(205), D(185))
    assert edited.order.protective_stop == D(185)


def test_moving_the_stop_of_exits_cancels_them_and_says_how_both_come_back(desk):
    from services.orders.position_actions import Ask, act

    order_id = desk.buy(**BRACKET)
    desk.work(2)
    moved = desk.write(lambda ctx: act(ctx, Ask(action="move_stop", symbol="AAPL", stop=D("187"))))
    (card,) = moved.cards
    assert (card.kind, card.target_order_id) == ("cancel", exit_of(desk, order_id).id)
    assert "`protect AAPL stop 187.00 target 200.00`" in moved.step
