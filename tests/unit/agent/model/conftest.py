"""Owns what tests of the rule model share: a desk on the replayed market, with the paper broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.orders.broker import Broker
from services.orders.paper import PaperBroker
from tests.conftest import build_runtime
from tests.fakes.coach_desk import CoachDesk


@pytest.fixture
def coach(database, clock, settings, owner) -> Iterator[CoachDesk]:
    made = build_runtime(database, clock, settings)
    made.ports[Broker] = PaperBroker()
    yield CoachDesk(made, owner, clock)
    made.threads.shutdown(wait=True)
