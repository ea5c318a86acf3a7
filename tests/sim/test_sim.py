"""Seeds in chunks and the corpus: nothing impossible happens, and everything settles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import proof
from tests.sim.plan import build_plan
from tests.sim.run import Result, simulate

PROVE = os.environ.get("CORNERMAN_PROVE") == "1"
SEEDS, CHUNK = (50_000, 250) if PROVE else (100, 10)
"""What `make test` has time for, and what `make prove` runs."""
CORPUS = Path(__file__).with_name("corpus.txt")


def told(result: Result) -> str:
    """What a person needs to run the failure again."""
    return f"{result.detail}\n  python -m tests.sim --seed {result.plan.seed} --trace"


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_seed_breaks_anything(storage, first):
    with proof.measured("simulation", f"{first:05}..{first + CHUNK - 1:05}") as figure:
        for seed in range(first, first + CHUNK):
            result = simulate(build_plan(seed), storage)
            assert not result.name, told(result)
            figure.count += 1


def corpus() -> list[int]:
    lines = CORPUS.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("seed", corpus())
def test_a_seed_that_once_found_a_bug_finds_none_now(storage, seed):
    result = simulate(build_plan(seed), storage)
    assert not result.name, told(result)
