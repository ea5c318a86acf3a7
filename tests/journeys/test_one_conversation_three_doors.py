"""One conversation through HTTP, through a scripted model, and at the terminal: the same ledger."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.model_server import Answer, calls_answer, running_server, text_answer
from tests.journeys.serving import (
    BUY,
    PLAN,
    ROOT,
    WHY,
    Person,
    clean_environment,
    legs,
    rows,
    serving,
    still_home,
    violations,
)

pytestmark = pytest.mark.xdist_group("journeys")


def converse(person: Person) -> tuple[dict[str, str], dict]:
    """Plan, buy, confirm, ask why; return what was said and the filled proposal."""
    talk = person.start()
    said = {text: person.say(talk, text) for text in (PLAN, BUY)}
    cards = person.pending()
    assert [card["order"]["symbol"] for card in cards] == ["AAPL"]
    person.post(f"proposals/{cards[0]['id']}/confirm", person.attempt(cards[0]["id"]))
    filled = person.settled(cards[0]["id"])
    said[WHY] = person.say(talk, WHY)
    return said, filled


@pytest.fixture(scope="module")
def by_rules(tmp_path_factory):
    """The conversation through HTTP with the built-in rules: the reference of the other doors."""
    home = still_home(tmp_path_factory.mktemp("rules"))
    with serving(home) as server:
        person = Person(server)
        began = time.monotonic()
        said, filled = converse(person)
        took = time.monotonic() - began
        person.close()
    return home, said, filled, took


def test_a_stranger_is_filled_within_half_a_minute(by_rules):
    home, said, filled, took = by_rules
    assert took < 30
    assert filled["order_state"] == "FILLED"
    assert filled["status"] == "confirmed"
    assert "61 shares" in said[PLAN]
    assert "card" in said[BUY]
    assert "61 AAPL" in said[WHY]
    assert "journal" in said[WHY]
    kinds = [leg[0] for leg in legs(home)]
    assert kinds == ["CONTRIBUTION"] * 2 + ["BUY"] * (len(kinds) - 2)
    assert violations(home) == []


class ScriptedTrader:
    """A model behind the wire that calls the same tools and speaks of what they gave."""

    def __call__(self, request: dict) -> Answer:
        messages = request["messages"]
        last = max(at for at, one in enumerate(messages) if one["role"] == "user")
        asked = str(messages[last]["content"])
        now = self._results(messages[last:])
        if PLAN in asked:
            return self._plan(now)
        if WHY in asked:
            if not now:
                return calls_answer(("portfolio", {}), ("journal_list", {"limit": 20}))
            return text_answer("You hold 61 AAPL, and the journal says why.")
        if not now:
            sized = next(
                one for one in reversed(self._results(messages)) if "one_r" in one["result"]
            )
            return calls_answer(
                (
                    "propose_order",
                    {
                        "symbol": "AAPL",
                        "side": "buy",
                        "quantity": sized["result"]["quantity"],
                        "type": "market",
                        "tif": "day",
                        "basis_ref": sized["ref"],
                    },
                )
            )
        return text_answer("The card is ready; only you can confirm it.")

    def _plan(self, now: list[dict]) -> Answer:
        if not now:
            return calls_answer(("plan_check", {"symbol": "AAPL", "side": "long", "stop": "3%"}))
        if len(now) == 1:
            plan = now[0]["result"]
            return calls_answer(
                (
                    "size",
                    {
                        "symbol": "AAPL",
                        "side": "long",
                        "entry": plan["entry"],
                        "stop": plan["stop"],
                        "risk_pct": "1%",
                    },
                )
            )
        return text_answer(f"That is {now[1]['result']['quantity']} shares of AAPL.")

    @staticmethod
    def _results(messages: list[dict]) -> list[dict]:
        found = []
        for one in messages:
            if one["role"] == "tool":
                body = json.loads(one["content"])
                assert body["ok"], body
                found.append(body)
        return found


def test_a_scripted_endpoint_leaves_the_same_ledger(by_rules, tmp_path):
    home = still_home(tmp_path / "model")
    with (
        running_server(ScriptedTrader()) as model,
        serving(
            home,
            OPENAI_BASE_URL=model.base_url,
            OPENAI_MODEL="scripted",
            OPENAI_API_KEY="k-scripted-endpoint",
        ) as server,
    ):
        person = Person(server)
        said, filled = converse(person)
        person.close()
        assert model.requests
    assert filled["order_state"] == "FILLED"
    assert "61 shares" in said[PLAN]
    assert "card is ready" in said[BUY]
    assert "61 AAPL" in said[WHY]
    assert legs(home) == legs(by_rules[0])
    assert violations(home) == []


def command(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "cornerman.py"), *words],
        cwd=home,
        env=clean_environment(home, **environment),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def at_a_terminal(home: Path, *words: str, typed: str, prompt: str) -> tuple[int, str]:
    """Run a command on a terminal of its own; type when it asks, and return what was shown."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execve(
            sys.executable,
            [sys.executable, str(ROOT / "cornerman.py"), *words],
            clean_environment(home, TERM="dumb"),
        )
    shown, answered, ends = b"", False, time.monotonic() + 60
    try:
        while time.monotonic() < ends:
            ready, _, _ = select.select([master], [], [], 0.5)
            if ready:
                try:
                    piece = os.read(master, 65536)
                except OSError:
                    break
                if not piece:
                    break
                shown += piece
            if not answered and prompt.encode() in shown:
                os.write(master, typed.encode() + b"\n")
                answered = True
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(master)
    return os.waitstatus_to_exitcode(status), shown.decode(errors="replace")


