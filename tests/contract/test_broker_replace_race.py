"""One change, many hands, on both engines: confirmed twice at once, carried by several executors."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from services import invariant
from services.kit.db import Database
from services.kit.errors import Refusal
from services.orders import execute
from services.orders.change_tables import order_changes
from services.orders.order import State
from services.orders.replace import NewTerms, propose_replace
from tests.contract.houses import TradierHouse

HANDS = 4


@pytest.fixture
def house(database_url, settings):
    database = Database(database_url)
    made = TradierHouse(database, settings)
    yield made
    made.close()
    made.desk.runtime.threads.shutdown(wait=True)
    database.close()


def working(house):
    order_id = house.desk.buy("AAPL", type="limit", limit_price="189.50")
    house.desk.work()
    assert house.desk.order(order_id).state is State.WORKING
    return order_id


def wish(house, order_id, price="189.00"):
    terms = NewTerms(limit_price=Decimal(price))
    return house.desk.write(lambda ctx: propose_replace(ctx, order_id, terms))


def together(act):
    """Let several hands act at one moment; return how each of them ended."""
    start, ends = threading.Barrier(HANDS), []

    def run():
        start.wait()
        try:
            ends.append(act())
        except Refusal as refusal:
            ends.append(refusal.code)

    hands = [threading.Thread(target=run) for _ in range(HANDS)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    return ends


def test_several_executors_ask_the_broker_once(house):
    order_id = working(house)
    house.desk.confirm(wish(house, order_id).id)
    together(lambda: execute.work_once(house.desk.runtime))
    for _ in range(3):
        house.desk.runtime.clock.advance(seconds=5)
        house.feed.advance(seconds=5)
        house.desk.work()
    assert len(house.fake.changes) == 1
    assert house.desk.order(order_id).order.limit_price == 189
    assert house.desk.read(invariant.check_all) == []


def test_one_card_confirmed_by_several_hands_is_one_change(house):
    order_id = working(house)
    made = wish(house, order_id)
    token = house.desk.issue(made.id)
    ends = together(lambda: house.desk.confirm(made.id, token)["status"])
    assert sorted(ends) == ["TOKEN_USED"] * (HANDS - 1) + ["confirmed"]
    house.desk.work()
    assert len(house.fake.changes) == 1
    assert [row.state for row in house.desk.rows(order_changes)] == ["done"]


def test_of_two_cards_confirmed_at_once_one_is_carried(house):
    order_id = working(house)
    cards = [wish(house, order_id, price) for price in ("189.00", "188.00", "187.00", "186.00")]
    tokens = {card.id: house.desk.issue(card.id) for card in cards}
    waiting = list(cards)
    lock = threading.Lock()

    def one():
        with lock:
            card = waiting.pop()
        return house.desk.confirm(card.id, tokens[card.id])["status"]

    ends = together(one)
    assert ends.count("confirmed") == 1
    assert set(ends) == {"confirmed", "ORDER_BUSY"}
    house.desk.work()
    assert len(house.fake.changes) == 1
    assert house.desk.read(invariant.check_all) == []
