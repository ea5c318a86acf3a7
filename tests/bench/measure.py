"""Owns the words of a benchmark: sizes, outcomes, percentiles, and processes that print JSON."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PROCESS_S = 600


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run measures: rounds of each side, and events, turns or posts in a round.

    `redeems` press one card at once; `listed` orders are reconciled in one pass.
    """

    rounds: int
    warm: int
    turns: int
    posts: int
    load_s: float
    orders: int
    calls: int
    redeems: int
    listed: int


FULL = Size(
    rounds=5,
    warm=10,
    turns=60,
    posts=250,
    load_s=2.0,
    orders=160,
    calls=200,
    redeems=1000,
    listed=10_000,
)
TINY = Size(
    rounds=1, warm=1, turns=2, posts=4, load_s=0.2, orders=2, calls=2, redeems=8, listed=300
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table. `met` None means that the line states a figure and has no goal."""

    row: str
    metric: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Return `met`, `not met` or a dash."""
        return "-" if self.met is None else "met" if self.met else "not met"


def not_run(row: str, metric: str, why: str) -> Outcome:
    """Return the line of something that could not be measured here."""
    return Outcome(row, metric, "not run", note=why)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; `share` 0.5 is the median of odd counts."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))]


median = statistics.median


def environment(home: Path | None = None, **more: str) -> dict[str, str]:
    """Return a small environment for a measured process: no settings but those given."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    own = {"CORNERMAN_HOME": str(home)} if home else {}
    return {**kept, "PYTHONPATH": str(ROOT), **own, **more}


def run_json(*command: object, python: Path | None = None, **more: str) -> dict:
    """Run a measured program to its end and return the JSON of its last line."""
    done = subprocess.run(
        [str(python or sys.executable), *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=_PROCESS_S,
        env=environment(**more),
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


@contextmanager
def speaking(*command: object, **more: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """Run a program that says one line when it is ready, and end it with the block."""
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=environment(**more),
    )
    try:
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{command} said nothing")
        yield process, line
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int | str) -> float:
    """Return the resident memory of a process in MB of 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("no VmRSS line")