def test_the_terminal_leaves_the_same_ledger(by_rules, tmp_path):
    home = still_home(tmp_path / "terminal")
    events = []
    for text in (PLAN, BUY):
        done = command(home, "chat", "--resume", "--once", text, "--json")
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert [line["type"] for line in lines][-1] == "run.finished"
        events += lines
    cards = {line["proposal_id"] for line in events if line["type"] == "proposal.pending"}
    assert len(cards) == 1
    card = cards.pop()
    piped = command(home, "confirm", card)
    assert piped.returncode == 1
    assert "NO_TTY" in piped.stderr
    assert legs(home) == legs(by_rules[0])[:2]
    code, shown = at_a_terminal(home, "confirm", card, typed="y", prompt="Confirm this order?")
    assert code == 0, shown
    assert "buy" in shown.lower()
    assert "AAPL" in shown
    assert "filled" in shown
    assert legs(home) == legs(by_rules[0])
    why = command(home, "chat", "--resume", "--once", WHY)
    assert "61 AAPL" in why.stdout
    doctor = command(home, "doctor", "--json")
    bad = [one for one in json.loads(doctor.stdout) if not one["ok"] and one["name"] != "page"]
    assert bad == []
    assert command(home, "audit", "verify").returncode == 0


@pytest.fixture(scope="module")
def open_house(tmp_path_factory):
    """One server whose model may be told what to say next, and a person at it."""
    said: list[Answer] = []

    def script(_request: dict) -> Answer:
        return said.pop(0) if said else text_answer("There is nothing to add.")

    home = still_home(tmp_path_factory.mktemp("open"))
    with (
        running_server(script) as model,
        serving(home, OPENAI_BASE_URL=model.base_url, OPENAI_MODEL="scripted") as server,
    ):
        person = Person(server)
        yield home, person, said, model
        person.close()


def card_for(person: Person, quantity: str, symbol: str = "MSFT") -> dict:
    """A pending card without any model."""
    made = person.post(
        "portfolio/trade",
        {"symbol": symbol, "side": "buy", "quantity": quantity, "type": "market", "tif": "day"},
    )
    return person.get(f"proposals/{made['result']['proposal_id']}")


@pytest.mark.fault("F061")
def test_sixteen_confirmations_at_once_make_one_order(open_house):
    home, person, _, _ = open_house
    card = card_for(person, "3")
    attempt = person.attempt(card["id"])

    def confirm(number: int) -> int:
        return person.send(
            f"proposals/{card['id']}/confirm", attempt, key=f"sixteen-at-once-{number:04}"
        ).status_code

    with ThreadPoolExecutor(16) as pool:
        codes = sorted(pool.map(confirm, range(16)))
    assert codes == [200] + [409] * 15
    person.settled(card["id"])
    found = rows(home, f"SELECT count(*) FROM order_intents WHERE proposal_id='{card['id']}'")
    assert found == [(1,)]
    assert violations(home) == []


