"""The routes of news, earnings, chains and watchlists, beside a provider and without one."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from services.kit.clock import instant_text
from services.kit.context import SCOPES
from tests.fakes.massive_server import KEY, Fault, MassiveServer
from tests.unit.http.live import GENEROUS, live_server
from tests.unit.market.test_chain import contract, listed
from tests.unit.market.test_massive import snapshot

API = "/api/v1"
EXPIRY = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()


def article(**given):
    return {
        "id": "n1",
        "title": "Apple \u202eopens</script> a factory",
        "publisher": {"name": "Reuters"},
        "article_url": "https://example.com/a?utm_source=x",
        "published_utc": instant_text(datetime.now(UTC) - timedelta(minutes=3)),
        "tickers": ["AAPL"],
        **given,
    }


@pytest.fixture(scope="module")
def massive():
    with MassiveServer() as running:
        for symbol in ("AAPL", "MSFT"):
            running.list_ticker(symbol)
            running.snapshots[symbol] = snapshot(at=datetime.now(UTC))
        running.news = [article()]
        running.earnings = [
            {"ticker": "AAPL", "date": EXPIRY, "date_status": "projected"},
            {"ticker": "MSFT", "date": EXPIRY},
        ]
        running.contracts = [listed(EXPIRY)]
        now = datetime.now(UTC)
        running.chains["AAPL"] = [contract(190, at=now, expiry=EXPIRY)]
        yield running


@pytest.fixture(scope="module")
def door(massive, migrated_file, tmp_path_factory):
    home = tmp_path_factory.mktemp("watch")
    shutil.copyfile(migrated_file, home / "cornerman.db")
    keyed = {"MASSIVE_API_KEY": KEY, "MASSIVE_BASE_URL": massive.base_url}
    url = f"sqlite:///{home / 'cornerman.db'}"
    with live_server(home, url, environment={**GENEROUS, **keyed}) as server:
        yield server.key(*SCOPES)


def get(caller, path):
    answer = caller.get(API + path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_news_come_with_label_age_and_plain_text(door):
    body = get(door, "/news?symbols=AAPL,msft")
    (story,) = body["items"]
    assert story["title"] == "Apple opens</script> a factory"
    assert (story["url"], story["quality"]) == ("https://example.com/a", "newsroom")
    assert 170 <= story["age_s"] <= 300
    assert (body["source"], body["provenance"], body["reason"]) == ("massive", "LIVE", None)


def test_news_of_any_symbol_need_no_symbol(door):
    assert len(get(door, "/news")["items"]) == 1


def test_earnings_come_by_symbol_confirmed_or_not(door):
    (row,) = get(door, "/earnings?symbols=AAPL&days=60")["items"]
    assert (row["next"]["date"], row["next"]["confirmed"]) == (EXPIRY, False)
    assert row["last"] is None


def test_a_chain_has_its_label_and_the_spot_its_own(door):
    assert get(door, "/options/expirations?symbol=AAPL")["items"] == [EXPIRY]
    body = get(door, f"/options/chain?symbol=AAPL&expiry={EXPIRY}")
    (one,) = body["items"]
    assert (one["bid"], one["mid"], one["delta"], one["flags"]) == ("1.25", "1.3", "0.5", [])
    assert (body["provenance"], body["spot_provenance"], body["source"]) == (
        "LIVE",
        "DELAYED",
        "massive",
    )


def test_an_expiry_that_is_none_names_the_nearest(door):
    answer = door.get(f"{API}/options/chain?symbol=AAPL&expiry=2040-01-20")
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAM_INVALID")
    assert answer.json()["facts"]["nearest"] == [EXPIRY]


@pytest.mark.parametrize(
    "path",
    [
        "/news?symbols=" + ",".join(f"A{n}" for n in range(11)),
        "/news?limit=51",
        "/news?symbols=%00",
        "/earnings?days=91",
        "/options/chain?symbol=AAPL%2F..&expiry=x",
        "/options/chain",
    ],
)
def test_questions_out_of_bounds_are_refused(door, path):
    assert door.get(API + path).status_code == 422


def test_an_unknown_symbol_is_refused_with_the_nearest_names(door):
    answer = door.get(f"{API}/news?symbols=AAPLE")
    assert (answer.status_code, answer.json()["code"]) == (422, "SYMBOL_UNKNOWN")
    assert "AAPL" in answer.json()["facts"]["nearest"]


def test_a_replay_has_no_news_earnings_or_chains_and_says_what_to_set(owner_key):
    for path in ("/news", "/earnings?symbols=AAPL", "/options/chain?symbol=AAPL",
                 "/options/expirations?symbol=AAPL"):  # fmt: skip
        body = get(owner_key, path)
        assert (body["items"], body["reason"]) == ([], "provider_disabled")
        assert "MASSIVE_API_KEY" in body["todo"]


def test_a_watchlist_is_saved_changed_and_deleted(owner_key):
    assert "save one" in get(owner_key, "/watchlists")["hint"]
    key = iter(range(10))

    def send(method, path, body=None):
        headers = {"idempotency-key": f"watchlists-{next(key):010}"}
        return owner_key.request(method, API + path, json=body, headers=headers)

    made = send("POST", "/watchlists", {"name": "Tech", "symbols": ["MSFT", "AAPL"]})
    assert (made.status_code, made.json()["symbols"]) == (201, ["MSFT", "AAPL"])
    path = f"/watchlists/{made.json()['id']}"
    assert send("PATCH", path, {"symbols": ["IBM"]}).json()["symbols"] == ["IBM"]
    assert get(owner_key, "/watchlists") == {
        "items": [get(owner_key, "/watchlists")["items"][0]],
        "hint": None,
    }
    refused = send("PATCH", path, {"symbols": ["IBMM"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "SYMBOL_UNKNOWN")
    assert send("DELETE", path).json() == {"deleted": made.json()["id"]}
    gone = send("DELETE", path)
    assert (gone.status_code, gone.json()["code"]) == (404, "WATCHLIST_UNKNOWN")


def test_earnings_without_symbols_are_those_of_what_is_watched(door):
    body = {"name": "Mine", "symbols": ["MSFT"]}
    made = door.post(f"{API}/watchlists", json=body, headers={"idempotency-key": "w" * 20})
    assert made.status_code == 201, made.text
    assert [row["symbol"] for row in get(door, "/earnings")["items"]] == ["MSFT"]


def test_the_largest_list_and_question_fit_one_unit_of_work(door, massive):
    names = [f"Z{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(50)]
    for name in names:
        massive.list_ticker(name)
    body = get(door, f"/earnings?symbols={','.join(names)}")
    assert [row["symbol"] for row in body["items"]] == names
    asked = {"name": "Everything", "symbols": names}
    made = door.post(f"{API}/watchlists", json=asked, headers={"idempotency-key": "e" * 20})
    assert (made.status_code, made.json()["symbols"]) == (201, names)
    door.delete(f"{API}/watchlists/{made.json()['id']}", headers={"idempotency-key": "d" * 20})


def test_a_plan_without_news_answers_empty_with_a_reason_and_keeps_its_prices(
    migrated_file, tmp_path
):
    shutil.copyfile(migrated_file, tmp_path / "cornerman.db")
    with MassiveServer() as massive:
        massive.list_ticker("IBM")
        massive.snapshots["IBM"] = snapshot(at=datetime.now(UTC))
        massive.fault("/v2/reference/news", Fault.DENIED_403)
        keyed = {**GENEROUS, "MASSIVE_API_KEY": KEY, "MASSIVE_BASE_URL": massive.base_url}
        url = f"sqlite:///{tmp_path / 'cornerman.db'}"
        with live_server(tmp_path, url, environment=keyed) as server:
            caller = server.key(*SCOPES)
            body = get(caller, "/news?symbols=IBM")
            assert (body["items"], body["reason"]) == ([], "not_entitled")
            assert get(caller, "/symbols/IBM/price")["source"] == "massive"
            products = get(caller, "/diag/config")["providers"][0]["products"]
    assert {one["feature"]: one["on"] for one in products}["news"] is False
