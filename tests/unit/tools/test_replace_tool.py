"""The tool that changes a working order: a card of old and new, and nothing sent by itself."""

from __future__ import annotations

import json

import pytest

from services.market import replay
from services.orders import execute
from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from tests.fakes.order_desk import OrderDesk
from tools.registry import call


@pytest.fixture
def desk(runtime, owner):
    runtime.ports[Broker] = PaperBroker()
    runtime.write(owner, replay.resume_at_boot)
    return OrderDesk(runtime, None, owner)


@pytest.fixture
def order_id(desk):
    made = desk.buy("IBM", quantity="10", type="limit", limit_price="180.00")
    desk.work()
    return made


def use(desk, **arguments):
    return desk.write(lambda ctx: call(ctx, "replace_order", arguments))


def test_a_change_is_a_card_of_old_and_new(desk, order_id):
    done = use(desk, order_id=order_id, limit_price="181.25", tif="gtc")
    assert done.ok, done.error
    body = done.result
    assert (body["before"], body["after"]) == ("limit 180.00, day", "limit 181.25, gtc")
    assert (body["symbol"], body["side"], body["quantity"]) == ("IBM", "buy", "10")
    assert body["summary"] == (
        "Prepared: change buy 10 IBM from limit 180.00, day to limit 181.25, gtc, paper account."
    )
    assert "ct_" not in json.dumps(body)
    assert done.source[0]["dataset"] == "quotes"
    assert desk.order(order_id).order.limit_price == 180


def test_its_card_confirms_like_any_other(desk, order_id):
    made = use(desk, order_id=order_id, limit_price="181.25")
    assert desk.confirm(made.result["proposal_id"])["order_id"] == order_id
    execute.work_once(desk.runtime)
    assert str(desk.order(order_id).order.limit_price) == "181.25"


def test_what_can_not_be_changed_says_what_to_do(desk, order_id):
    desk.write(lambda ctx: execute.cancel(ctx, order_id))
    desk.work(2)
    done = use(desk, order_id=order_id, limit_price="181.25")
    assert done.error["code"] == "ORDER_FINAL"
    assert "cancelled or changed" in done.error["hint"]
