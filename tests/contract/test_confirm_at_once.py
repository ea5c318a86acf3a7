"""Owns the proof that a card confirmed by many at once becomes one order, on both engines."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import pytest

from services.invariant import check_all
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.ids import RandomIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders.broker import Broker, BrokerStatus
from services.orders.tables import order_intents
from tests import proof
from tests.contract.at_once import press_at_once
from tests.fakes.hand_feed import PRICES, HandFeed
from tests.fakes.odd_broker import OddBroker
from tests.fakes.order_desk import OrderDesk
from tests.sim.world import NO_LIMITS

THREADS = 64
CHUNK = 4
CHUNKS = 50 if os.environ.get("CORNERMAN_PROVE") == "1" else 1
"""Cards of one part, and parts: 200 cards on each engine at release figures."""
KEYS = {
    "no key": lambda _number: "",
    "keys of their own": lambda number: f"key-of-press-{number:08}",
    "one key": lambda _number: "the-same-key-for-all",
}


@pytest.fixture
def desk(database_url, settings):
    feed = HandFeed()
    clock, database = HandClock(feed.time), Database(database_url)
    ports = {Bus: MemoryBus(), Feed: feed, Broker: OddBroker()}
    runtime = Runtime(database, clock, RandomIds(clock), settings, NO_LIMITS, ports=ports)
    yield OrderDesk(runtime, feed)
    runtime.close()


def confirmed_once(desk, number: int, threads: int = THREADS) -> None:
    """Press one card `threads` times at once: one order, one request to the broker."""
    symbol, how = sorted(PRICES)[number % 4], sorted(KEYS)[number % 3]
    broker, before = desk.runtime.ports[Broker], desk.count(order_intents)
    card = desk.propose(symbol, quantity=str(1 + number % 3))
    typed = f"{symbol} {card.order.quantity}"
    attempt = replace(desk.attempt(card.id, desk.issue(card.id)), typed=typed)
    suffix = card.id[-8:]
    answers = Counter(
        press_at_once(
            desk, attempt, threads, lambda one: KEYS[how](one) and KEYS[how](one) + suffix
        )
    )
    assert desk.count(order_intents) == before + 1
    order_id = next(one.id for one in desk.rows(order_intents) if one.proposal_id == card.id)
    if how == "one key":
        assert answers == {order_id: threads}
    else:
        assert answers == {order_id: 1, "TOKEN_USED": threads - 1}
    desk.work()
    assert broker.submits.count(card.client_order_id) == 1
    broker.books[card.client_order_id].status = BrokerStatus.CANCELLED
    desk.work()


@pytest.mark.fault("F061")
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_card_confirmed_by_64_at_once_becomes_one_order(desk, chunk):
    name = desk.runtime.database.dialect
    with proof.measured("double confirm", f"{name} {chunk}") as figure:
        for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
            confirmed_once(desk, number)
            figure.count += 1
        assert desk.read(check_all) == []


@pytest.mark.fault("F061")
def test_a_card_confirmed_by_256_at_once_becomes_one_order(desk):
    confirmed_once(desk, 1, threads=256)
