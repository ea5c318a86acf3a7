"""Owns the fixtures of the orders room: a hand-moved market and a person at a desk."""

from __future__ import annotations

import pytest

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OrderDesk


@pytest.fixture
def feed() -> HandFeed:
    return HandFeed()


@pytest.fixture
def runtime(database, clock, settings, feed) -> Runtime:
    return Runtime(database, clock, CountedIds(), settings, ports={Bus: MemoryBus(), Feed: feed})


@pytest.fixture
def desk(runtime, feed) -> OrderDesk:
    return OrderDesk(runtime, feed)
