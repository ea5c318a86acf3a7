"""A working order changed in plain words: one card of old and new, and no guess which order."""

from __future__ import annotations

import pytest

from services.orders.order import State
from tests.fakes.coach_desk import clean


def now(coach):
    order = coach.orders()[-1].order
    price = order.limit_price if order.stop_price is None else order.stop_price
    return order.type.value, f"{price:f}", order.tif.value


@pytest.mark.parametrize(
    ("text", "became"),
    [
        ("change my IBM order to 151.25", ("limit", "151.25", "gtc")),
        ("please lower my IBM order to 149", ("limit", "149", "gtc")),
        ("change my IBM order to limit 151.25 for the day", ("limit", "151.25", "day")),
        ("move the limit of my IBM order to $151", ("limit", "151", "gtc")),
        ("change my IBM order to a stop of 190", ("stop", "190", "gtc")),
    ],
)
async def test_a_working_order_is_changed_by_a_card(coach, text, became):
    await coach.buy("buy 10 IBM limit 150 gtc")
    coach.work()
    asked = clean(await coach.say(text))
    assert asked.tools == ["orders", "replace_order"], asked.text
    assert "from limit 150.00, gtc to" in asked.text
    assert now(coach) == ("limit", "150", "gtc")
    coach.confirm()
    coach.work()
    assert now(coach) == became
    assert coach.orders()[-1].state is State.WORKING


async def test_of_several_orders_it_asks_which(coach):
    await coach.buy("buy 10 IBM limit 150 gtc")
    await coach.buy("buy 20 IBM limit 140 gtc")
    coach.work()
    which = clean(await coach.say("change my IBM order to 145"))
    assert which.tools == ["orders"]
    assert "Which order" in which.text
    one = clean(await coach.say(f"change order {coach.orders()[0].id} to 145"))
    assert one.tools[-1] == "replace_order"


async def test_without_a_working_order_it_points_at_the_card(coach):
    said = clean(await coach.say("change my IBM order to 145"))
    assert said.tools == ["orders"]
    assert "press Edit" in said.text


@pytest.mark.parametrize(
    "text", ["how do I change my IBM order to 145?", "should I change my order to 145?"]
)
async def test_a_question_prepares_no_change(coach, text):
    await coach.buy("buy 10 IBM limit 150 gtc")
    coach.work()
    assert "replace_order" not in clean(await coach.say(text)).tools
