"""Runs the simulator by hand: one seed with its trace, or a range of them.

python -m tests.sim --seed 72 --trace
python -m tests.sim --seeds 1..1000
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter

from tests import proof
from tests.sim.adapter import SimBroker
from tests.sim.plan import Plan, build_plan
from tests.sim.plants import PLANTS
from tests.sim.run import Result, simulate
from tests.sim.shrink import shrink
from tests.sim.storage import Storage


def commit() -> str:
    """Return the checked-out commit, or a word that says there is none."""
    said = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return said.stdout.strip() or "unknown"


def tell(result: Result, *, whole: bool) -> None:
    """Print how a run ended, and with `whole` all of it."""
    plan = result.plan
    print(f"seed {plan.seed} commit {commit()} hash {result.hash[:16]} {result.detail or 'ok'}")
    if whole:
        print(plan.options)
        print("\n".join(f"{number:3} {line}" for number, line in enumerate(result.log)))
        print(f"states {dict(sorted(result.states.items()))}")


def small_trace(plan: Plan, name: str, storage: Storage, broker: type[SimBroker]) -> Result:
    """Return the run of the smallest plan found that shows the violation `name`."""
    small = shrink(plan, name, lambda one: simulate(one, storage, broker).name)
    return simulate(small, storage, broker)


def main(words: list[str]) -> int:
    """Run what is asked; return 1 when a violation was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", help="A..B, both included")
    parser.add_argument("--trace", action="store_true", help="print every step")
    parser.add_argument("--plant", choices=[one.name for one in PLANTS], help="with this bug")
    asked = parser.parse_args(words)
    if asked.seed is None and asked.seeds is None:
        parser.error("give --seed N or --seeds A..B")
    first, last = (int(one) for one in (asked.seeds or f"{asked.seed}..{asked.seed}").split(".."))
    plant = next((one for one in PLANTS if one.name == asked.plant), None)
    if plant is not None:
        with plant.planted():
            return run(range(first, last + 1), plant, trace=asked.trace)
    with proof.measured("simulation", f"{first:05}..{last:05}") as figure:
        failed = run(range(first, last + 1), None, trace=asked.trace)
        figure.count, figure.failed = last + 1 - first, failed
    return failed


def run(seeds: range, plant: object, *, trace: bool) -> int:
    """Run every seed; print what failed, made small, and the sums."""
    storage, sums, began = Storage(), Counter[str](), time.process_time()
    force = getattr(plant, "force", ())
    broker = getattr(plant, "broker", SimBroker)
    for seed in seeds:
        result = simulate(build_plan(seed, force=force), storage, broker)
        sums[result.name or "ok"] += 1
        if trace or result.name:
            tell(result, whole=trace)
        if result.name:
            tell(small_trace(result.plan, result.name, storage, broker), whole=True)
    spent = time.process_time() - began
    print(f"{len(seeds)} seeds, {spent / len(seeds):.3f} s of CPU each: {dict(sums)}")
    storage.close()
    return int(set(sums) != {"ok"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
