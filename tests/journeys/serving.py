"""Owns a real server process on a free port, and a person at it: session, messages, events, cards."""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import os
import queue
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.background import boot
from app.wiring import build, open_first_user, prepare_database
from services.identity.user import LOCAL_TENANT
from services.invariant import check_all
from services.kit.context import system_principal
from services.kit.environment import load_settings
from services.market import replay

ROOT = Path(__file__).resolve().parents[2]
PLAN, BUY, WHY = "plan AAPL long, stop 3% below, risk 1%", "buy it", "what do I hold and why?"
_LINK = re.compile(r"http://[^\s]+/login\?t=([A-Za-z0-9_-]+)")
_START_S, _WAIT_S = 60.0, 30.0
GENEROUS = {
    f"LIMIT_{group}": "100000/minute"
    for group in ("LOGIN", "CHAT", "CHAT_DAY", "CONFIRM", "MUTATE", "READ", "STREAM")
}


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a stranger: nothing of ours but what a test says."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "TERM", "SYSTEMROOT")
        if name in os.environ
    }
    return {**kept, "CORNERMAN_HOME": str(home), "PORT": "0", **GENEROUS, **more}


def still_home(home: Path) -> Path:
    """Make a home whose market stands at the first moment, so that every door sees one price."""
    return shutil.copytree(_first_home(), home, dirs_exist_ok=True)


