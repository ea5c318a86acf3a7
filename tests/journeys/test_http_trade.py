"""From a chat message to a filled order over HTTP alone, with every screen told by events."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.http.stream import PER_READER_MAX
from tests.unit.http.live import KEY, live_server

SITE = {"sec-fetch-site": "same-origin"}
NEW = {"idempotency-key": KEY}


@pytest.fixture
def live(database_url, tmp_path):
    """A server on SQLite, and one on PostgreSQL as the role that row-level security binds."""
    with live_server(tmp_path, database_url) as server:
        yield server


def frames(client, path, until, **headers):
    """Events of a stream until `until(event)` holds: (id, document) pairs."""
    seen = []
    with client.stream("GET", path, headers=headers, timeout=30) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        identifier = ""
        for line in answer.iter_lines():
            if line.startswith("id: "):
                identifier = line[4:]
            elif line.startswith("data: "):
                seen.append((identifier, json.loads(line[6:])))
                if until(seen[-1][1]):
                    return seen
    return seen


def ended(event):
    return event["type"] in ("run.finished", "run.error")


def say(client, conversation, text, number):
    answer = client.post(
        f"/api/v1/coach/conversations/{conversation}/messages",
        json={"text": text},
        headers={"idempotency-key": f"{KEY}{number}"},
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["run_id"]


def proposed(client, quantity="5"):
    answer = client.post(
        "/api/v1/portfolio/trade",
        headers={"idempotency-key": f"trade-{quantity:0>20}"},
        json={"symbol": "AAPL", "side": "buy", "quantity": quantity},
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["result"]["proposal_id"]


def card_of(client, proposal):
    challenge = client.get(f"/api/v1/proposals/{proposal}/challenge", headers=SITE)
    assert challenge.status_code == 200, challenge.text
    assert challenge.headers["cache-control"] == "no-store"
    return challenge.json()


def answer_to(card):
    return {name: card[name] for name in ("token", "version", "order_hash")}


def until(check, wait_s=30.0):
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def test_a_chat_message_becomes_a_card_and_the_confirmed_card_a_position(live):
    page = live.page()
    conversation = page.post("/api/v1/coach/conversations", json={}).json()["id"]
    events = f"/api/v1/coach/conversations/{conversation}/events"
    say(page, conversation, "buy 5 AAPL", 1)
    told = frames(page, f"{events}?after=1.0", ended)
    kinds = [event["type"] for _, event in told]
    assert kinds[0] == "run.started"
    assert "proposal.pending" in kinds, kinds
    proposal = next(event for _, event in told if event["type"] == "proposal.pending")
    card = card_of(page, proposal["proposal_id"])
    assert card["card"]["mode"] == "paper"
    confirmed = page.post(
        f"/api/v1/proposals/{proposal['proposal_id']}/confirm", json=answer_to(card), headers=NEW
    )
    assert confirmed.status_code == 200, confirmed.text
    order = confirmed.json()["order_id"]
    filled = until(
        lambda: (
            (found := page.get(f"/api/v1/broker/orders/{order}").json())["state"] == "FILLED"
            and found
        )
    )
    assert filled["filled_quantity"] == "5"
    held = page.get("/api/v1/broker/positions").json()
    assert [(one["symbol"], one["quantity"]) for one in held["items"]] == [("AAPL", "5")]
    assert held["provenance"]
    assert any("AAPL" in json.dumps(one) for one in page.get("/api/v1/journal").json()["items"])
    changed = frames(
        page, "/api/v1/coach/stream?after=1.0", lambda event: event.get("order_state") == "FILLED"
    )
    assert changed[-1][1]["order_id"] == order
    assert page.get("/api/v1/audit/verify").json()["ok"] is True


def test_a_stream_resumes_at_the_exact_event_and_an_unknown_place_resyncs(live):
    page = live.page()
    conversation = page.post("/api/v1/coach/conversations", json={}).json()["id"]
    events = f"/api/v1/coach/conversations/{conversation}/events"
    say(page, conversation, "what's AAPL doing", 1)
    whole = frames(page, f"{events}?after=1.0", ended)
    assert [event["seq"] for _, event in whole] == list(range(1, len(whole) + 1))
    for cut in range(len(whole) - 1):
        rest = frames(page, events, ended, **{"last-event-id": whole[cut][0]})
        assert rest == whole[cut + 1 :]
    lost = frames(
        page, events, lambda event: event["type"] == "state.snapshot", **{"last-event-id": "9.999"}
    )
    assert [event["type"] for _, event in lost] == ["resync", "state.snapshot"]


@pytest.mark.fault("F112")
def test_a_fourth_stream_of_one_session_is_refused_and_a_closed_one_makes_room(live):
    page, streams = live.page(), []
    for _ in range(PER_READER_MAX):
        streams.append(page.stream("GET", "/api/v1/coach/stream"))
        assert streams[-1].__enter__().status_code == 200
    refused = page.get("/api/v1/coach/stream")
    assert (refused.status_code, refused.json()["code"]) == (429, "STREAM_LIMIT")
    for stream in streams:
        stream.__exit__(None, None, None)
    with live.page().stream("GET", "/api/v1/coach/stream") as another:
        assert another.status_code == 200

    def admitted():
        with page.stream("GET", "/api/v1/coach/stream") as answer:
            return answer.status_code == 200

    until(admitted)


def test_two_screens_confirm_the_same_card_and_one_order_exists(live):
    page = live.page()
    proposal = proposed(page)
    card = card_of(page, proposal)

    def confirm(number):
        with httpx.Client(base_url=str(page.base_url), headers=page.headers, timeout=30) as one:
            return one.post(
                f"/api/v1/proposals/{proposal}/confirm",
                json=answer_to(card),
                headers={"idempotency-key": f"{KEY}{number}"},
            ).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(confirm, range(8)))
    assert statuses == [200] + [409] * 7
    assert len(page.get("/api/v1/broker/orders").json()["items"]) == 1


def test_a_repeated_confirm_gets_the_same_answer(live):
    page = live.page()
    proposal = proposed(page)
    body = answer_to(card_of(page, proposal))
    answers = [
        page.post(f"/api/v1/proposals/{proposal}/confirm", json=body, headers=NEW) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"


def test_an_edited_order_kills_the_old_card(live):
    page = live.page()
    proposal = proposed(page)
    old = card_of(page, proposal)
    edited = page.post(f"/api/v1/proposals/{proposal}/edit", json={"quantity": "4"}, headers=NEW)
    assert edited.status_code == 200, edited.text
    assert edited.json()["version"] == old["version"] + 1
    dead = page.post(f"/api/v1/proposals/{proposal}/confirm", json=answer_to(old), headers=NEW)
    assert dead.status_code == 409
    assert page.get("/api/v1/broker/orders").json()["items"] == []


def test_a_halt_stops_the_confirmation_and_says_so_on_every_screen(live):
    page = live.page()
    proposal = proposed(page)
    body = answer_to(card_of(page, proposal))
    assert page.post("/api/v1/halt", json={"reason": "smoke"}, headers=NEW).status_code == 200
    refused = page.post(f"/api/v1/proposals/{proposal}/confirm", json=body, headers=NEW)
    assert refused.status_code in (403, 409)
    told = frames(page, "/api/v1/coach/stream?after=1.0", lambda event: event["type"] == "risk")
    assert told[-1][1]["state"] == "HALTED"
