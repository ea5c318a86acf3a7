"""Every verb of the command line as a person runs it: real processes, real terminals, one home."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.serving import ROOT, clean_environment, serving, still_home

pytestmark = pytest.mark.xdist_group("journeys")
CORNERMAN = [sys.executable, str(ROOT / "cornerman.py")]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return still_home(tmp_path_factory.mktemp("verbs"))


def run(home: Path, *words: str, said: str = "", **environment: str):
    """Run one verb without any terminal."""
    return subprocess.run(
        [*CORNERMAN, *words],
        cwd=home,
        input=said,
        text=True,
        timeout=60,
        capture_output=True,
        env=clean_environment(home, **environment),
        start_new_session=True,
        check=False,
    )


class Terminal:
    """A verb on a terminal of its own; wait for words, type, and read what is shown."""

    def __init__(self, home: Path, *words: str) -> None:
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execve(CORNERMAN[0], [*CORNERMAN, *words], clean_environment(home, TERM="dumb"))
        self.shown, self._seen = "", 0

    def see(self, words: str, seconds: float = 30.0) -> None:
        """Wait until `words` appear after what was seen last."""
        ends = time.monotonic() + seconds
        while words not in self.shown[self._seen :]:
            if time.monotonic() > ends or not self._read():
                raise AssertionError(f"{words!r} never came: {self.shown[self._seen :]!r}")
        self._seen = self.shown.index(words, self._seen) + len(words)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self._master)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 0.5)
        if not ready:
            return True
        try:
            piece = os.read(self._master, 65536)
        except OSError:
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


def propose(home: Path, **order: str) -> str:
    """Prepare an order by the tool verb and return its proposal."""
    body = {
        "symbol": "IBM",
        "side": "buy",
        "quantity": "5",
        "type": "market",
        "tif": "day",
        **order,
    }
    done = run(home, "tool", "propose_order", "--json", "-", said=json.dumps(body))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["result"]["proposal_id"]


def test_a_tool_runs_by_its_name_and_a_refusal_ends_with_1(home):
    listed = run(home, "tool")
    assert listed.returncode == 0
    assert "plan_check" in listed.stdout
    good = run(home, "tool", "quote", "--json", '{"symbols":["AAPL"]}')
    assert json.loads(good.stdout)["result"]["quotes"][0]["last"] == "409.2"
    bad = run(home, "tool", "quote", "--json", "-", said='{"symbols":["TSLA"]}')
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["error"]["code"] == "SYMBOL_UNKNOWN"
    hostile = run(home, "tool", "quote", "--json", '{"symbols": NaN}')
    assert json.loads(hostile.stdout)["error"]["code"] == "ARGS_INVALID"
    unknown = run(home, "tool", "frobnicate")
    assert unknown.returncode == 1
    assert "TOOL_UNKNOWN" in unknown.stderr


def test_only_a_terminal_confirms_and_n_declines_to(home):
    card = propose(home)
    piped = run(home, "confirm", card, said="y\ny\n")
    assert piped.returncode == 1
    assert "NO_TTY" in piped.stderr
    refusing = Terminal(home, "confirm", card)
    refusing.see("Confirm this order?")
    refusing.type("n\n")
    assert refusing.end() == 1
    assert "Not confirmed; nothing was sent." in refusing.shown
    agreeing = Terminal(home, "confirm", card)
    agreeing.see("Buy 5 IBM at market")
    agreeing.see("Confirm this order?")
    agreeing.type("y\n")
    assert agreeing.end() == 0
    assert "filled, 5 filled at" in agreeing.shown
    again = Terminal(home, "confirm", card)
    assert again.end() == 1


def test_a_working_order_is_changed_from_the_terminal(home):
    card = propose(home, quantity="2", type="limit", limit_price="150.00", tif="gtc")
    placing = Terminal(home, "confirm", card)
    placing.see("Confirm this order?")
    placing.type("y\n")
    placing.end()
    order = placing.shown.rpartition("(")[2].partition(")")[0]
    done = run(
        home, "tool", "replace_order", "--json", f'{{"order_id":"{order}","limit_price":"151"}}'
    )
    assert done.returncode == 0, done.stdout + done.stderr
    terminal = Terminal(home, "confirm", json.loads(done.stdout)["result"]["proposal_id"])
    terminal.see("150.00 → 151.00")
    terminal.see("Confirm this order?")
    terminal.type("y\n")
    assert terminal.end() == 0, terminal.shown
    assert "done: limit 150.00, gtc became limit 151.00, gtc." in terminal.shown


def test_a_card_is_declined(home):
    card = propose(home, quantity="3")
    done = run(home, "decline", card, "--reason", "too late")
    assert done.returncode == 0
    assert "declined" in done.stdout
    unknown = run(home, "decline", "prop_nothing")
    assert unknown.returncode == 1
    assert "PROPOSAL_UNKNOWN" in unknown.stderr


def test_a_halt_stops_orders_until_it_is_resumed(home):
    assert "HALTED: news" in run(home, "halt", "news").stdout
    body = '{"symbol":"IBM","side":"buy","quantity":"5","type":"market","tif":"day"}'
    refused = run(home, "tool", "propose_order", "--json", body)
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "KILL_SWITCH"
    events = map(json.loads, run(home, "audit", "export").stdout.splitlines())
    traces = [one for one in events if "proposal_refused" in json.dumps(one)]
    assert "KILL_SWITCH" in json.dumps(traces[-1])
    assert run(home, "resume").returncode == 2
    assert "ACTIVE" in run(home, "resume", "looked at the book").stdout


def test_the_house_is_examined_and_its_record_verified(home):
    doctor = run(home, "doctor", "--json")
    findings = json.loads(doctor.stdout)
    assert [one for one in findings if not one["ok"] and one["name"] != "page"] == []
    verified = json.loads(run(home, "audit", "verify", "--json").stdout)
    assert verified["ok"]
    assert verified["events"] > 0
    exported = run(home, "audit", "export").stdout.splitlines()
    assert len(exported) >= verified["events"]
    assert all(json.loads(line) for line in exported)
    book = run(home, "ledger", "rebuild", "--check", "--json")
    assert book.returncode == 0
    assert json.loads(book.stdout) == {"differences": []}


def test_migrate_login_and_keys(home):
    assert "is at revision" in run(home, "migrate").stdout
    assert "/login?t=" in run(home, "login").stdout
    text = run(home, "key", "add", "notebook", "--scope", "read").stdout.strip()
    listed = run(home, "key", "list").stdout
    assert "notebook" in listed
    assert text not in listed
    key_id = listed.split()[0]
    assert "is revoked" in run(home, "key", "revoke", key_id).stdout


@pytest.mark.parametrize(
    ("line", "name", "words"),
    [("PORT=eighty", "PORT", "integer"), ("CORS_ORIGINS=*", "CORS_ORIGINS", "CORS_ALLOWLIST")],
)
def test_a_broken_env_file_stops_with_name_fault_and_fix(tmp_path, line, name, words):
    (tmp_path / ".env").write_text(line + "\n")
    environment = clean_environment(tmp_path)
    environment.pop("PORT")
    done = subprocess.run(
        [*CORNERMAN, "doctor"],
        cwd=tmp_path,
        text=True,
        timeout=60,
        capture_output=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert name in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_chat_on_a_terminal_streams_shows_tools_and_asks_on_the_spot(home):
    talk = Terminal(home, "chat")
    talk.see("you> ")
    talk.type("plan AAPL long, stop 3% below, risk 0.5%\n")
    talk.see("plan_check")
    talk.see("SIMULATED replay")
    talk.see("Say `buy it`")
    talk.see("you> ")
    talk.type("buy it\n")
    talk.see("Confirm this order?")
    talk.type("y\n")
    talk.see("filled at")
    talk.see("you> ")
    talk.type("\n")
    assert talk.end() == 0


def test_a_chat_ends_at_the_end_of_input_and_json_is_only_json(home):
    piped = run(home, "chat", said="what's IBM doing\nbuy 5 IBM\n")
    assert piped.returncode == 0
    assert "IBM last traded at" in piped.stdout
    assert "you> " not in piped.stdout
    assert "Confirm it yourself: cornerman confirm prop_" in piped.stdout
    lines = run(home, "chat", "--json", "--once", "buy 6 IBM").stdout.splitlines()
    kinds = [json.loads(line)["type"] for line in lines]
    assert kinds[-1] == "run.finished"
    assert "proposal.pending" in kinds


@pytest.fixture
def served(tmp_path) -> Iterator[Path]:
    home = still_home(tmp_path / "served")
    with serving(home):
        yield home


def test_a_terminal_confirms_beside_a_running_server(served):
    second = run(served, "serve")
    assert second.returncode == 1
    assert "already runs" in second.stderr
    card = propose(served)
    terminal = Terminal(served, "confirm", card)
    terminal.see("Confirm this order?")
    terminal.type("y\n")
    assert terminal.end() == 0, terminal.shown
    assert "filled, 5 filled at" in terminal.shown
    said = run(served, "chat", "--once", "what do I hold and why?")
    assert said.returncode == 0
    assert "5 IBM at" in said.stdout
    assert "Bought 5 IBM" in said.stdout
