"""After a gap a reader gets the whole state: nothing that waits for a person is lost."""

import json

import pytest

from app.http.access import API


@pytest.fixture(scope="module")
def page(live):
    page = live.page()
    page.post(
        f"{API}/resume", json={"reason": "go"}, headers={"idempotency-key": "snap-resume-00001"}
    )
    return page


def snapshot(page, path):
    """The first snapshot of a stream whose place is lost."""
    with page.stream("GET", API + path, headers={"last-event-id": "9.999"}) as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                event = json.loads(line.removeprefix("data:"))
                if event["type"] == "state.snapshot":
                    return event
    raise AssertionError("the stream ended without a snapshot")


def card(page, symbol, key):
    body = {"symbol": symbol, "side": "buy", "quantity": "1", "type": "limit", "limit_price": "1"}
    made = page.post(f"{API}/portfolio/trade", json=body, headers={"idempotency-key": key})
    assert made.status_code == 202, made.text
    return made.json()["result"]["proposal_id"]


def test_the_desk_gets_its_open_cards_orders_and_switch(page):
    waiting = card(page, "AAPL", "snap-desk-waiting-1")
    working = card(page, "IBM", "snap-desk-working-1")
    shown = page.get(f"{API}/proposals/{working}/challenge").json()
    terms = {name: shown[name] for name in ("token", "version", "order_hash")}
    answer = page.post(
        f"{API}/proposals/{working}/confirm",
        json=terms,
        headers={"idempotency-key": "snap-desk-confirm-1"},
    )
    assert answer.status_code == 200, answer.text
    placed = answer.json()["order_id"]
    page.post(
        f"{API}/halt", json={"reason": "lunch"}, headers={"idempotency-key": "snap-halt-0000001"}
    )
    event = snapshot(page, "/coach/stream")
    state = event["state"]
    cards = {one["id"]: one["card"] for one in state["proposals"]}
    assert cards[waiting]["lines"]
    assert working not in cards
    assert [one["id"] for one in state["orders"]] == [placed]
    assert (state["switch"]["state"], state["switch"]["reason"]) == ("HALTED", "lunch")
    assert set(event["changed"]) == {"proposals", "orders", "positions", "switch"}
    assert "ct_" not in json.dumps(event)


def test_a_conversation_gets_its_messages_and_its_own_open_cards(page):
    page.post(
        f"{API}/resume", json={"reason": "go"}, headers={"idempotency-key": "snap-resume-00002"}
    )
    talk = page.post(f"{API}/coach/conversations", json={}).json()["id"]
    page.post(
        f"{API}/coach/conversations/{talk}/messages",
        json={"text": "buy 2 MSFT"},
        headers={"idempotency-key": "snap-say-00000001"},
    )
    with page.stream("GET", f"{API}/coach/conversations/{talk}/events?after=1.0") as answer:
        for line in answer.iter_lines():
            if line == "event: run.finished":
                break
    state = snapshot(page, f"/coach/conversations/{talk}/events")["state"]
    said = [one["text"] for one in state["messages"]["items"] if one["role"] == "user"]
    assert said == ["buy 2 MSFT"]
    assert [(one["order"]["symbol"], one["conversation_id"]) for one in state["proposals"]] == [
        ("MSFT", talk)
    ]
