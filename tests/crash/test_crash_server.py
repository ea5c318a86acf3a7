"""A killed server: the same session, the exact next event, one order, sound books."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import httpx
import pytest

from tests.fakes.model_server import Answer, Pause, end_frames, running_server, text_frames
from tests.journeys.serving import (
    BUY,
    PLAN,
    Person,
    Reader,
    Seen,
    Server,
    rows,
    serving,
    still_home,
    violations,
)

pytestmark = pytest.mark.crash
PROVE = os.environ.get("CORNERMAN_PROVE") == "1"
TEXT = "A plan names its stop before its entry. " * 24


def slow_answer() -> Answer:
    """A long answer that takes a while, so that a kill falls into it."""
    frames: list = []
    for piece in text_frames(TEXT):
        frames += [piece, Pause(0.01)]
    return Answer([*frames, *end_frames()])


def wires(seen: list[Seen]) -> list[tuple[str, str]]:
    return [(one.id, one.type) for one in seen]


def stored(home: Path, talk: str) -> list[tuple[str, str]]:
    return [
        (f"{epoch}.{seq}", kind)
        for epoch, seq, kind in rows(
            home, f"SELECT epoch, seq, type FROM coach_events WHERE stream='{talk}' ORDER BY seq"
        )
    ]


def sound(home: Path) -> None:
    assert violations(home) == []
    assert rows(home, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.fault("F111")
@pytest.mark.parametrize("after", (1, 3, 9) if PROVE else (3,), ids=lambda n: f"{n}-sentences")
def test_a_kill_while_streaming_resumes_at_the_exact_event(tmp_path, after):
    home = still_home(tmp_path / "streaming")
    with running_server(lambda _request: slow_answer()) as model:
        given = {"OPENAI_BASE_URL": model.base_url, "OPENAI_MODEL": "scripted"}
        server = Server(home, **given)
        person = Person(server)
        talk = person.start()
        reader = person.reader(talk)
        person.post(f"coach/conversations/{talk}/messages", {"text": "teach me"})
        for _ in range(after):
            reader.until(lambda one: one.type == "text.delta")
        server.kill()
        assert reader.until(lambda _one: False) is None
        reader.close()
        person.close()
        before = wires(reader.seen)
        assert before
        assert before[-1][1] != "run.finished"

        with serving(home, **given) as again:
            person = Person(again, person.cookie)
            resumed = person.reader(talk, last=before[-1][0])
            resumed.until(lambda one: one.type == "run.error")
            resumed.close()
            assert resumed.seen[-1].body["code"] == "RUN_INTERRUPTED"
            assert resumed.seen[-1].body["retryable"] is True
            assert before + wires(resumed.seen) == stored(home, talk)
            assert person.say(talk, "go on").startswith("A plan names its stop")
            person.close()
    sound(home)


KILLS = (
    "confirm.before_commit",
    "execute.after_attempt",
    "settle.after_post",
    "ledger.after_entries",
)


@pytest.mark.parametrize("name", KILLS)
def test_a_server_killed_between_confirm_and_fill_leaves_one_order(tmp_path, name):
    home = still_home(tmp_path / "order")
    with serving(home) as server:
        person = Person(server)
        talk = person.start()
        for text in (PLAN, BUY):
            person.say(talk, text)
        card = person.pending()[0]["id"]
        cookie = person.cookie
        person.close()
    seen = stored(home, talk)

    armed = Server(home, CORNERMAN_FAILPOINT=f"{name}:exit")
    person = Person(armed, cookie)
    attempt = person.attempt(card)
    with contextlib.suppress(httpx.HTTPError):
        person.send(f"proposals/{card}/confirm", attempt, key="kill-between-confirm-and-fill")
    assert armed.wait() == 137
    armed.kill()
    person.close()

    with serving(home) as again:
        person = Person(again, cookie)
        body = person.post(
            f"proposals/{card}/confirm", attempt, key="kill-between-confirm-and-fill"
        )
        assert body["status"] == "confirmed"
        filled = person.settled(card)
        assert filled["order_id"] == body["order_id"]
        reader = Reader(
            person.client, f"/api/v1/coach/conversations/{talk}/events", last=seen[-1][0]
        )
        reader.until(lambda one: one.body.get("order_state") == "FILLED")
        reader.close()
        assert seen + wires(reader.seen) == stored(home, talk)
        person.close()
    assert rows(home, "SELECT count(*) FROM order_intents") == [(1,)]
    assert rows(home, "SELECT count(*) FROM paper_orders") == [(1,)]
    assert rows(home, "SELECT count(*) FROM ledger_batches WHERE kind='BUY'") == [(1,)]
    sound(home)


def test_kill_9_again_and_again_while_it_works_loses_nothing(tmp_path):
    home = still_home(tmp_path / "again")
    cookie, talk, card, attempt = "", "", "", {}
    kills = 40 if PROVE else 3
    for number in range(kills + 1):
        server = Server(home)
        try:
            person = Person(server, cookie)
            cookie = person.cookie
            talk = talk or person.start()
            if not card:
                for text in (PLAN, BUY):
                    person.say(talk, text)
                card = person.pending()[0]["id"]
                attempt = person.attempt(card)
            person.send(f"proposals/{card}/confirm", attempt, key="again-and-again-the-same-key")
            if number == kills:
                person.settled(card)
            else:
                time.sleep(0.004 * number)
            person.close()
        finally:
            server.kill()
    assert [row[0] for row in rows(home, "SELECT state FROM order_intents")] == ["FILLED"]
    assert rows(home, "SELECT kind FROM ledger_batches ORDER BY seq") == [
        ("CONTRIBUTION",),
        ("BUY",),
    ]
    sound(home)
