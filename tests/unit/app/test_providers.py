"""Which providers a configuration has: what is used, what stands by, what is off and why."""

import pytest

from app.providers import build_market
from services.kit.clock import HandClock
from services.kit.environment import SettingsInvalid, load_settings
from tests.unit.market.test_massive import NOW

MASSIVE = {"MASSIVE_API_KEY": "k"}
POLYGON = {"POLYGON_API_KEY": "k"}
TRADIER = {"TRADIER_ACCESS_TOKEN": "k"}
FAILOVER = {"FEATURE_FAILOVER_ENABLED": "true"}


def records(given):
    market = build_market(load_settings(given), HandClock(NOW))
    try:
        return {one.name: one for one in market.providers.records()}
    finally:
        market.providers.close()


@pytest.mark.parametrize(
    ("given", "on"),
    [
        ({}, {"replay"}),
        ({"FEATURE_REPLAY_ENABLED": "false"}, set()),
        (MASSIVE, {"massive"}),
        (TRADIER, {"tradier"}),
        (POLYGON, set()),
        (POLYGON | {"FEATURE_POLYGON_ENABLED": "true"}, {"polygon"}),
        (MASSIVE | POLYGON | {"FEATURE_POLYGON_ENABLED": "true"}, {"massive"}),
        (MASSIVE | TRADIER, {"massive"}),
        (MASSIVE | TRADIER | FAILOVER, {"massive", "tradier"}),
        (MASSIVE | TRADIER | {"FEATURE_MOCK_MODE": "true"}, {"replay"}),
    ],
)
def test_every_configuration_names_all_four_and_says_what_is_used(given, on):
    found = records(given)
    assert set(found) == {"massive", "polygon", "tradier", "replay"}
    assert {name for name, one in found.items() if one.on} == on
    assert all(one.why for one in found.values())


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("massive", "MASSIVE_API_KEY"),
        ("polygon", "MASSIVE_API_KEY"),
        ("tradier", "TRADIER_ACCESS_TOKEN"),
    ],
)
def test_without_a_key_a_record_says_what_to_set(name, setting):
    assert setting in records({})[name].todo


def test_a_second_provider_that_is_not_used_says_what_would_use_it():
    standing = records(MASSIVE | TRADIER)["tradier"]
    assert (standing.on, "FEATURE_FAILOVER_ENABLED=true" in standing.todo) == (False, True)
    assert standing.host == "sandbox.tradier.com"


def test_forced_replay_is_named_as_the_reason():
    found = records(MASSIVE | TRADIER | {"FEATURE_MOCK_MODE": "true"})
    assert {"FEATURE_MOCK_MODE" in found[name].why for name in ("massive", "tradier")} == {True}


@pytest.mark.parametrize(
    ("env", "host", "requests"),
    [("sandbox", "sandbox.tradier.com", 60), ("production", "api.tradier.com", 120)],
)
def test_one_setting_decides_the_host_and_its_budget(env, host, requests):
    found = records(TRADIER | {"TRADIER_ENV": env})["tradier"]
    assert (found.host, found.requests_allowed) == (host, requests)


@pytest.mark.parametrize(
    "url", ["https://api.tradier.com", "http://10.0.0.1:80", "ftp://127.0.0.1"]
)
def test_the_tests_own_address_is_of_this_machine_only(url):
    with pytest.raises(SettingsInvalid, match="TRADIER_BASE_URL"):
        load_settings({"TRADIER_BASE_URL": url})
