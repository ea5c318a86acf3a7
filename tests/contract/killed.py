"""A worker in a process of its own, for killing: it works once at a house of the contract.

python -m tests.contract.killed tradier HOME DATABASE_URL BASE_URL FAILPOINT
"""

from __future__ import annotations

import sys
from datetime import timedelta

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.failpoint import arm
from services.kit.ids import RandomIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders import execute
from services.orders.broker import Broker
from tests.contract.houses import WIRED, DelayedFeed


def main(name: str, home: str, database_url: str, base_url: str, failpoint: str) -> None:
    feed = DelayedFeed()
    clock = HandClock(feed.time + timedelta(seconds=1))
    broker = WIRED[name].broker_at(base_url, clock)
    ports = {Bus: MemoryBus(), Feed: feed, Broker: broker}
    settings = load_settings({"CORNERMAN_HOME": home})
    runtime = Runtime(Database(database_url), clock, RandomIds(clock), settings, ports=ports)
    arm(failpoint)
    execute.work_once(runtime)
    sys.exit("the failpoint was not reached")


if __name__ == "__main__":
    main(*sys.argv[1:])
