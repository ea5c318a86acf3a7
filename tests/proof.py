"""Owns the figures of the order path: what each proof counted, and the page that shows them.

A proof adds one line per part to `.proof-run.jsonl` while `CORNERMAN_PROVE` or `CORNERMAN_PROOF`
is set. `python -m tests.proof` writes `docs/reference/proof.md` from it, and forgets nothing:
`python -m tests.proof --forget` does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN, PAGE = ROOT / ".proof-run.jsonl", ROOT / "docs" / "reference" / "proof.md"


@dataclass(frozen=True)
class Aim:
    """One figure: its name, what `make prove` counts to, what is counted, and what must not be."""

    name: str
    number: int
    counted: str
    nothing: str


AIMS = (
    Aim(
        "simulation",
        50_000,
        "seeds: each a day of orders under faults, judged step by step and by I1 to I12",
        "violations",
    ),
    Aim(
        "confirm attacks",
        5_000,
        "forged confirmations of fourteen families, each with its honest twin",
        "calls of the broker",
    ),
    Aim("double confirm", 200, "cards that 64 threads confirm at once", "second orders"),
    Aim(
        "kill -9",
        1_000,
        "deaths at a random moment, each with a start and the whole day compared",
        "orders lost or doubled, books or chains broken",
    ),
    Aim("gate mutants", 0, "changes of the gate's code, one at a time", "survivors"),
)


@dataclass
class Figure:
    """What one part of a proof counted; `facts` stand on the page as they are."""

    count: int = 0
    failed: int = 0
    facts: dict[str, int] = field(default_factory=dict)


@cache
def commit() -> str:
    """Return the checked-out commit, with a plus when the code differs from it."""
    words = ("git", "-C", str(ROOT))
    head = _said(*words, "rev-parse", "--short", "HEAD")
    changed = _said(*words, "status", "--porcelain", "--untracked-files=no")
    return f"{head or 'unknown'}{'+' if changed else ''}"


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


@contextmanager
def measured(name: str, part: str) -> Iterator[Figure]:
    """Count what the block does; keep the count, whether it failed, and how long it took."""
    figure, began = Figure(), time.perf_counter()
    try:
        yield figure
    except BaseException:
        figure.failed += 1
        raise
    finally:
        if os.environ.get("CORNERMAN_PROVE") == "1" or os.environ.get("CORNERMAN_PROOF") == "1":
            _keep(name, part, figure, time.perf_counter() - began)


def _keep(name: str, part: str, figure: Figure, seconds: float) -> None:
    line = {
        "name": name,
        "part": part,
        "count": figure.count,
        "facts": figure.facts,
        "failed": figure.failed,
        "seconds": round(seconds, 1),
        "commit": commit(),
        "day": datetime.now(UTC).date().isoformat(),
    }
    with RUN.open("a") as file:
        file.write(json.dumps(line, sort_keys=True) + "\n")


def render(lines: list[dict]) -> str:
    """Return the page; a part that ran twice at one commit counts once, as it ended last."""
    rows = [
        "| proof | aim of `make prove` | counted | failed | parts | seconds | commit | day |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for aim in AIMS:
        mine = [one for one in lines if one["name"] == aim.name]
        wanted = f"{aim.number:,}" if aim.number else "all"
        if not mine:
            rows.append(f"| {aim.name} | {wanted} | not run | | | | | |")
        for made in sorted({one["commit"] for one in mine}):
            last = {one["part"]: one for one in mine if one["commit"] == made}
            rows.append(_row(aim, wanted, made, [last[part] for part in sorted(last)]))
    what = [f"- **{aim.name}**: {aim.counted}; no {aim.nothing}." for aim in AIMS]
    return _PAGE.format(table="\n".join(rows), what="\n".join(what))


def _row(aim: Aim, wanted: str, made: str, parts: list[dict]) -> str:
    facts: dict[str, int] = {}
    for one in parts:
        for name, value in one["facts"].items():
            facts[name] = facts.get(name, 0) + value
    count = f"{sum(one['count'] for one in parts):,}"
    said = ", ".join([count, *(f"{value:,} {name}" for name, value in sorted(facts.items()))])
    seconds = sum(one["seconds"] for one in parts)
    span = parts[0]["part"] if len(parts) == 1 else f"{len(parts)} parts"
    failed = sum(one["failed"] for one in parts)
    return (
        f"| {aim.name} | {wanted} | {said} | {failed} | {span} | {seconds:,.0f} | `{made}` "
        f"| {max(one['day'] for one in parts)} |"
    )


_PAGE = """# Proof of the order path

Measured figures, written by `python -m tests.proof` from what the proofs counted; nothing here is
typed by hand. `make prove` runs all of them at release figures. "Not run" means that no run is on
record, and a plus behind a commit that the code was ahead of it.

{table}

What is counted, and what there was none of where "failed" is 0:

{what}

A failing seed of the simulation is run again with `python -m tests.sim --seed N --trace`.
"""


def main(words: list[str]) -> int:
    """Write the page, or forget the runs."""
    if words == ["--forget"]:
        RUN.unlink(missing_ok=True)
        return 0
    lines = RUN.read_text().splitlines() if RUN.exists() else []
    PAGE.write_text(render([json.loads(one) for one in lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
