"""What a running server says of its providers: wrong keys, missing keys, a change of provider."""

import shutil
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from services import audit
from services.kit.context import SCOPES
from tests.fakes import massive_server as massive
from tests.fakes import tradier_server as tradier
from tests.unit.http.live import GENEROUS, as_principal, live_server
from tests.unit.market.test_massive import snapshot
from tests.unit.market.test_tradier_feed import quote_row

PROBED_S, WAIT_S = 3.0, 20.0


@pytest.fixture(scope="module")
def first():
    with massive.MassiveServer() as running:
        running.list_ticker("AAPL")
        yield running


@pytest.fixture(scope="module")
def second():
    with tradier.TradierServer() as running:
        running.list_security("AAPL")
        yield running


@contextmanager
def serving(migrated_file, home, **environment):
    shutil.copyfile(migrated_file, home / "cornerman.db")
    url = f"sqlite:///{home / 'cornerman.db'}"
    with live_server(home, url, environment={**GENEROUS, **environment}) as server:
        yield server


def configuration(door):
    answer = door.get("/api/v1/diag/config")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body, {one["name"]: one for one in body["providers"]}


def wait_for(look, seconds=WAIT_S):
    """Return the first true answer of `look` within the seconds, else its last answer."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("failover", ["false", "true"])
def test_wrong_keys_show_within_three_seconds_of_the_start(
    migrated_file, tmp_path, first, second, failover
):
    wrong = {
        "MASSIVE_API_KEY": "wrong",
        "MASSIVE_BASE_URL": first.base_url,
        "TRADIER_ACCESS_TOKEN": "wrong",
        "TRADIER_BASE_URL": second.base_url,
        "FEATURE_FAILOVER_ENABLED": failover,
    }
    with serving(migrated_file, tmp_path, **wrong) as server:
        door = server.key(*SCOPES)

        def both_refused():
            _, found = configuration(door)
            return all("refused the key" in found[name]["why"] for name in ("massive", "tradier"))

        assert wait_for(both_refused, PROBED_S)
        body, found = configuration(door)
        assert not found["massive"]["on"]
        assert not found["tradier"]["on"]
        assert "MASSIVE_API_KEY" in found["massive"]["todo"]
        assert "TRADIER_ACCESS_TOKEN" in found["tradier"]["todo"]
        assert {one["on"] for one in found["massive"]["products"]} == {False}
        assert (body["model"]["name"], body["mode"]) == ("rules", "local")
        assert door.get("/api/v1/diag/ready").json()["status"] == "ready"
        assert door.get("/api/v1/symbols/AAPL/price").json()["code"] == "PROVIDER_UNAUTHORIZED"
        banner = door.get("/api/v1/market/status").json()["banner"]
        assert banner["level"] == "warning"
        assert banner["text"].startswith("Market data is off: Massive refused the key. Correct")
        assert "delayed" not in banner["text"]


def test_without_keys_every_provider_and_feature_says_what_to_set(migrated_file, tmp_path):
    with serving(migrated_file, tmp_path) as server:
        body, found = configuration(server.key(*SCOPES))
    assert [name for name, one in found.items() if one["on"]] == ["replay"]
    assert "MASSIVE_API_KEY" in found["massive"]["todo"]
    assert "TRADIER_ACCESS_TOKEN" in found["tradier"]["todo"]
    features = {one["name"]: one for one in body["features"]}
    off = ("live market data", "news", "earnings", "option chains")
    for name in (*off, "failover between providers"):
        assert (features[name]["on"], "MASSIVE_API_KEY" in features[name]["todo"]) == (False, True)


def test_tradier_alone_gives_prices_with_its_label_and_its_budget(migrated_file, tmp_path, second):
    second.quotes["AAPL"] = quote_row(at=datetime.now(UTC))
    second.quota_ends, second.allowed, second.used = time.time() + 50, 60, 10
    keyed = {"TRADIER_ACCESS_TOKEN": tradier.TOKEN, "TRADIER_BASE_URL": second.base_url}
    with serving(migrated_file, tmp_path, **keyed) as server:
        door = server.key(*SCOPES)
        price = door.get("/api/v1/symbols/AAPL/price")
        assert price.status_code == 200, price.text
        assert (price.json()["source"], price.json()["provenance"]) == ("tradier", "DELAYED")
        _, found = configuration(door)
    record = found["tradier"]
    assert (record["on"], record["breaker"], record["host"]) == (True, "closed", "127.0.0.1")
    assert (record["requests_used"] > 10, record["requests_allowed"]) == (True, 60)
    assert record["checked_at"] is not None


def test_a_change_of_provider_shows_in_the_record_the_feature_and_the_audit_chain(
    migrated_file, tmp_path, first, second
):
    first.snapshots["AAPL"] = snapshot(at=datetime.now(UTC))
    second.quotes["AAPL"] = quote_row(at=datetime.now(UTC))
    second.quota_ends = None
    keyed = {
        "MASSIVE_API_KEY": massive.KEY,
        "MASSIVE_BASE_URL": first.base_url,
        "TRADIER_ACCESS_TOKEN": tradier.TOKEN,
        "TRADIER_BASE_URL": second.base_url,
        "FEATURE_FAILOVER_ENABLED": "true",
    }
    with serving(migrated_file, tmp_path, **keyed) as server:
        door = server.key(*SCOPES)
        assert door.get("/api/v1/symbols/AAPL/price").json()["source"] == "massive"
        first.fault("/v2/snapshot", massive.Fault.DEEP)

        def moved():
            found = door.get("/api/v1/symbols/AAPL/price").json()
            return None if found["source"] == "massive" else found

        price = wait_for(moved)
        assert (price["source"], price["provenance"]) == ("tradier", "DELAYED")
        body, found = configuration(door)
        assert (found["massive"]["failed_over_to"], body["stream"]) == ("tradier", None)
        banner = door.get("/api/v1/market/status").json()["banner"]
        told = "massive does not answer: prices come from tradier."
        assert (banner["level"], banner["text"][: len(told)]) == ("warning", told)
        features = {one["name"]: one for one in body["features"]}
        assert "tradier does" in features["failover between providers"]["why"]
        principal = as_principal(server)

        def written():
            events = server.product.runtime.read(principal, audit.trail)
            return [one for one in events if one.kind == "provider.failed_over"]

        (event,) = wait_for(written)
        assert (event.subject, event.facts["takes_over"]) == ("massive", "tradier")


class Listener:
    """A loopback port that counts who connects, and says nothing."""

    def __init__(self):
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(15)


@pytest.fixture
def polygon():
    listener = Listener()
    yield listener
    listener.close()


@pytest.mark.parametrize("enabled", [False, True])
def test_no_byte_reaches_the_polygon_host_while_it_is_off(
    migrated_file, tmp_path, polygon, enabled
):
    given = {
        "POLYGON_API_KEY": "a-key",
        "POLYGON_BASE_URL": polygon.url,
        "FEATURE_POLYGON_ENABLED": "true" if enabled else "false",
    }
    with serving(migrated_file, tmp_path, **given) as server:
        door = server.key(*SCOPES)
        for path in ("symbols/AAPL/price", "symbols/AAPL/bars", "news?symbols=AAPL", "diag/config"):
            door.get(f"/api/v1/{path}")
        door.post("/api/v1/tools/quote", json={"args": {"symbols": ["AAPL"]}})
        _, found = configuration(door)
    assert found["polygon"]["on"] is enabled
    assert (polygon.connections > 0) is enabled