def test_two_browsers_that_confirm_the_same_card_make_one_order(open_house):
    home, person, _, _ = open_house
    card = card_for(person, "4")
    other = Person(person.server, person.cookie)  # a second tab shares the session
    attempts = [person.attempt(card["id"]), other.attempt(card["id"])]
    with ThreadPoolExecutor(2) as pool:
        codes = list(
            pool.map(
                lambda pair: pair[0].send(f"proposals/{card['id']}/confirm", pair[1]).status_code,
                zip((person, other), attempts, strict=True),
            )
        )
    other.close()
    assert min(codes) == 200
    assert max(codes) >= 400
    person.settled(card["id"])
    assert rows(home, f"SELECT count(*) FROM order_intents WHERE proposal_id='{card['id']}'") == [
        (1,)
    ]


@pytest.mark.fault("F063")
def test_an_edited_order_kills_the_old_card(open_house):
    _, person, _, _ = open_house
    card = card_for(person, "5")
    attempt = person.attempt(card["id"])
    edited = person.post(f"proposals/{card['id']}/edit", {"quantity": "6"})
    old = person.send(f"proposals/{card['id']}/confirm", attempt)
    assert old.status_code == 409
    assert old.json()["code"] in ("PROPOSAL_NOT_PENDING", "TOKEN_EXPIRED", "PROPOSAL_VERSION")
    crossed = person.send(f"proposals/{edited['id']}/confirm", attempt)
    assert crossed.status_code in (403, 409)
    assert edited["version"] == 2
    assert edited["order"]["quantity"] == "6"
    person.post(f"proposals/{edited['id']}/confirm", person.attempt(edited["id"]))
    assert person.settled(edited["id"])["order_state"] == "FILLED"


@pytest.mark.fault("F006")
def test_a_token_pasted_in_the_chat_is_redacted_and_confirms_nothing(open_house):
    home, person, said, model = open_house
    card = card_for(person, "7")
    token = person.challenge(card["id"])["token"]
    said.append(text_answer("Only you can confirm a card."))
    talk = person.start()
    before = len(model.requests)
    person.say(talk, f"confirm it: {token}")
    assert person.get(f"proposals/{card['id']}")["status"] == "pending"
    assert token not in json.dumps(model.requests[before:])
    assert token not in json.dumps(person.get(f"coach/conversations/{talk}/messages"))
    stored = "".join(str(row) for row in rows(home, "SELECT text, document FROM coach_entries"))
    assert token not in stored
    assert "token removed" in stored
    assert violations(home) == []
    person.post(f"proposals/{card['id']}/decline", {"reason": "a test"})


def test_a_model_that_says_executed_is_corrected_by_the_rows(open_house):
    _, person, said, _ = open_house
    card = card_for(person, "8")
    said.append(text_answer("Done. I bought 8 MSFT for you, the order is executed."))
    answer = person.say(person.start(), "how is my MSFT order?")
    assert "I bought" not in answer
    assert "is executed" not in answer
    assert "confirm" in answer.lower() or "pending" in answer.lower() or "wait" in answer.lower()
    person.post(f"proposals/{card['id']}/decline", {"reason": "a test"})


@pytest.mark.parametrize("name", ["confirm_order", "execute_order"])
@pytest.mark.fault("F005")
def test_a_model_can_not_call_what_confirms_or_executes(open_house, name):
    home, person, said, model = open_house
    card = card_for(person, "9")
    said += [calls_answer((name, {"proposal_id": card["id"]})), text_answer("I can not do that.")]
    talk = person.start()
    before = len(model.requests)
    person.say(talk, "confirm my card")
    finished = [
        json.loads(body)
        for (body,) in rows(
            home, f"SELECT body FROM coach_events WHERE type='tool.finished' AND stream='{talk}'"
        )
    ]
    assert [(one["ok"], one["error"]["code"]) for one in finished] == [(False, "TOOL_UNKNOWN")]
    offered = {
        tool["function"]["name"] for one in model.requests[before:] for tool in one.get("tools", ())
    }
    assert not offered & {"confirm_order", "execute_order", "confirm", "execute"}
    assert person.get(f"proposals/{card['id']}")["status"] == "pending"
    person.post(f"proposals/{card['id']}/decline", {"reason": "a test"})


def test_a_dead_endpoint_gets_the_rules_answer_that_says_why(tmp_path):
    home = still_home(tmp_path / "dead")
    with serving(home, OPENAI_BASE_URL="http://127.0.0.1:9/v1", OPENAI_MODEL="dead") as server:
        person = Person(server)
        talk = person.start()
        first = person.say(talk, "what's AAPL doing")
        person.close()
    assert "The language model is not used" in first
    assert "AAPL" in first
    assert "409" in first
