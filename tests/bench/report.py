"""Owns the table of a run and its record in docs/reference/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.measure import ROOT, Outcome

RECORD = ROOT / "docs" / "reference" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`: each run appends a table. A goal is a ratio between programs that run in one
job on one machine, the peer before and after ours, because neighbours move absolute figures several
times over. Loops show the best round, everything else the median round.
"""
_COLUMNS = ("row", "metric", "ours", "peer", "ratio", "goal", "verdict")


def cells(one: Outcome) -> tuple[str, ...]:
    """Return the cells of a line."""
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    return (one.row, one.metric, one.ours, one.peer, ratio, one.goal, one.verdict)


def line(one: Outcome) -> str:
    """Return one outcome for the terminal."""
    said = " | ".join(cell for cell in cells(one)[1:] if cell)
    return f"{said} ({one.note})" if one.note else said


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the Markdown table with its notes below."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    lines += ["| " + " | ".join(cells(one)) + " |" for one in outcomes]
    notes = [f"- {one.row}, {one.metric}: {one.note}" for one in outcomes if one.note]
    return "\n".join([*lines, "", *notes]) + "\n"


def append(outcomes: Sequence[Outcome], path: Path = RECORD) -> None:
    """Append a run to the record; the head is written once."""
    known = path.read_text(encoding="utf-8") if path.exists() else HEAD
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    busy = f"load {os.getloadavg()[0]:.1f} at the end"
    title = f"## {when}: Python {platform.python_version()}, {os.cpu_count()} CPUs, {busy}"
    path.write_text(f"{known}\n{title}\n\n{table(outcomes)}", encoding="utf-8")
