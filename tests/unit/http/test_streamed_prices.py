"""Prices from Massive's stream on a running server: what is watched streams to every reader."""

import shutil
import time

import pytest

from services.kit.context import SCOPES
from tests.fakes.massive_server import KEY, MassiveServer
from tests.fakes.massive_stream import MassiveStreamServer
from tests.unit.http.live import GENEROUS, live_server
from tests.unit.http.test_providers import wait_for
from tests.unit.http.ws import enter

WATCH = "/api/v1/watchlists"


@pytest.fixture(scope="module")
def rest():
    with MassiveServer() as running:
        running.list_ticker("AAPL")
        running.list_ticker("MSFT")
        yield running


@pytest.fixture
def wire():
    with MassiveStreamServer() as running:
        yield running


@pytest.fixture
def desk(migrated_file, tmp_path, rest, wire):
    shutil.copyfile(migrated_file, tmp_path / "cornerman.db")
    environment = {
        **GENEROUS,
        "MASSIVE_API_KEY": KEY,
        "MASSIVE_BASE_URL": rest.base_url,
        "MASSIVE_WS_BASE": wire.base_url,
        "FEATURE_ENABLE_MASSIVE_STREAM": "true",
    }
    url = f"sqlite:///{tmp_path / 'cornerman.db'}"
    with live_server(tmp_path, url, environment=environment) as server:
        yield server


def rows(price, symbol="AAPL"):
    at = int(time.time() * 1000)
    return (
        {"ev": "Q", "sym": symbol, "bp": price - 0.01, "ap": price + 0.01, "t": at, "q": at},
        {"ev": "T", "sym": symbol, "p": price, "s": 7, "i": str(at), "t": at, "q": at},
    )


def feature(door):
    found = door.get("/api/v1/diag/config").json()["features"]
    return next(one for one in found if one["name"] == "market stream")


def test_a_watched_symbol_streams_to_the_page_and_to_the_tools(desk, wire):
    door = desk.key(*SCOPES)
    assert feature(door)["why"].startswith(("off", "connecting"))
    door.post(
        WATCH, json={"name": "Mine", "symbols": ["AAPL"]}, headers={"idempotency-key": KEY * 2}
    )
    assert wait_for(lambda: "T.AAPL" in wire.subscribed())
    with enter(desk, door) as reader:
        reader.send(type="subscribe", channels=["price"], symbols=["AAPL"])

        def told():
            wire.push(*rows(190.25))
            frame = reader.next()
            return frame["type"] == "price" and frame["last"] == "190.25"

        assert wait_for(told)

    def streamed():
        wire.push(*rows(190.5))
        found = door.get("/api/v1/symbols/AAPL/price").json()
        return found.get("last") == "190.5" and found["provenance"] == "LIVE"

    assert wait_for(streamed)
    assert feature(door)["on"]
    stream = door.get("/api/v1/diag/config").json()["stream"]
    assert (stream["phase"], stream["reconnects"], stream["reason"]) == ("live", 0, "")
    assert stream["since"] <= stream["last_frame_at"]
    assert "cornerman_stream_live 1.0" in door.get("/metrics").text


def test_what_a_page_follows_streams_without_a_watchlist(desk, wire):
    with enter(desk, desk.key(*SCOPES)) as reader:
        reader.send(type="subscribe", channels=["price"], symbols=["MSFT"])
        assert wait_for(lambda: "T.MSFT" in wire.subscribed())


def test_a_refused_key_of_the_stream_becomes_an_alert(desk, wire):
    wire.denied = frozenset({"T", "Q", "A", "AM"})
    door = desk.key(*SCOPES)
    door.post(
        WATCH, json={"name": "Mine", "symbols": ["AAPL"]}, headers={"idempotency-key": KEY * 2}
    )

    def noted():
        found = door.get("/api/v1/notifications").json().get("items", [])
        return [one for one in found if "does not include this stream" in one["message"]]

    found = wait_for(noted)
    assert [one["level"] for one in found] == ["critical"]
    assert feature(door)["on"] is False
    assert "Upgrade" in feature(door)["todo"]
