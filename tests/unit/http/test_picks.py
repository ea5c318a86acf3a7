"""Ranked ideas over HTTP: labelled, whole, without an act, and empty with a reason."""

from tests.unit.http.live import KEY

ALL = ["AAPL", "GOOG", "IBM", "MSFT"]


def _step(page):
    head = {"idempotency-key": f"{KEY}-picks-step"}
    step = {"action": "step", "seconds": 2100}
    assert page.post("/api/v1/market/replay", json=step, headers=head).status_code == 200


def test_picks_are_ranked_and_every_other_symbol_has_its_rule(live):
    page = live.page()
    _step(page)
    answer = page.get("/api/v1/picks")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    told = [*(one["symbol"] for one in body["items"]), *(one["symbol"] for one in body["rejects"])]
    assert sorted(told) == ALL
    assert [one["rank"] for one in body["items"]] == list(range(1, len(body["items"]) + 1))
    assert all(one["provenance"] and one["plan_id"] is None for one in body["items"])
    done = page.post("/api/v1/tools/picks", json={"args": {}}).json()["result"]
    after = page.get("/api/v1/picks").json()
    assert [one["plan_id"] for one in after["items"]] == [one["plan_id"] for one in done["picks"]]
    first = page.get(f"/api/v1/plans/{done['picks'][0]['plan_id']}").json()
    assert first["stop"]["price"] == done["picks"][0]["stop"]


def test_option_picks_without_a_chain_say_why(live):
    body = live.page().get("/api/v1/options/picks", params={"symbol": "aapl"}).json()
    assert (body["items"], body["reason"]) == ([], "provider_disabled")
    wrong = live.page().get(
        "/api/v1/options/picks", params={"symbol": "AAPL", "profile": "lottery"}
    )
    assert wrong.status_code == 422


def test_the_weekend_plan_is_null_until_it_is_made_and_then_the_stored_document(live):
    page = live.page()
    before = page.get("/api/v1/plans/weekend").json()
    assert (before["plan"], before["hash"]) == (None, None)
    assert before["todo"]
    done = page.post("/api/v1/tools/weekend_plan", json={"args": {}}).json()["result"]
    body = page.get("/api/v1/plans/weekend").json()
    assert (body["hash"], body["plan"]) == (done["hash"], done["plan"])
    assert body["as_of"] == body["plan"]["as_of"]