@functools.cache
def _first_home() -> Path:
    """The home that all others of this process are copies of."""
    home = Path(tempfile.mkdtemp(prefix="still-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    product = build(load_settings({"CORNERMAN_HOME": str(home)}), log_stream=io.StringIO())
    try:
        prepare_database(product)
        user = open_first_user(product)
        boot(product)
        product.runtime.write(system_principal(user.tenant_id), replay.pause)
    finally:
        product.close()
    with contextlib.closing(sqlite3.connect(home / "cornerman.db")) as db, db:
        db.execute("UPDATE replay_clock SET position_us=0, seen_us=0")
    return home


class Server:
    """`cornerman serve` as a process of its own."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self._log = (home / "serve.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "cornerman.py"), "serve"],
            cwd=home,
            env=clean_environment(home, **environment),
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        try:
            self.link = self._find_link()
        except BaseException:
            self.kill()
            raise
        self.address = self.link.split("/login")[0]
        self._drain = threading.Thread(target=self._read_on, daemon=True)
        self._drain.start()

    def _find_link(self) -> str:
        ends = time.monotonic() + _START_S
        said = b""
        while time.monotonic() < ends:
            line = self._process.stdout.readline()
            said += line
            found = _LINK.search(line.decode(errors="replace"))
            if found:
                return found.group(0)
            if not line:
                break
        log = (self.home / "serve.log").read_text(errors="replace")
        raise RuntimeError(f"no login link: {said.decode(errors='replace')[-2000:]}{log[-3000:]}")

    def _read_on(self) -> None:
        for line in self._process.stdout:
            self._log.write(line)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float = _WAIT_S) -> int:
        return self._process.wait(seconds)

    def stop(self) -> int:
        """End it as Ctrl-C does."""
        if self.alive:
            self._process.terminate()
        return self._end()

    def kill(self) -> int:
        """End it as a power cut does."""
        self._process.kill()
        return self._end()

    def _end(self) -> int:
        code = self._process.wait(_WAIT_S)
        drain = getattr(self, "_drain", None)
        if drain is not None:
            drain.join(_WAIT_S)
        self._process.stdout.close()
        self._log.close()
        return code


@contextlib.contextmanager
def serving(home: Path, **environment: str) -> Iterator[Server]:
    """Run the server, and end it whatever happens."""
    server = Server(home, **environment)
    try:
        yield server
    finally:
        if not server._log.closed:
            server.stop()


@dataclass(frozen=True)
class Seen:
    """One event as a reader got it."""

    id: str
    type: str
    body: dict


class Reader:
    """Follows one stream in a thread of its own until the connection ends."""

    def __init__(self, client: httpx.Client, path: str, *, last: str = "") -> None:
        self.seen: list[Seen] = []
        self._fresh: queue.Queue[Seen | None] = queue.Queue()
        headers = {"last-event-id": last} if last else {}
        self._open = client.stream("GET", path, headers=headers, timeout=_WAIT_S)
        self._response = self._open.__enter__()
        assert self._response.status_code == 200, self._response.read()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
            for line in self._response.iter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "data" in fields:
                    self._fresh.put(Seen(fields["id"], fields["event"], json.loads(fields["data"])))
                    fields = {}
        self._fresh.put(None)

    def until(self, wanted, seconds: float = _WAIT_S) -> Seen | None:
        """Take events until one fits; None when the connection ended first."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            try:
                event = self._fresh.get(timeout=left)
            except queue.Empty:
                break
            if event is None:
                return None
            self.seen.append(event)
            if wanted(event):
                return event
        raise AssertionError(f"the event never came; seen: {[one.type for one in self.seen]}")

    def close(self) -> None:
        """Hang up, as a closed tab does."""
        line = self._response.extensions["network_stream"].get_extra_info("socket")
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        self._thread.join(_WAIT_S)
        self._open.__exit__(None, None, None)


class Person:
    """A person at a server, with the session that the printed link opened."""

    def __init__(self, server: Server, cookie: str = "") -> None:
        self.server = server
        self.client = httpx.Client(
            base_url=server.address,
            timeout=_WAIT_S,
            headers={"origin": server.address, "sec-fetch-site": "same-origin"},
        )
        if not cookie:
            answer = self.client.get(server.link.removeprefix(server.address))
            assert answer.status_code == 303, answer.text
            cookie = answer.headers["set-cookie"].split(";")[0]
            self.client.cookies.clear()
        self.cookie = cookie
        self.client.headers["cookie"] = cookie
        self._keys = 0

    def close(self) -> None:
        self.client.close()

    def get(self, path: str) -> dict:
        answer = self.client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def send(self, path: str, body: dict, key: str = "") -> httpx.Response:
        self._keys += 1
        key = key or f"key-{time.time_ns()}-{self._keys:04}"
        return self.client.post(f"/api/v1/{path}", json=body, headers={"idempotency-key": key})

    def post(self, path: str, body: dict, key: str = "") -> dict:
        answer = self.send(path, body, key)
        assert answer.status_code < 300, (path, answer.status_code, answer.text)
        return answer.json()

    def start(self) -> str:
        return self.post("coach/conversations", {})["id"]

    def reader(self, talk: str, last: str = "0.0") -> Reader:
        return Reader(
            self.client,
            f"/api/v1/coach/conversations/{talk}/events",
            last="" if last == "0.0" else last,
        )

    def say(self, talk: str, text: str) -> str:
        """Say something, wait for the run's end on the stream, and return the whole answer."""
        place = self.get(f"coach/conversations/{talk}/messages")["cursor"]
        run = self.post(f"coach/conversations/{talk}/messages", {"text": text})["run_id"]
        reader = Reader(self.client, f"/api/v1/coach/conversations/{talk}/events", last=place)
        try:
            reader.until(
                lambda one: one.body.get("run") == run and one.type in ("run.finished", "run.error")
            )
        finally:
            reader.close()
        return "\n".join(
            item["text"]
            for item in self.get(f"coach/conversations/{talk}/messages")["items"]
            if item["run_id"] == run and item["role"] == "assistant"
        )

    def pending(self) -> list[dict]:
        return self.get("proposals?status=pending")["items"]

    def challenge(self, proposal_id: str) -> dict:
        return self.get(f"proposals/{proposal_id}/challenge")

    def attempt(self, proposal_id: str) -> dict:
        issued = self.challenge(proposal_id)
        return {name: issued[name] for name in ("token", "version", "order_hash")}

    def settled(self, proposal_id: str) -> dict:
        """Wait until the order of a proposal is filled, and return the proposal."""
        ends = time.monotonic() + _WAIT_S
        while time.monotonic() < ends:
            found = self.get(f"proposals/{proposal_id}")
            if found["order_state"] == "FILLED":
                return found
            time.sleep(0.05)
        raise AssertionError(found)


def legs(home: Path) -> list[tuple]:
    """Every leg of the ledger in order, without ids and times."""
    with contextlib.closing(sqlite3.connect(home / "cornerman.db")) as db:
        return db.execute(
            "SELECT b.kind, e.account, e.asset, e.amount, e.quantity, e.unit_price "
            "FROM ledger_entries e JOIN ledger_batches b "
            "ON b.portfolio_id = e.portfolio_id AND b.seq = e.seq ORDER BY e.seq, e.line"
        ).fetchall()


def rows(home: Path, statement: str) -> list[tuple]:
    """What a statement finds in the database of a home."""
    with contextlib.closing(sqlite3.connect(home / "cornerman.db")) as db:
        return db.execute(statement).fetchall()


def violations(home: Path) -> list:
    """Every violation of an invariant in a home."""
    product = build(load_settings({"CORNERMAN_HOME": str(home)}), log_stream=io.StringIO())
    try:
        return product.runtime.read(system_principal(LOCAL_TENANT), check_all)
    finally:
        product.close()
