"""P4 and P5: one event to a thousand readers of /ws and of SSE, and beside those that stall."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.measure import ROOT, Outcome, Size, environment, median, rss_mb, speaking

GOAL, STALL_GOAL, SSE_GOAL = 1.5, 1.2, 1.2
_KEPT_SHARE = 0.9
"""The share of the peer's events that a client has to get in the same time."""
FULL_CLIENTS, FULL_S, TINY_CLIENTS, TINY_S = 1000, 15.0, 20, 1.0


def measure(size: Size) -> list[Outcome]:
    """Measure each peer before and after ours; of /ws also ours with a tenth stalled."""
    return [*_sockets(size), *_events(size)]


def _sockets(size: Size) -> list[Outcome]:
    full = size.rounds > 1
    clients, seconds = (FULL_CLIENTS, FULL_S) if full else (TINY_CLIENTS, TINY_S)
    rounds = 2 if full else 1
    peers, mine, beside, memory = [_run("peer", clients, seconds)], [], [], []
    for _ in range(rounds):
        mine.append(_run("ours", clients, seconds))
        beside.append(_run("ours", clients, seconds, stalled=clients // 10, memory=memory))
        if full:
            peers.append(_run("peer", clients, seconds))
    ours, peer, stalled = (median([one["p99"] for one in of]) for of in (mine, peers, beside))
    whole = all(one["opened"] == clients and one["most"] - one["fewest"] <= 2 for one in mine)
    lost = all(one["most"] - one["fewest"] <= 2 for one in beside)
    return [
        Outcome(
            "P4",
            f"price fan-out over /ws, {clients} clients, 10 events/s, p99",
            f"{ours:.1f} ms",
            f"websockets.broadcast {peer:.1f} ms",
            ours / peer,
            f"<= {GOAL}x",
            whole and ours / peer <= GOAL,
            note=f"p50 {median([one['p50'] for one in mine]):.1f} ms, peer "
            f"{median([one['p50'] for one in peers]):.1f} ms",
        ),
        Outcome(
            "P5",
            f"healthy clients while {clients // 10} of {clients} stall, p99",
            f"{stalled:.1f} ms",
            f"no stall {ours:.1f} ms",
            stalled / ours,
            f"<= {STALL_GOAL}x, all delivered",
            lost and stalled / ours <= STALL_GOAL,
            note=f"server memory {max(memory):.0f} MB at the end; events per healthy client "
            f"{min(one['fewest'] for one in beside)} to {max(one['most'] for one in beside)}",
        ),
    ]


def _events(size: Size) -> list[Outcome]:
    """Compare the stored, resumable desk stream with a loop that keeps nothing."""
    full = size.rounds > 1
    clients, seconds = (FULL_CLIENTS, FULL_S) if full else (TINY_CLIENTS, TINY_S)
    before = _follow("peer", clients, seconds)
    mine = _follow("ours", clients, seconds)
    after = _follow("peer", clients, seconds) if full else before
    peer, ours = median([before["p99"], after["p99"]]), mine["p99"]
    whole = mine["opened"] == clients and mine["whole"] and mine["resumed"]
    kept = mine["fewest"] >= before["fewest"] * _KEPT_SHARE
    return [
        Outcome(
            "P4",
            f"stored events over SSE, {clients} clients, 10 events/s, p99",
            f"{ours:.1f} ms",
            f"bare sse-starlette {peer:.1f} ms",
            ours / peer,
            f"<= {SSE_GOAL}x, whole, resumed",
            whole and kept and ours / peer <= SSE_GOAL,
            note=f"p50 {mine['p50']:.1f} ms, peer {before['p50']:.1f} and {after['p50']:.1f} ms; "
            f"events per client {mine['fewest']} to {mine['most']}, peer {before['fewest']} to "
            f"{before['most']}; {mine['opened']} of {clients} opened; numbers without a gap: "
            f"{mine['whole']}; a reader that resumed got each event once: {mine['resumed']}",
        )
    ]


def _follow(kind: str, clients: int, seconds: float) -> dict:
    with speaking("-m", "tests.bench.sse_server", kind, clients) as (_, line):
        asked = json.loads(line) | {"seconds": seconds, "resume": kind == "ours"}
        return _load("tests.bench.sse_load", asked)


def _load(module: str, asked: dict) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment(),
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def _run(
    kind: str, clients: int, seconds: float, *, stalled: int = 0, memory: list[float] | None = None
) -> dict:
    with speaking("-m", "tests.bench.ws_server", kind, clients) as (process, line):
        said = json.loads(line)
        asked = {
            "port": said["port"],
            "seconds": seconds,
            "stalled": stalled,
            "tickets": said["tickets"] or [""] * clients,
        }
        found = _load("tests.bench.ws_load", asked)
        if memory is not None:
            memory.append(rss_mb(process.pid))
        return found
