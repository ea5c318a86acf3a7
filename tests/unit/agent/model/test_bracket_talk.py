"""Proves brackets in the real loop: words become one card with both exits, then a protected fill."""

from __future__ import annotations

import pytest

from agent.intent import Intent, intent_of
from agent.model.phrases import Errand, read
from agent.provenance import Grounds, check_call
from services.kit.errors import Refusal
from services.orders import store
from services.orders.order import OrderClass, State
from tests.fakes.coach_desk import clean

NAMES = {"aapl": "AAPL", "apple": "AAPL", "msft": "MSFT", "ibm": "IBM"}


@pytest.mark.parametrize(
    ("text", "quantity", "stop", "targets", "limit"),
    [
        ("bracket 10 AAPL stop 400 target 430", "10", "400", ("430",), None),
        ("buy 10 AAPL as a bracket, stop 400, target 430", "10", "400", ("430",), None),
        ("bracket 10 AAPL at 405 stop 400 target 430", "10", "400", ("430",), "405"),
        ("please place a bracket: buy 10 AAPL, target 430, stop 400", "10", "400", ("430",), None),
        ("protect AAPL stop 400 target 430", None, "400", ("430",), None),
    ],
)
def test_words_of_a_bracket_are_read(text, quantity, stop, targets, limit):
    wish = read(text, NAMES)
    assert wish.errand is Errand.BRACKET
    assert (wish.symbols, wish.quantity) == (("AAPL",), quantity)
    assert (wish.stop, wish.targets, wish.limit) == (stop, targets, limit)
    assert intent_of(text) is Intent.ORDER


@pytest.mark.parametrize("text", ["what is a bracket order?", "should I bracket AAPL?"])
def test_a_question_about_brackets_prepares_nothing(text):
    assert intent_of(text) is not Intent.ORDER


async def test_a_bracket_is_one_card_and_its_fill_is_protected_at_once(coach):
    said = clean(await coach.say("bracket 5 AAPL stop 400 target 430"))
    assert said.tools == ["propose_bracket"]
    assert "with stop 400 and target 430" in said.text
    coach.confirm()
    coach.work()
    coach.work()
    entry, exits = sorted(coach.read(lambda ctx: store.list_orders(ctx)), key=lambda one: one.id)
    assert (entry.state, exits.state) == (State.FILLED, State.WORKING)
    assert exits.order.order_class is OrderClass.OCO


async def test_bracket_it_takes_quantity_stop_and_target_of_the_plan_before(coach):
    await coach.say("plan AAPL long, entry 409, stop 399, target 424, risk 1%")
    said = clean(await coach.say("bracket it"))
    assert said.tools[-1] == "propose_bracket"
    assert "with stop 399 and target 424" in said.text


async def test_exits_for_what_is_held_are_one_card(coach):
    await coach.buy("buy 5 AAPL")
    said = clean(await coach.say("protect my AAPL stop 400 target 430"))
    assert said.tools == ["positions", "propose_bracket"]
    assert "sell 5 AAPL limit 430, gtc, or at market at 400" in said.text


@pytest.mark.parametrize(
    "text",
    ["bracket 5 AAPL stop 3% target 430", "bracket AAPL", "bracket 5 AAPL stop 4 targets 5, 6"],
)
async def test_a_bracket_with_something_missing_asks_for_it(coach, text):
    said = clean(await coach.say(text))
    assert "propose_bracket" not in said.tools
    assert "one stop and one target as prices" in said.text


def test_exits_that_the_person_did_not_name_are_refused():
    grounds = Grounds(text="bracket 5 AAPL stop 400 target 430", held={})
    wanted = {"symbol": "AAPL", "side": "buy", "quantity": "5", "stop_loss": "400"}
    check_call({**wanted, "take_profit": "430"}, grounds)
    with pytest.raises(Refusal) as caught:
        check_call({**wanted, "take_profit": "431"}, grounds)
    assert caught.value.facts["field"] == "take_profit"
