"""P11: one endpoint behind the whole guard, and the same body from bare FastAPI."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.bench.measure import Outcome, Size, cpu_s, median, run_json, speaking
from tests.journeys.serving import Person, Server, serving, still_home

GOAL = 0.8
PATH = "/api/v1/auth/session"
CONNECTIONS = 32
GENEROUS = "999999/second"


def measure(size: Size) -> list[Outcome]:
    """Load the bare endpoint before and after ours in every round."""
    with tempfile.TemporaryDirectory() as folder:
        home = still_home(Path(folder) / "home")
        with serving(home, LIMIT_READ=GENEROUS) as server:
            key, body = _key_and_body(server)
            with speaking("-m", "tests.bench.bare_app", json.dumps(body)) as (bare, port):
                return [_compared(size, server, (bare.pid, int(port)), key)]


def _key_and_body(server: Server) -> tuple[str, dict]:
    person = Person(server)
    wanted = {"name": "load", "scopes": ["read"], "days": 1}
    key = person.post("auth/keys", wanted)["key"]
    answer = person.client.get(PATH, headers={"authorization": f"Bearer {key}", "cookie": ""})
    answer.raise_for_status()
    person.close()
    return key, answer.json()


def _compared(size: Size, server: Server, bare: tuple[int, int], key: str) -> Outcome:
    ours = (server._process.pid, int(server.address.rpartition(":")[2]))
    for one in (ours, bare):
        _loaded(one, size.load_s / 4, key)
    theirs, mine = [_loaded(bare, size.load_s, key)], []
    for _ in range(size.rounds):
        mine.append(_loaded(ours, size.load_s, key))
        theirs.append(_loaded(bare, size.load_s, key))
    rate, peer = (median([one["rate"] for one in of]) for of in (mine, theirs))
    cost, peer_cost = (median([one["cpu_us"] for one in of]) for of in (mine, theirs))
    wrong = sum(one["wrong"] for one in [*mine, *theirs])
    ratio = rate / peer
    return Outcome(
        "P11",
        f"guarded endpoint, {CONNECTIONS} connections",
        f"{rate:,.0f}/s",
        f"bare FastAPI {peer:,.0f}/s",
        ratio,
        f">= {GOAL}x",
        ratio >= GOAL and wrong == 0,
        note=f"server processor time {cost:.0f} us a request, bare {peer_cost:.0f} us "
        f"({peer_cost / cost:.2f}x); p99 {median([one['p99'] for one in mine]):.1f} ms, bare "
        f"{median([one['p99'] for one in theirs]):.1f} ms; wrong answers {wrong}",
    )


def _loaded(target: tuple[int, int], seconds: float, key: str) -> dict:
    pid, port = target
    used = cpu_s(pid)
    found = run_json("-m", "tests.bench.load", port, PATH, CONNECTIONS, seconds, key)
    return {**found, "cpu_us": (cpu_s(pid) - used) / found["count"] * 1e6}
