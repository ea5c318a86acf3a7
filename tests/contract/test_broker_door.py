"""Owns the proof of the routes about the account outside: asked of the broker, owner only."""

from __future__ import annotations

import shutil
import time

import jsonschema
import pytest

from services.kit.clock import SystemClock
from services.market.quote import Provenance
from tests.contract.test_broker_connect import ProviderFeed
from tests.fakes.tradier_broker import ACCOUNT, TOKEN, TradierBrokerage
from tests.unit.http.live import live_server

API = "/api/v1/broker/account"
YEAR = f"{API}/activity?start=2026-01-01&end=2026-12-31"
WITHIN_S = 30


@pytest.fixture(scope="module")
def broker():
    with TradierBrokerage(SystemClock()) as made:
        made.owns("50000.00")
        made.speaks_for(ACCOUNT)
        path = f"/v1/accounts/{ACCOUNT}"
        event = {"type": "interest", "date": "2026-05-04T00:00:00Z", "amount": 2.5}
        made.documents |= {
            f"{path}/history": {"history": {"event": event}},
            f"{path}/gainloss": {"gainloss": "null"},
        }
        yield made


@pytest.fixture(scope="module")
def live(broker, migrated_file, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    given = {
        "TRADIER_ACCESS_TOKEN": TOKEN,
        "TRADIER_ACCOUNT_ID": ACCOUNT,
        "TRADIER_BASE_URL": broker.base_url,
    }
    url = f"sqlite:///{home / 'cornerman.db'}"
    feed = ProviderFeed(Provenance.DELAYED)
    with live_server(home, url, environment=given, feed=feed) as server:
        yield server


def asked(live, path=API, client=None):
    """Return the answer, which has its documented shape."""
    client = client or live.key()
    document = client.get("/openapi.json").json()
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    responses = document["paths"][path.partition("?")[0]]["get"]["responses"]
    schema = responses["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": document["components"]})
    return answer.json()


def test_the_loops_connect_the_account_and_the_route_shows_it(live):
    client, end = live.key(), time.monotonic() + WITHIN_S
    while "connected" not in asked(live, client=client)["why"]:
        assert time.monotonic() < end, asked(live, client=client)["why"]
        time.sleep(0.3)
    found = asked(live, client=client)
    assert (found["on"], found["account_id"], found["mode"]) == (
        True,
        f"tradier-{ACCOUNT}",
        "paper",
    )
    assert found["balances"]["cash"] == "50000"
    assert (found["positions"], found["drift"], found["provenance"]) == ([], [], "SIMULATED")


def test_what_happened_is_read_from_the_broker(live):
    found = asked(live, YEAR)
    assert found["closed"] == []
    assert [(one["type"], one["amount"], one["on"]) for one in found["activity"]] == [
        ("interest", "2.5", "2026-05-04")
    ]


@pytest.mark.parametrize(
    "days", ["start=2026-02-01&end=2026-01-01", "start=2024-01-01&end=2026-01-01"]
)
def test_days_the_wrong_way_round_or_too_many_are_refused(live, days):
    answer = live.key().get(f"{API}/activity?{days}")
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAM_INVALID")


def test_a_broker_that_is_not_connected_says_what_it_lacks(live):
    found = asked(live, f"{API}?broker=alpaca")
    assert (found["name"], found["on"], found["account_id"]) == ("alpaca", False, "")
    assert "ALPACA_KEY_ID is not set" in found["why"]
    assert live.key().get(f"{API}?broker=paper").status_code == 422
    assert asked(live, f"{API}?broker=tradier")["account_id"] == f"tradier-{ACCOUNT}"


def test_another_tenant_learns_nothing_of_the_account(live):
    other = live.key(tenant="ten_other", name="other")
    found = asked(live, client=other)
    assert (found["on"], found["account_id"], found["balances"]) == (False, "", None)
    assert ACCOUNT not in str(found)
    happened = asked(live, YEAR, client=other)
    assert (happened["on"], happened["activity"]) == (False, [])
    assert ACCOUNT not in str(happened)


def test_a_broker_that_does_not_answer_is_said_to_be_so(live, broker):
    broker.down = True
    try:
        found = asked(live)
        refused = live.key().get(YEAR)
    finally:
        broker.down = False
    assert (found["balances"], found["positions"]) == (None, [])
    assert "not reached" in found["why"]
    assert refused.json()["code"] == "PROVIDER_UNAVAILABLE"


def test_the_token_is_nowhere_in_answers_or_log(live):
    said = str(asked(live)) + live.key().get("/api/v1/diag/config").text + live.lines()
    assert TOKEN not in said
