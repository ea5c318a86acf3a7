"""A confirmed order seen on /ws: orders, the position and the risk, with the whole state by HTTP."""

import json
import socket

import pytest
from websockets.sync.client import connect

from tests.journeys.serving import BUY, PLAN, Person, serving, still_home

WAIT_S = 20


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    with serving(still_home(tmp_path_factory.mktemp("ws") / "home")) as server:
        one = Person(server)
        yield one
        one.close()


class Line:
    """The page's own connection, with the ticket of the person's session."""

    def __init__(self, person):
        port = int(person.server.address.rpartition(":")[2])
        self.line = connect(
            f"ws://127.0.0.1:{port}/ws",
            sock=socket.create_connection(("127.0.0.1", port)),
            subprotocols=["cornerman.v1"],
            origin=person.server.address,
            proxy=None,
            legacy=True,
        )
        self.seen = []
        self.send(type="auth", ticket=person.post("auth/ws-token", {})["ticket"])

    def send(self, **message):
        self.line.send(json.dumps(message))

    def until(self, fits):
        while True:
            frame = json.loads(self.line.recv(timeout=WAIT_S))
            self.seen.append(frame)
            if fits(frame):
                return frame


@pytest.fixture
def line(person):
    one = Line(person)
    yield one
    one.line.close()


def test_a_confirmed_order_is_seen_to_its_fill_and_as_a_position(person, line):
    line.send(type="subscribe", channels=["price", "orders", "positions", "risk"], symbols=["AAPL"])
    before = line.until(lambda frame: frame["type"] == "orders")
    assert (before["items"], before["whole"]) == ([], True)
    talk = person.start()
    person.say(talk, PLAN)
    person.say(talk, BUY)
    [card] = person.pending()
    person.post(f"proposals/{card['id']}/confirm", person.attempt(card["id"]))
    filled = line.until(
        lambda frame: frame["type"] == "orders" and frame["items"][0]["state"] == "FILLED"
    )
    assert (filled["items"][0]["symbol"], filled["whole"]) == ("AAPL", False)
    held = line.until(lambda frame: frame["type"] == "positions" and frame["items"])["items"][0]
    assert (held["symbol"], held["provenance"]) == ("AAPL", "SIMULATED")
    assert [one["seq"] for one in line.seen] == list(range(1, len(line.seen) + 1))

    state = person.get("stream/state")
    assert [one["symbol"] for one in state["positions"]["items"]] == ["AAPL"]
    assert [one["symbol"] for one in state["prices"]] == ["AAPL"]
    assert (state["risk"]["switch"], state["orders"]["items"]) == ("ACTIVE", [])
    assert state["provenance"] == "SIMULATED"
    later = Line(person)
    later.send(type="subscribe", channels=["positions"])
    snapshot = later.until(lambda frame: frame["type"] == "positions")
    assert snapshot["items"][0]["quantity"] == held["quantity"]
    later.line.close()


def test_the_state_names_what_has_no_price_and_refuses_what_is_no_symbol(person):
    state = person.get("stream/state?symbols=msft,NOPE")
    assert [one["symbol"] for one in state["prices"]] == ["MSFT"]
    assert [(one["symbol"], one["code"]) for one in state["missing"]] == [
        ("NOPE", "SYMBOL_UNKNOWN")
    ]
    answer = person.client.get("/api/v1/stream/state", params={"symbols": "A;B"})
    assert (answer.status_code, answer.json()["code"]) == (422, "PARAM_INVALID")
