"""A provider that says a price a hundredfold: at every door a finding, and never a price."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from services.kit.context import SCOPES
from services.market.session import sessions_between
from tests.fakes.massive_server import KEY, MassiveServer
from tests.fakes.massive_stream import RealClock
from tests.unit.http.live import GENEROUS, live_server
from tests.unit.http.ws import enter
from tests.unit.market.test_massive import millis, snapshot

START = datetime(2027, 1, 12, 15, 0, 30, tzinfo=UTC)
CLOSE = 190.0


def day(session):
    opens = datetime(session.date.year, session.date.month, session.date.day, 5, tzinfo=UTC)
    edges = dict.fromkeys(("o", "h", "l", "c"), CLOSE)
    return {"t": millis(opens), **edges, "v": 1000, "n": 3}


def minute(at, bad):
    opens = START.replace(minute=30, second=0) + timedelta(hours=-1, minutes=at)
    return {"t": millis(opens), **dict.fromkeys(("o", "h", "l", "c"), CLOSE * (100 if bad else 1)),
            "v": 1000, "n": 3}  # fmt: skip


@pytest.fixture(scope="module")
def clock():
    return RealClock(START)


@pytest.fixture(scope="module")
def massive(clock):
    with MassiveServer(page_size=500) as running:
        days = sessions_between("XNYS", (START - timedelta(days=60)).date(), START.date())
        for symbol, factor in (("AAPL", 100), ("IBM", 1)):
            price = CLOSE * factor
            running.list_ticker(symbol)
            running.bars[symbol, "1day"] = [day(one) for one in days[:-1]]
            running.snapshots[symbol] = snapshot(price - 0.01, price + 0.01, price, clock.now())
        for symbol, bad in (("AAPL", range(30)), ("IBM", (12,))):
            running.bars[symbol, "1minute"] = [minute(at, at in bad) for at in range(30)]
        yield running


@pytest.fixture(scope="module")
def desk(massive, clock, migrated_file, tmp_path_factory):
    home = tmp_path_factory.mktemp("untrue")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    keyed = {"MASSIVE_API_KEY": KEY, "MASSIVE_BASE_URL": massive.base_url}
    url = f"sqlite:///{home / 'cornerman.db'}"
    with live_server(home, url, environment={**GENEROUS, **keyed}, clock=clock) as server:
        yield server, server.key(*SCOPES)


@pytest.mark.fault("F019")
def test_the_price_of_a_symbol_is_refused_with_the_last_good_value(desk):
    answer = desk[1].get("/api/v1/symbols/AAPL/price")
    assert (answer.status_code, answer.json()["code"]) == (409, "DQ_BLOCK")
    assert answer.json()["facts"]["finding"] == "DQ_SCALE_SUSPECT"
    assert "The last good value is 190 " in answer.json()["hint"]
    assert desk[1].get("/api/v1/symbols/IBM/price").json()["last"] == "190"


def test_the_tool_door_gives_findings_as_objects(desk):
    answer = desk[1].post("/api/v1/tools/quote", json={"args": {"symbols": ["AAPL"]}})
    facts = answer.json()["facts"]
    assert {one["code"] for one in facts["findings"]} >= {"DQ_SCALE_SUSPECT"}
    assert {one["symbol"] for one in facts["findings"]} == {"AAPL"}
    assert isinstance(facts["freezes"], list)


def test_the_tool_tells_the_true_quotes_and_names_what_it_leaves_out(desk):
    asked = {"args": {"symbols": ["AAPL", "IBM"]}}
    body = desk[1].post("/api/v1/tools/quote", json=asked).json()["result"]
    assert [one["symbol"] for one in body["quotes"]] == ["IBM"]
    assert body["summary"].endswith("AAPL: its price can not be true.")
    assert "19000" not in str(body)


def test_the_state_names_it_among_what_is_missing(desk):
    body = desk[1].get("/api/v1/stream/state?symbols=AAPL,IBM").json()
    assert [one["symbol"] for one in body["prices"]] == ["IBM"]
    assert [(one["symbol"], one["code"]) for one in body["missing"]] == [("AAPL", "DQ_BLOCK")]


def test_a_live_reader_gets_the_finding_and_no_price(desk):
    server, door = desk
    with enter(server, door) as reader:
        reader.send(type="subscribe", channels=["price"], symbols=["AAPL", "IBM"])
        assert reader.until("error", symbol="AAPL")["code"] == "DQ_BLOCK"
        if not any(one["type"] == "price" for one in reader.seen):
            reader.until("price", symbol="IBM")
        assert not [one for one in reader.seen if one.get("last") == "19000"]


@pytest.mark.fault("F019")
def test_a_bar_in_another_unit_is_not_drawn_and_is_named(desk):
    body = desk[1].get("/api/v1/symbols/IBM/history?timeframe=1m").json()
    assert {one["c"] for one in body["bars"]} == {"190"}
    assert [(one["t"], one["code"]) for one in body["left_out"]] == [
        ("2027-01-12T14:42:00.000Z", "DQ_SCALE_SUSPECT")
    ]
    assert body["note"].startswith("1 bar that can not be true is left out: 2027-01-12T14:42")
    assert len(body["bars"]) == 29


def test_a_series_without_a_true_bar_is_refused_with_the_last_good_value(desk):
    answer = desk[1].get("/api/v1/symbols/AAPL/history?timeframe=1m")
    assert (answer.status_code, answer.json()["code"]) == (409, "DQ_BLOCK")
    facts = answer.json()["facts"]
    assert (facts["finding"], facts["last_good"]) == ("DQ_SCALE_SUSPECT", "190")


def test_the_tool_of_bars_says_what_it_leaves_out(desk):
    asked = {"args": {"symbol": "IBM", "timeframe": "1m", "count": 30}}
    body = desk[1].post("/api/v1/tools/bars", json=asked).json()["result"]
    assert "19000" not in str(body)
    assert "can not be true is left out: 2027-01-12T14:42" in body["summary"]


def test_the_metrics_of_the_session_stand_on_true_bars(desk):
    [one] = desk[1].get("/api/v1/symbols/metrics?symbols=IBM").json()["items"]
    assert (one["high"], one["bars"]) == ("190", 29)
