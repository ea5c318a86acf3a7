"""Owns what a child process does at a broker over a wire: start, confirm, work; then die or end."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.kit.ids import RandomIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders import confirm as gate
from services.orders import execute, reconcile
from services.orders.broker import Broker
from tests.contract.houses import WIRED, DelayedFeed
from tests.fakes.order_desk import OWNER
from tests.sim.world import NO_LIMITS


def act(home: str, command: dict[str, Any]) -> None:
    """Start as the product does, send the confirmation (again), and work for some rounds.

    `at_s` is the time since the market's first moment; `step_s` passes before each round.
    """
    feed = DelayedFeed()
    feed.advance(seconds=command["at_s"])
    clock = HandClock(feed.time)
    broker = WIRED[command["house"]].broker_at(command["base_url"], clock)
    runtime = Runtime(
        Database(command["database"]),
        clock,
        RandomIds(clock),
        load_settings({"CORNERMAN_HOME": home}),
        NO_LIMITS,
        ports={Bus: MemoryBus(), Feed: feed, Broker: broker},
    )
    reconcile.at_boot(runtime)
    if command["attempt"]:
        attempt = gate.Attempt(**command["attempt"])
        with contextlib.suppress(Refusal):  # the parent looks at what was stored
            gate.confirm(runtime, OWNER, attempt, key=command["key"])
    for _ in range(command["rounds"]):
        clock.advance(seconds=command["step_s"])
        feed.advance(seconds=command["step_s"])
        execute.work_once(runtime)
    runtime.close()


def open_house(name: str, database: Database, settings: Any) -> Any:
    """Return a house of the contract whose desk has no limits of risk but its cash."""
    house = WIRED[name](database, settings)
    house.desk.runtime = replace(house.desk.runtime, policy=NO_LIMITS)
    return house


def pass_time(house: Any, seconds: int) -> None:
    """Let time pass for the person, the market and the broker."""
    house.feed.advance(seconds=seconds)
    house.desk.runtime.clock.advance(seconds=seconds)


def since_open(house: Any) -> int:
    """Return the seconds of market time since the first moment."""
    return int((house.feed.time - DelayedFeed().time) / timedelta(seconds=1))
