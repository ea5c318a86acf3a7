"""Owns the proof that no forged confirmation reaches the broker, and that each honest twin does."""

from __future__ import annotations

import os
import shutil
from random import Random

import pytest

from services.invariant import check_all
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders.broker import Broker, BrokerStatus
from tests import proof
from tests.contract.forgery import FAMILIES, Forger, build_draft, press, refusal_of, review
from tests.fakes.hand_feed import HandFeed
from tests.fakes.odd_broker import OddBroker
from tests.fakes.order_desk import OrderDesk
from tests.sim.world import NO_LIMITS

CHUNK = 25
CHUNKS = 200 if os.environ.get("CORNERMAN_PROVE") == "1" else 20
"""5,000 attacks at release figures, 500 in every run."""


@pytest.fixture
def desk(migrated_file, tmp_path, settings):
    shutil.copyfile(migrated_file, tmp_path / "c.db")
    database, feed = Database(f"sqlite:///{tmp_path / 'c.db'}"), HandFeed()
    ports = {Bus: MemoryBus(), Feed: feed, Broker: OddBroker()}
    clock = HandClock(feed.time)
    yield OrderDesk(Runtime(database, clock, CountedIds(), settings, NO_LIMITS, ports=ports), feed)
    database.close()


def let_work(desk) -> list[str]:
    """Let the executor work until nothing is on its way; return what the broker ever got."""
    broker = desk.runtime.ports[Broker]
    desk.work()
    for book in broker.books.values():
        if book.status is BrokerStatus.OPEN:
            book.status = BrokerStatus.CANCELLED
    return list(broker.submits)


def attack(desk, family, draw: Random) -> str:
    """Carry out one attack and its honest twin; return the code that refused the attack."""
    draft = build_draft(draw)
    forged = family(Forger(desk, review(desk, draft), draw))
    before = list(desk.runtime.ports[Broker].submits)
    refusal = refusal_of(forged)
    assert refusal is not None, (family.__name__, draft)
    assert refusal.code in forged.codes, (family.__name__, refusal, draft)
    assert let_work(desk) == before, (family.__name__, "reached the broker")
    twin = review(desk, draft)
    assert press(desk, twin.attempt) == "confirmed"
    assert let_work(desk) == [*before, twin.card.client_order_id], family.__name__
    return refusal.code


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.fault("F061", "F062", "F063", "F064")
def test_no_forged_confirmation_reaches_the_broker(desk, chunk):
    with proof.measured("confirm attacks", f"chunk {chunk}") as figure:
        for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
            family = FAMILIES[number % len(FAMILIES)]
            attack(desk, family, Random(f"forgery:{number}"))
            figure.count += 1
        assert desk.read(check_all) == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_family_draws_all_of_its_refusals(desk, family):
    """A generator that always draws the same attack would prove little."""
    for number in range(6):
        attack(desk, family, Random(f"family:{number}"))
