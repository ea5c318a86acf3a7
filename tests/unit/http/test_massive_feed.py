"""The doors on a live provider: what the configuration says, and a price end to end."""

import shutil
from datetime import UTC, datetime

import pytest

from services.kit.context import SCOPES
from tests.fakes.massive_server import KEY, Fault, MassiveServer
from tests.unit.http.live import GENEROUS, live_server
from tests.unit.market.test_massive import snapshot


@pytest.fixture(scope="module")
def massive():
    with MassiveServer() as running:
        for symbol in ("AAPL", "MSFT"):
            running.list_ticker(symbol)
            running.snapshots[symbol] = snapshot(at=datetime.now(UTC))
        yield running


@pytest.fixture(scope="module")
def door(massive, migrated_file, tmp_path_factory):
    home = tmp_path_factory.mktemp("massive")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    keyed = {"MASSIVE_API_KEY": KEY, "MASSIVE_BASE_URL": massive.base_url}
    url = f"sqlite:///{home / 'cornerman.db'}"
    with live_server(home, url, environment={**GENEROUS, **keyed}) as server:
        yield server.key(*SCOPES)


def test_a_price_comes_from_the_provider_with_its_label(door):
    price = door.get("/api/v1/symbols/AAPL/price")
    assert price.status_code == 200, price.text
    assert (price.json()["source"], price.json()["provenance"]) == ("massive", "LIVE")


def test_the_configuration_names_the_provider_and_what_the_plan_lacks(door, massive):
    massive.fault("/v3/trades", Fault.DENIED_403)
    body = door.get("/api/v1/diag/config").json()
    assert (body["feed"]["name"], body["feed"]["on"]) == ("massive", True)
    live = next(one for one in body["features"] if one["name"] == "live market data")
    assert (live["on"], "Massive provides" in live["why"]) == (True, True)


def test_the_tools_read_the_same_feed(door):
    answer = door.post("/api/v1/tools/quote", json={"args": {"symbols": ["AAPL", "MSFT"]}})
    assert answer.status_code == 200, answer.text
    assert "massive" in answer.text


def test_replay_controls_are_off_beside_a_provider(door):
    answer = door.get("/api/v1/market/replay")
    assert (answer.status_code, answer.json()["code"]) == (409, "FEATURE_OFF")


def test_half_an_answer_is_a_refusal_and_no_price(door, massive):
    massive.list_ticker("IBM")
    massive.fault("/v2/snapshot/locale/us/markets/stocks/tickers/IBM", Fault.HALF_BODY)
    answer = door.get("/api/v1/symbols/IBM/price")
    assert (answer.status_code, answer.json()["code"]) == (503, "PROVIDER_BODY_INVALID")


def test_an_unknown_symbol_is_refused_with_the_nearest_names(door):
    answer = door.get("/api/v1/symbols/ZZZZ/price")
    assert (answer.status_code, answer.json()["code"]) == (422, "SYMBOL_UNKNOWN")
    assert "AAPL" in answer.json()["facts"]["nearest"]
