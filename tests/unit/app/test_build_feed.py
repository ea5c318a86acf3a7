"""Which feed a configuration gets: a configured provider is used, and nothing stands in for it."""

import pytest

from app.wiring import build, build_feed
from services.kit.context import system_principal
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.market.failover import FailoverFeed
from services.market.feed import Feed
from services.market.massive import MassiveFeed
from services.market.off import OffFeed
from services.market.replay import ReplayFeed
from services.market.tradier import TradierFeed
from tests.fakes.massive_server import KEY, MassiveServer
from tests.unit.market.test_massive import snapshot

BOTH = {"MASSIVE_API_KEY": "k", "TRADIER_ACCESS_TOKEN": "k"}


@pytest.fixture
def server():
    with MassiveServer() as running:
        running.list_ticker("AAPL")
        running.snapshots["AAPL"] = snapshot()
        yield running


@pytest.fixture
def polygon():
    with MassiveServer() as running:
        yield running


def settings_of(tmp_path, server, polygon, **more):
    return load_settings(
        {
            "CORNERMAN_HOME": str(tmp_path),
            "MASSIVE_BASE_URL": server.base_url,
            "POLYGON_BASE_URL": polygon.base_url,
            **more,
        }
    )


def ask(settings, act, **parts):
    product = build(settings, **parts)
    try:
        return product.runtime.read(system_principal("t_owner"), act)
    finally:
        product.close()


def quoted(ctx):
    return ctx.port(Feed).quote(ctx, "AAPL")


def test_a_massive_key_is_really_used_through_the_whole_product(tmp_path, server, polygon):
    settings = settings_of(tmp_path, server, polygon, MASSIVE_API_KEY=KEY)
    quote = ask(settings, quoted)
    assert (quote.bid, quote.source) == (190, "massive")
    assert polygon.requests == []


def test_with_both_keys_massive_wins(tmp_path, server, polygon):
    both = {"MASSIVE_API_KEY": KEY, "POLYGON_API_KEY": KEY, "FEATURE_POLYGON_ENABLED": "true"}
    assert ask(settings_of(tmp_path, server, polygon, **both), quoted).source == "massive"
    assert polygon.requests == []


def test_a_failing_provider_is_never_replaced(tmp_path, server, polygon):
    settings = settings_of(tmp_path, server, polygon, MASSIVE_API_KEY="wrong")
    with pytest.raises(Refusal) as caught:
        ask(settings, quoted)
    assert caught.value.code == "PROVIDER_UNAUTHORIZED"


def test_no_byte_goes_to_the_polygon_host_while_it_is_off(tmp_path, server, polygon):
    settings = settings_of(tmp_path, server, polygon, POLYGON_API_KEY=KEY)
    with pytest.raises(Refusal) as caught:
        ask(settings, quoted)
    assert caught.value.code == "FEATURE_OFF"
    assert "FEATURE_POLYGON_ENABLED" in str(caught.value.facts["todo"])
    assert (polygon.requests, server.requests) == ([], [])


def test_the_polygon_host_is_asked_when_it_is_on(tmp_path, server, polygon):
    polygon.list_ticker("AAPL")
    polygon.snapshots["AAPL"] = snapshot()
    on = {"POLYGON_API_KEY": KEY, "FEATURE_POLYGON_ENABLED": "true"}
    assert ask(settings_of(tmp_path, server, polygon, **on), quoted).source == "polygon"
    assert server.requests == []


@pytest.mark.parametrize(
    ("given", "due"),
    [
        ({}, ReplayFeed),
        ({"FEATURE_REPLAY_ENABLED": "false"}, OffFeed),
        ({"MASSIVE_API_KEY": "k"}, MassiveFeed),
        ({"MASSIVE_API_KEY": "k", "FEATURE_REPLAY_ENABLED": "false"}, MassiveFeed),
        ({"POLYGON_API_KEY": "k"}, OffFeed),
        ({"TRADIER_ACCESS_TOKEN": "k"}, TradierFeed),
        (BOTH, MassiveFeed),
        (BOTH | {"FEATURE_FAILOVER_ENABLED": "true"}, FailoverFeed),
        ({"TRADIER_ACCESS_TOKEN": "k", "FEATURE_FAILOVER_ENABLED": "true"}, TradierFeed),
        ({"MASSIVE_API_KEY": "k", "FEATURE_MOCK_MODE": "true"}, ReplayFeed),
    ],
)
def test_each_configuration_has_its_feed(given, due):
    assert isinstance(build_feed(load_settings(given)), due)
