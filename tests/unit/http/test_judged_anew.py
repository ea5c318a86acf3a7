"""A refused request is judged anew under the same key; a success is replayed (ADR 13)."""


def test_a_refusal_is_judged_anew_and_a_success_is_replayed(owner_key):
    body = {"symbol": "IBM", "side": "buy", "quantity": "2", "type": "market"}

    def ask(**change):
        return owner_key.post(
            "/api/v1/portfolio/trade",
            json={**body, **change},
            headers={"idempotency-key": "judged-anew-00000001"},
        )

    def switch(word, at):
        done = owner_key.post(
            f"/api/v1/{word}",
            json={"reason": "a test"},
            headers={"idempotency-key": f"judged-{word}-{at:08}"},
        )
        assert done.status_code == 200

    switch("halt", 1)
    assert ask().json()["code"] == "KILL_SWITCH"
    assert ask(symbol="NOPE").json()["code"] != "IDEMPOTENCY_KEY_REUSED"
    switch("resume", 2)
    made = ask()
    assert made.status_code == 202, made.text
    switch("halt", 3)
    again = ask()
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == made.json()
    assert ask(quantity="3").status_code in (409, 422)
    switch("resume", 4)
