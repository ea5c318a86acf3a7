"""The tool of brackets: entry, stop and target as one card, from words or from the plan named."""

from __future__ import annotations

import pytest

from services.market import replay
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from services.orders.proposal import get_proposal
from tests.fakes.order_desk import OrderDesk
from tools.registry import call

BRACKET = {
    "symbol": "AAPL",
    "side": "buy",
    "quantity": "5",
    "type": "market",
    "tif": "day",
    "stop_loss": "400",
    "take_profit": "430",
}


@pytest.fixture
def desk(runtime, owner):
    runtime.ports[Broker] = PaperBroker()
    runtime.write(owner, replay.resume_at_boot)
    return OrderDesk(runtime, None, owner)


def use(desk, name="propose_bracket", **arguments):
    return desk.write(lambda ctx: call(ctx, name, arguments))


def test_one_card_holds_the_entry_and_both_exits(desk):
    done = use(desk, **BRACKET)
    assert done.ok, done.error
    body = done.result
    assert (body["stop_loss"], body["take_profit"]) == ("400", "430")
    assert body["summary"].startswith("Prepared: buy 5 AAPL at market, day, with stop 400 and")
    assert body["risk"]
    assert body["reward"]
    made = desk.read(lambda ctx: get_proposal(ctx, body["proposal_id"]))
    assert made.order.order_class.value == "otoco"


def test_the_stop_and_the_first_target_come_from_the_plan_that_is_named(desk):
    plan = {
        "symbol": "AAPL",
        "side": "long",
        "entry": "409",
        "stop": "399",
        "targets": ["424", "439"],
    }
    check = use(desk, "plan_check", **plan)
    named = {**BRACKET, "basis_ref": check.ref}
    del named["stop_loss"], named["take_profit"]
    body = use(desk, **named).result
    assert (body["stop_loss"], body["take_profit"]) == ("399", "424")
    body = use(desk, **named, take_profit="440").result
    assert (body["stop_loss"], body["take_profit"]) == ("399", "440")


def test_a_sale_protects_what_is_held_with_both_exits(desk):
    desk.buy("AAPL", quantity="5")
    desk.work()
    body = use(desk, **{**BRACKET, "side": "sell", "tif": "gtc"}).result
    made = desk.read(lambda ctx: get_proposal(ctx, body["proposal_id"]))
    order = made.order
    assert (order.order_class.value, order.limit_price, order.stop_loss) == ("oco", 430, 400)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"stop_loss": None, "take_profit": None}, "PARAM_INVALID"),
        ({"side": "sell", "take_profit": None}, "PARAM_INVALID"),
        ({"stop_loss": "500"}, "STOP_WRONG_SIDE"),
        ({"take_profit": "300"}, "PARAM_INVALID"),
        ({"stop_loss": "400.005"}, "PRICE_OFF_TICK"),
        ({"basis_ref": "res_0123456789abcdef"}, "PROVENANCE_REFUSED"),
        ({"side": "sell"}, "INSUFFICIENT_POSITION"),
        ({"quantity": "1000000"}, "INSUFFICIENT_CASH"),
    ],
)
def test_a_bracket_that_means_nothing_is_refused_before_the_card(desk, changes, code):
    given = {name: value for name, value in {**BRACKET, **changes}.items() if value is not None}
    done = use(desk, **given)
    assert done.error["code"] == code
