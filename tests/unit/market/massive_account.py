"""An account at the loopback Massive server: the feed, the ports beside it, and units of work."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.market_ports import market_ports
from services.kit.clock import HandClock
from services.kit.context import Context
from services.kit.http import HttpLimits
from services.kit.ids import CountedIds
from services.kit.policy import DEFAULT_POLICY
from services.kit.settings import Settings
from services.market.feed import Feed
from services.market.massive import MassiveFeed
from tests.fakes.massive_server import KEY

NOW = datetime(2027, 1, 12, 15, 0, 30, tzinfo=UTC)


@dataclass
class Account:
    """A unit of work begins when it is asked for: `account()` is its context."""

    server: object
    clock: HandClock
    feed: MassiveFeed
    ports: dict
    owner: object

    def __call__(self):
        return Context(
            db=None,
            now=self.clock.now(),
            ids=CountedIds(),
            settings=Settings(),
            policy=DEFAULT_POLICY,
            principal=self.owner,
            ports=self.ports,
        )


def open_account(server, owner, *, key=KEY, clock=None):
    ticking = clock or HandClock(NOW)
    limits = HttpLimits(attempts_max=1)
    feed = MassiveFeed(server.base_url, key, ticking, limits=limits)
    return Account(server, ticking, feed, {Feed: feed, **market_ports(feed, ticking)}, owner)
