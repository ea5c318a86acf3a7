"""Owns the proof that the gate's tests notice every small change of its code; at release figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.__main__ import MODULES, mutants
from tests.mutation.equivalent import EQUIVALENT

SHARDS = 4
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.prove
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_mutant_of_the_gate_survives(shard):
    ended = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--shard", f"{shard}/{SHARDS}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2000:]
    assert " 0 survived, " in ended.stdout


def test_every_module_of_the_gate_has_mutants_and_each_excuse_is_one_of_them():
    found = [(module, f"{module}.{one.name}") for module, one in mutants()]
    assert {module for module, _ in found} == set(MODULES)
    names = [name for _, name in found]
    assert len(names) == len(set(names))
    assert set(EQUIVALENT) <= set(names)
    assert len(names) > 300
