"""Owns which market-data providers a configuration has: the feed, what stands by, what lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from services.kit.clock import Clock
from services.kit.settings import Settings
from services.market.failover import FailoverFeed
from services.market.feed import Feed
from services.market.massive import MassiveFeed
from services.market.off import OffFeed
from services.market.provider import Provider, ProviderRecord, Providers, StandBy
from services.market.replay import ReplayFeed
from services.market.tradier import TradierFeed
from services.market.tradier_link import HOSTS

_FORCED = ("FEATURE_MOCK_MODE forces replay", "Remove FEATURE_MOCK_MODE and restart.")


@dataclass(frozen=True, slots=True)
class Market:
    """The feed that is used, and every provider with its record."""

    feed: Feed
    providers: Providers


def build_market(settings: Settings, clock: Clock) -> Market:
    """Return the feed of the configured provider, else replay, else the feed that says why not.

    A configured provider is never replaced by replay. `MASSIVE_API_KEY` wins over
    `POLYGON_API_KEY`, both over Tradier, which stands by, or takes over with
    `FEATURE_FAILOVER_ENABLED`. The Polygon host is asked only with `FEATURE_POLYGON_ENABLED`.
    """
    if settings.feature_mock_mode:
        feed = ReplayFeed()
        return Market(feed, Providers((feed,), _idle(settings, used=(feed.name,))))
    first, second = _build_massive(settings, clock), _build_tradier(settings, clock)
    if first is not None and second is not None:
        return _both(settings, clock, first, second)
    found = first or second
    if found is not None:
        idle = _idle(settings, used=(found.name,))
        return Market(found, Providers((found,), idle, closing=(found.close,)))
    return _without(settings)


def _without(settings: Settings) -> Market:
    """Return replay, or the feed that is off, when no provider can be asked."""
    if settings.feature_replay_enabled and not _has_shut_polygon(settings):
        feed = ReplayFeed()
        return Market(feed, Providers((feed,), _idle(settings, used=(feed.name,))))
    said = _SHUT if _has_shut_polygon(settings) else _NOTHING
    return Market(OffFeed(*said), Providers((), _idle(settings, used=())))


_SHUT = (
    "POLYGON_API_KEY is set, and the Polygon host is switched off",
    "Put the same key into MASSIVE_API_KEY, or set FEATURE_POLYGON_ENABLED=true.",
)

_NOTHING = (
    "replay is off and no market-data provider is configured",
    "Set MASSIVE_API_KEY or TRADIER_ACCESS_TOKEN for live prices, or FEATURE_REPLAY_ENABLED=true.",
)


def _both(settings: Settings, clock: Clock, first: MassiveFeed, second: TradierFeed) -> Market:
    idle = _idle(settings, used=(first.name, second.name))
    closing = (first.close, second.close)
    if settings.feature_failover_enabled:
        feed = FailoverFeed(first, second, clock)
        why = f"stands by; asked while {first.name} does not answer"
        return Market(feed, Providers((feed, _Second(second, feed, why)), idle, closing=closing))
    standing = StandBy(
        second,
        f"{first.name} comes first, and FEATURE_FAILOVER_ENABLED is off",
        "Set FEATURE_FAILOVER_ENABLED=true to ask it while the first one fails.",
    )
    return Market(first, Providers((first, standing), idle, closing=closing))


class _Second:
    """The second provider of a failover: on all the time, and saying whether it is asked."""

    def __init__(self, provider: Provider, failover: FailoverFeed, why: str) -> None:
        self._provider = provider
        self._failover = failover
        self._why = why

    def record(self) -> ProviderRecord:
        found = self._provider.record()
        in_use = self._failover.record().failed_over_to is not None
        return found if in_use or not found.on else replace(found, why=self._why)

    def probe(self) -> None:
        self._provider.probe()


def _build_massive(settings: Settings, clock: Clock) -> MassiveFeed | None:
    budget, key = settings.massive_requests_minute, settings.massive_api_key.get_secret_value()
    if key:
        return MassiveFeed(settings.massive_base_url, key, clock, requests_minute=budget)
    key = settings.polygon_api_key.get_secret_value()
    if not key or not settings.feature_polygon_enabled:
        return None
    url = settings.polygon_base_url
    return MassiveFeed(url, key, clock, name="polygon", requests_minute=budget)


def _build_tradier(settings: Settings, clock: Clock) -> TradierFeed | None:
    token = settings.tradier_access_token.get_secret_value()
    if not token:
        return None
    env, base_url = settings.tradier_env, settings.tradier_base_url
    return TradierFeed(token, clock, env=env, base_url=base_url)


def _has_shut_polygon(settings: Settings) -> bool:
    return (
        bool(settings.polygon_api_key.get_secret_value()) and not settings.feature_polygon_enabled
    )


def _idle(settings: Settings, *, used: tuple[str, ...]) -> tuple[ProviderRecord, ...]:
    """Return the records of the providers that are not in use, with what would turn each on."""
    found = (
        _idle_massive(settings),
        _idle_polygon(settings),
        _idle_tradier(settings),
        _idle_replay(settings),
    )
    return tuple(one for one in found if one.name not in used)


def _idle_massive(settings: Settings) -> ProviderRecord:
    why, todo = "MASSIVE_API_KEY is not set", "Set MASSIVE_API_KEY and restart."
    if settings.massive_api_key.get_secret_value():
        why, todo = _FORCED
    return _off("massive", settings.massive_base_url, why, todo)


def _idle_polygon(settings: Settings) -> ProviderRecord:
    why = "POLYGON_API_KEY is not set"
    todo = "Set MASSIVE_API_KEY, which is the same service under its present name."
    if settings.polygon_api_key.get_secret_value():
        why, todo = _FORCED
        if not settings.feature_polygon_enabled:
            why, todo = _SHUT
        elif settings.massive_api_key.get_secret_value():
            why, todo = "MASSIVE_API_KEY is set and comes first", ""
    return _off("polygon", settings.polygon_base_url, why, todo)


def _idle_tradier(settings: Settings) -> ProviderRecord:
    why, todo = "TRADIER_ACCESS_TOKEN is not set", "Set TRADIER_ACCESS_TOKEN and TRADIER_ENV."
    if settings.tradier_access_token.get_secret_value():
        why, todo = _FORCED
    base_url = settings.tradier_base_url or HOSTS[settings.tradier_env]
    return _off("tradier", base_url, why, todo)


def _idle_replay(settings: Settings) -> ProviderRecord:
    why = "a provider is configured, and replay never stands in for one"
    todo = "Remove the provider's key to replay bundled history."
    if not settings.feature_replay_enabled:
        why, todo = "FEATURE_REPLAY_ENABLED is off", "Set FEATURE_REPLAY_ENABLED=true."
    return _off("replay", "", why, todo)


def _off(name: str, base_url: str, why: str, todo: str) -> ProviderRecord:
    host = urlsplit(base_url).hostname or ""
    return ProviderRecord(name=name, host=host, on=False, why=why, todo=todo)
