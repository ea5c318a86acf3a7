"""Owns the feature ledger: which capability is proved by which tests, and what the last run said."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping

from tests.house.tree import ROOT

LEDGER = ROOT / "docs" / "features.toml"
LAST_RUN = ROOT / ".features-run.json"
GROUPS = {
    "0": "trading assistant, roadmap",
    "1": "trading assistant, scope",
    "2": "deterministic coach",
    "3": "portfolio assistant",
    "4": "paper platform",
    "5": "conversation",
    "6": "what no other has",
}


def load() -> dict[str, dict[str, object]]:
    """Return the ledger: id -> {title, tests}."""
    return tomllib.loads(LEDGER.read_text(encoding="utf-8"))["feature"]


def state_of(tests: list[str], outcomes: Mapping[str, str]) -> str:
    """Return done, or why not: a skipped or missing test counts as not done."""
    if not tests:
        return "not done: no test"
    for test in tests:
        found = [
            outcome
            for name, outcome in outcomes.items()
            if name == test or name.startswith((f"{test}[", f"{test}::"))
        ]
        if not found:
            return f"not done: {test} did not run"
        if any(outcome == "failed" for outcome in found):
            return f"not done: {test} failed"
        if all(outcome == "skipped" for outcome in found):
            return f"not done: {test} was skipped"
    return "done"


def main() -> int:
    """Print done and not done by group, from the last test run."""
    outcomes = json.loads(LAST_RUN.read_text()) if LAST_RUN.exists() else {}
    if not outcomes:
        print("No test run is recorded yet: run `make test` first.")
        return 1
    totals: dict[str, list[int]] = {}
    for key, row in sorted(load().items(), key=lambda item: tuple(map(int, item[0].split(".")))):
        state = state_of(list(row["tests"]), outcomes)
        counts = totals.setdefault(key.split(".")[0], [0, 0])
        counts[0 if state == "done" else 1] += 1
        print(
            f"{key:6} {'done    ' if state == 'done' else 'NOT DONE'} {row['title']}"
            + ("" if state == "done" else f"  ({state[10:]})")
        )
    print()
    for group, (done, open_) in sorted(totals.items()):
        print(f"{group}.xx {GROUPS[group]:28} {done:3} done, {open_:3} not done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
