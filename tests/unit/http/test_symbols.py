"""The routes of symbols, snapshots and job runs; the status of an open, short and closed market."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.identity.user import LOCAL_TENANT
from services.kit.context import SCOPES, system_principal
from services.kit.errors import refuse
from services.market.finding import Finding, Severity
from services.market.freeze import listing_scope, open_freeze
from services.market.last_good import keep_good
from services.market.quote import Provenance
from tests.fakes.hand_feed import HandFeed, listed
from tests.unit.http.live import GENEROUS, live_server

API = "/api/v1"
SATURDAY = datetime(2027, 1, 16, 15, 0, tzinfo=UTC)
HALF_DAY = datetime(2025, 11, 28, 15, 0, tzinfo=UTC)
WHO = system_principal(LOCAL_TENANT)


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    home = tmp_path_factory.mktemp("symbols")
    quiet = {**GENEROUS, "JOBS_EMBEDDED": "false"}
    with live_server(home, f"sqlite:///{home / 'c.db'}", environment=quiet) as server:
        yield server


@pytest.fixture(scope="module")
def door(live):
    return live.key(*SCOPES)


@pytest.fixture
def fresh(tmp_path):
    """A server of its own, where nothing is followed yet."""
    quiet = {**GENEROUS, "JOBS_EMBEDDED": "false"}
    with live_server(tmp_path, f"sqlite:///{tmp_path / 'c.db'}", environment=quiet) as server:
        yield server.key(*SCOPES)


@pytest.fixture
def hand(tmp_path):
    """A server whose market stands where the test puts it."""
    feed = HandFeed()
    quiet = {**GENEROUS, "JOBS_EMBEDDED": "false"}
    url = f"sqlite:///{tmp_path / 'c.db'}"
    with live_server(tmp_path, url, environment=quiet, feed=feed) as server:
        yield server, feed


def get(caller, path, status=200):
    answer = caller.get(API + path)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_symbols_are_found_by_symbol_name_and_likeness(door):
    assert [one["symbol"] for one in get(door, "/symbols")["items"]][:2] == ["AAPL", "GOOG"]
    assert [one["symbol"] for one in get(door, "/symbols?limit=1")["items"]] == ["AAPL"]
    assert get(door, "/symbols?query=appl")["items"][0]["symbol"] == "AAPL"
    assert get(door, "/symbols?query=microsoft")["items"][0]["id"] == "XNAS:MSFT"
    assert get(door, "/symbols?query=zzzzzz")["items"] == []
    assert get(door, "/symbols?query=%00", 422)["code"] == "PARAM_INVALID"


def test_an_unknown_symbol_names_the_three_nearest(door):
    body = get(door, "/symbols/APPL/price", 422)
    assert (body["code"], body["facts"]["nearest"][0]) == ("SYMBOL_UNKNOWN", "AAPL")
    assert len(body["facts"]["nearest"]) == 3


@pytest.mark.parametrize(
    ("window", "timeframe"),
    [("1d", "5m"), ("5d", "30m"), ("1mo", "1d"), ("3mo", "1d"), ("1y", "1d")],
)
def test_a_window_chooses_timeframe_and_count(door, window, timeframe):
    body = get(door, f"/symbols/AAPL/history?window={window}")
    assert body["timeframe"] == timeframe
    assert body["provenance"] in ("REPLAY", "SIMULATED")
    assert get(door, "/symbols/AAPL/history?window=2d", 422)["code"] == "PARAM_INVALID"


def test_metrics_of_a_session_are_those_of_its_minute_bars(live, door):
    door.post(f"{API}/market/replay", json={"action": "step", "seconds": 1800})
    door.post(f"{API}/market/replay", json={"action": "pause"})
    body = get(door, "/symbols/metrics?symbols=AAPL,MSFT")
    assert body["missing"] == []
    found = {one["symbol"]: one for one in body["items"]}["AAPL"]
    bars = get(door, f"/symbols/AAPL/history?timeframe=1m&count={found['bars']}")["bars"]
    volume = sum(Decimal(bar["v"]) for bar in bars)
    paid = sum(
        (Decimal(bar["h"]) + Decimal(bar["l"]) + Decimal(bar["c"])) / 3 * Decimal(bar["v"])
        for bar in bars
    )
    assert Decimal(found["volume"]) == volume
    assert abs(Decimal(found["vwap"]) - paid / volume) < Decimal("0.000001")
    assert Decimal(found["high"]) == max(Decimal(bar["h"]) for bar in bars)
    assert Decimal(found["low"]) == min(Decimal(bar["l"]) for bar in bars)
    assert found["provenance"] == "SIMULATED"
    assert get(door, "/symbols/metrics?symbols=APPL", 422)["code"] == "SYMBOL_UNKNOWN"


def test_a_job_by_hand_is_told_with_its_summary(fresh):
    door = fresh
    assert get(door, "/symbols/metrics")["items"] == []
    door.post(f"{API}/watchlists", json={"name": "Mine", "symbols": ["AAPL"]})
    ran = door.post(f"{API}/task-runs", json={"job": "ingest_eod"})
    assert ran.status_code == 200, ran.text
    assert (ran.json()["status"], ran.json()["origin"]) == ("ok", "manual")
    assert ran.json()["summary"]["bars"] == 400
    listed_runs = get(door, "/task-runs?limit=5")
    assert listed_runs["items"][0]["id"] == ran.json()["id"]
    assert "ingest_intraday" in {one["name"] for one in listed_runs["jobs"]}
    wrong = door.post(f"{API}/task-runs", json={"job": "everything"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "PARAM_INVALID")


def test_who_may_only_read_can_not_run_a_job(live):
    reader = live.key("read", name="reader")
    assert reader.post(f"{API}/task-runs", json={"job": "ingest_eod"}).status_code == 403


def test_snapshots_and_listings_are_those_that_jobs_stored(live, door):
    door.post(f"{API}/watchlists", json={"name": "Other", "symbols": ["MSFT"]})
    assert door.post(f"{API}/task-runs", json={"job": "snapshot_lkg"}).json()["status"] == "ok"
    assert door.post(f"{API}/task-runs", json={"job": "instruments"}).json()["status"] == "ok"
    kept = {one["symbol"]: one for one in get(door, "/snapshots")["items"]}
    assert kept["MSFT"]["provenance"] == "SNAPSHOT"
    assert kept["MSFT"]["taken_provenance"] == "SIMULATED"
    assert [one["symbol"] for one in get(door, "/instruments?after=AAPL&limit=2")["items"]] == [
        "GOOG",
        "IBM",
    ]


def test_an_open_replayed_market_is_labelled_as_such(door):
    status = get(door, "/market/status")
    assert status["state"] == "open"
    assert status["last_good"] == []
    assert status["banner"]["level"] == "warning"
    assert "replayed" in status["banner"]["text"]
    assert [one["calendar"] for one in status["calendars"]] == ["XNYS"]


@pytest.mark.fault("F032")
def test_a_closed_market_shows_the_last_good_quote_with_its_own_time(hand, monkeypatch):
    server, feed = hand
    feed.provenance = Provenance.LIVE
    friday = datetime(2027, 1, 15, 20, 59, tzinfo=UTC)
    quote = replace(feed.quotes["AAPL"], ts=friday, provenance=Provenance.LIVE)
    feed.time = SATURDAY
    server.product.runtime.write(WHO, lambda ctx: keep_good(ctx, listed("AAPL"), quote))

    def gone(_feed, _ctx, _symbol):
        raise refuse("PROVIDER_UNAVAILABLE", provider="hand")

    monkeypatch.setattr(HandFeed, "quote", gone)
    door = server.key(*SCOPES)
    status = get(door, "/market/status")
    assert (status["state"], status["session"]) == ("closed", None)
    assert status["banner"]["text"].startswith("The market is closed.")
    assert status["banner"]["level"] == "info"
    assert [one["ts"] for one in status["last_good"]] == ["2027-01-15T20:59:00.000Z"]
    price = get(door, "/symbols/AAPL/price")
    assert (price["provenance"], price["as_of"]) == ("SNAPSHOT", "2027-01-15T20:59:00.000Z")
    assert price["bid_size"] is None
    assert get(door, "/symbols/MSFT/price", 503)["code"] == "PROVIDER_UNAVAILABLE"
    feed.time = SATURDAY + timedelta(days=3)
    assert get(door, "/symbols/AAPL/price", 503)["code"] == "PROVIDER_UNAVAILABLE"


@pytest.mark.fault("F033")
def test_a_half_day_is_announced_and_over_early(hand):
    server, feed = hand
    feed.provenance = Provenance.LIVE
    door = server.key(*SCOPES)
    feed.time = HALF_DAY
    status = get(door, "/market/status")
    assert (status["state"], status["half_day"]) == ("open", True)
    assert status["banner"]["level"] == "warning"
    assert "Half day: it closes at 18:00 UTC." in status["banner"]["text"]
    feed.time = HALF_DAY.replace(hour=18, minute=1)
    assert get(door, "/market/status")["state"] == "post"


def test_the_banner_tells_a_frozen_symbol_first_and_counts_the_rest(hand):
    server, feed = hand
    feed.provenance = Provenance.LIVE
    door, runtime = server.key(*SCOPES), server.product.runtime
    for number, name in enumerate(("AAPL", "MSFT")):
        finding = Finding(name, "DQ_JUMP", Severity.CRIT, f"no {number} of two")
        scope = listing_scope(f"XNAS:{name}")
        runtime.write(WHO, lambda ctx, f=finding, to=scope: open_freeze(ctx, to, f))
    banner = get(door, "/market/status")["banner"]
    assert banner["level"] == "warning"
    told = "Data are frozen for AAPL and 1 more: no 0 of two (DQ_JUMP). The market is open."
    assert banner["text"].startswith(told)


@pytest.mark.fault("F026")
def test_an_administrator_records_a_split_and_everybody_reads_it(hand):
    server, _ = hand
    path, ratio = f"{API}/instruments/XNAS:AAPL/actions", {"ratio_from": 1, "ratio_to": 10}
    said = {"ex_date": "2027-01-13", "note": "the company's letter", **ratio}
    key = {"idempotency-key": "split-0123456789abcdef"}
    made = server.key(*SCOPES).post(path, json=said, headers=key)
    assert made.status_code == 200, made.text
    assert (made.status_code, made.json()["effective_at"]) == (200, "2027-01-13T14:30:00.000Z")
    reader = server.key("read")
    [found] = get(reader, "/instruments/AAPL/actions")["items"]
    assert (found["source"], found["ratio_to"], found["note"]) == ("person", 10, said["note"])
    denied = reader.post(path, json=said, headers=key)
    assert (denied.status_code, denied.json()["code"]) == (403, "SCOPE_MISSING")
    for wrong in ({"ex_date": "2027-02-30"}, {"ex_date": "2027-01-16"}, {"ratio_to": 0}):
        other = {"idempotency-key": f"split-{next(iter(wrong.values()))}-0123456789"}
        answer = server.key(*SCOPES).post(path, json={**said, **wrong}, headers=other)
        assert answer.status_code == 422, answer.text
