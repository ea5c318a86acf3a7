"""P1: what a turn with three tool calls costs beside the model, ours and the frameworks'."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import ROOT, Outcome, Size, environment, not_run, percentile, run_json

PEERS = {
    "openai-agents": ("agents", "peer_agents.py"),
    "pydantic-ai": ("pydantic_ai", "peer_pydantic_ai.py"),
    "langgraph": ("langgraph.prebuilt, langchain_openai", "peer_langgraph.py"),
}
SHAPES = {"par3": "one step with three calls", "seq3": "three steps with one call"}
GOAL = 0.6
_FOLDER = ROOT / "tests" / "bench" / "peers"


def peer_python() -> Path:
    """Return the interpreter that has the peers: CORNERMAN_BENCH_VENV, or this one."""
    venv = os.environ.get("CORNERMAN_BENCH_VENV")
    return Path(venv) / "bin" / "python" if venv else Path(sys.executable)


def present_peers() -> dict[str, Path]:
    """Return the program of every peer that can be imported."""
    found = {}
    for name, (modules, program) in PEERS.items():
        tried = subprocess.run(
            [str(peer_python()), "-c", f"import {modules}"],
            capture_output=True,
            check=False,
            env=environment(),
        )
        if tried.returncode == 0:
            found[name] = _FOLDER / program
    return found


@contextmanager
def scripted_model() -> Iterator[str]:
    """Serve the scripted model from a process of its own; the block gets its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.model_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=30)


def measure(size: Size) -> list[Outcome]:
    """Run the peers before and after ours in every round."""
    peers = present_peers()
    if not peers:
        return [not_run("P1", metric(shape), "peers are not installed") for shape in SHAPES]
    runs: dict[str, list[dict]] = {"cornerman": [], **{name: [] for name in peers}}
    with scripted_model() as url:
        args = (url, size.turns, size.warm)
        for _ in range(max(1, size.rounds // 2)):
            _run_peers(peers, args, runs)
            runs["cornerman"].append(run_json("-m", "tests.bench.coach_turns", *args))
        _run_peers(peers, args, runs)
    return [outcome for shape in SHAPES for outcome in compare(shape, runs)]


def metric(shape: str) -> str:
    """Return the name of a shape's line."""
    return f"turn of {SHAPES[shape]}, p50"


def _run_peers(peers: dict[str, Path], args: tuple, runs: dict[str, list[dict]]) -> None:
    for name, program in peers.items():
        runs[name].append(run_json(program, *args, python=peer_python()))


def compare(shape: str, runs: dict[str, list[dict]]) -> list[Outcome]:
    """Return the line of a shape, and one for the processor time alone."""
    found = []
    for clock, label in (("wall", metric(shape)), ("cpu", f"{metric(shape)}, processor time")):
        best = {
            name: min(percentile(run["shapes"][shape][clock], 0.5) for run in of)
            for name, of in runs.items()
        }
        ours = best.pop("cornerman")
        fastest = min(best, key=best.__getitem__)
        ratio = ours / best[fastest]
        others = ", ".join(f"{name} {ms:.1f} ms" for name, ms in best.items() if name != fastest)
        found.append(
            Outcome(
                "P1",
                label,
                f"{ours:.1f} ms",
                f"{fastest} {best[fastest]:.1f} ms",
                ratio,
                f"<= {GOAL}x",
                ratio <= GOAL if clock == "wall" else None,
                note=others,
            )
        )
    spread = [percentile(run["shapes"][shape]["wall"], 0.99) for run in runs["cornerman"]]
    found[0] = _with_note(found[0], f"our p99 {min(spread):.1f} ms; ours stores every event")
    return found


def _with_note(one: Outcome, more: str) -> Outcome:
    return Outcome(
        one.row,
        one.metric,
        one.ours,
        one.peer,
        one.ratio,
        one.goal,
        one.met,
        "; ".join(part for part in (one.note, more) if part),
    )
