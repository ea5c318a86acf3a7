"""The simulator itself: one seed is one story, planted bugs are found, and traces get small."""

from __future__ import annotations

import os

import pytest

from tests.sim.__main__ import main
from tests.sim.plan import ACTIONS, FAULTS, build_plan
from tests.sim.plants import PLANTS, WITHIN
from tests.sim.run import simulate
from tests.sim.shrink import shrink

PROVE = os.environ.get("CORNERMAN_PROVE") == "1"


@pytest.mark.parametrize("seed", range(200, 240) if PROVE else (203, 204))
def test_one_seed_is_one_story(storage, seed):
    first, second = (simulate(build_plan(seed), storage) for _ in range(2))
    assert first.hash == second.hash
    assert first.log == second.log


def test_two_seeds_are_two_stories(storage):
    assert simulate(build_plan(203), storage).hash != simulate(build_plan(205), storage).hash


def test_the_swarm_uses_every_fault_and_every_action():
    plans = [build_plan(seed) for seed in range(400)]
    rates = {name for plan in plans for name in plan.options.rates}
    actions = {step.action for plan in plans for step in plan.steps}
    assert rates == set(FAULTS)
    assert actions == set(ACTIONS)
    assert len({len(plan.options.rates) for plan in plans}) > 5


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_bug_is_found(storage, plant):
    """Its first seed here; with the whole figures, within the stated number of seeds from 1 on."""
    seeds = range(1, 1 + WITHIN) if PROVE else (plant.seed,)
    found: set[str] = set()
    with plant.planted():
        for seed in seeds:
            found.add(simulate(build_plan(seed, force=plant.force), storage, plant.broker).name)
            if found & set(plant.shows):
                break
    assert found & set(plant.shows), found
    if not PROVE:
        clean = simulate(build_plan(plant.seed, force=plant.force), storage)
        assert not clean.name, clean.detail


def test_a_failing_run_is_made_small(storage):
    plant = PLANTS[0]
    plan = build_plan(plant.seed, force=plant.force)
    with plant.planted():
        small = shrink(plan, "sent twice", lambda one: simulate(one, storage, plant.broker).name)
        assert simulate(small, storage, plant.broker).name == "sent twice"
    assert len(small.steps) <= 2
    assert sum(len(step.faults) for step in small.steps) == 1


def test_the_command_prints_seed_commit_and_a_small_trace(capsys):
    plant = PLANTS[0]
    assert main(["--seed", str(plant.seed), "--plant", plant.name]) == 1
    said = capsys.readouterr().out
    assert f"seed {plant.seed} commit " in said
    assert "sent twice" in said
    assert "submit=lost_response" in said


def test_the_command_runs_a_range(capsys):
    assert main(["--seeds", "203..204"]) == 0
    assert "2 seeds," in capsys.readouterr().out
