"""Owns which provider gives news, earnings dates, option chains and rates beside the prices."""

from __future__ import annotations

from collections.abc import Mapping

from services.kit.clock import Clock
from services.market.chain import ChainFeed
from services.market.earnings import EarningsFeed
from services.market.failover import FailoverFeed
from services.market.feed import Feed
from services.market.massive import MassiveFeed
from services.market.massive_chain import MassiveChain
from services.market.massive_earnings import MassiveEarnings
from services.market.massive_news import MassiveNews
from services.market.massive_rates import MassiveRates
from services.market.news import NewsFeed
from services.market.rate_feed import RateFeed
from services.market.tradier import TradierFeed
from services.market.tradier_chain import TradierChain


def market_ports(feed: Feed, clock: Clock) -> Mapping[type, object]:
    """Return the ports that the provider of `feed` can fill over the same account.

    A replay fills none: what is not recorded is not made up, and each reading says so.
    """
    if isinstance(feed, FailoverFeed):
        return market_ports(feed.first, clock)
    if isinstance(feed, TradierFeed):
        return {ChainFeed: TradierChain(feed.link, clock)}
    if not isinstance(feed, MassiveFeed):
        return {}
    return {
        NewsFeed: MassiveNews(feed.link, clock, feed.name),
        EarningsFeed: MassiveEarnings(feed.link, clock, feed.name),
        ChainFeed: MassiveChain(feed.link, clock, feed.name),
        RateFeed: MassiveRates(feed.link, clock, feed.name),
    }
