"""A checked plan is read back by its ref, figure by figure; only its owner sees it."""

PLAN = {"symbol": "AAPL", "side": "long", "stop": "3%"}


def _checked(key):
    answer = key.post("/api/v1/tools/plan_check", json={"args": PLAN})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_checked_plan_is_read_back_exactly_with_the_quote_it_stands_on(owner_key):
    made = _checked(owner_key)
    read = owner_key.get(f"/api/v1/plans/{made['ref']}").json()
    told = made["result"]
    assert {name: read[name] for name in ("symbol", "side", "entry", "stop")} == {
        name: told[name] for name in ("symbol", "side", "entry", "stop")
    }
    assert read["targets"] == [one["price"] for one in told["targets"]]
    (cited,) = made["source"]
    assert (read["provenance"], read["source"], read["as_of"]) == (
        cited["provenance"],
        cited["provider"],
        cited["as_of"],
    )


def test_what_is_no_plan_is_not_found(owner_key):
    sized = owner_key.post(
        "/api/v1/tools/size", json={"args": {"symbol": "AAPL", "side": "long", "stop": "3%"}}
    ).json()
    for ref in (sized["ref"], "res_0000000000000000"):
        answer = owner_key.get(f"/api/v1/plans/{ref}")
        assert (answer.status_code, answer.json()["code"]) == (404, "AUDIT_REF_UNKNOWN")


def test_another_tenant_does_not_find_the_plan(live, owner_key):
    ref = _checked(owner_key)["ref"]
    stranger = live.key("read", tenant="t_other", name="stranger")
    assert stranger.get(f"/api/v1/plans/{ref}").status_code == 404


def test_the_forming_bar_and_the_closed_ones_each_have_their_label(owner_key):
    day = owner_key.get("/api/v1/symbols/AAPL/history", params={"include_partial": True}).json()
    assert [bar["complete"] for bar in day["bars"][-2:]] == [True, False]
    assert (day["closed_provenance"], day["provenance"]) == ("REPLAY", "SIMULATED")
    minutes = owner_key.get("/api/v1/symbols/AAPL/history", params={"timeframe": "1m"}).json()
    assert (minutes["closed_provenance"], minutes["provenance"]) == ("SIMULATED", "SIMULATED")


def test_only_the_script_that_frames_the_chat_is_open_to_other_origins(live):
    client = live.client()
    for name, wanted in (("embed.js", "cross-origin"), ("app.js", "same-origin")):
        answer = client.get(f"/web/{name}")
        assert answer.headers["cross-origin-resource-policy"] == wanted
