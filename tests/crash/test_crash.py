"""Any death at any arrow: no order doubled or lost, books balanced, chain whole, no event repeated."""

from __future__ import annotations

import io
import os
import random
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.wiring import build
from services.kit.environment import load_settings
from services.orders import execute
from tests import proof
from tests.crash.conftest import ROOT, seen_whole_stream, standing
from tests.crash.stages import STAGES

pytestmark = [pytest.mark.crash, pytest.mark.xdist_group("crash")]
PROVE = os.environ.get("CORNERMAN_PROVE") == "1"
KILLS = 100 if PROVE else 4
"""Deaths per stage of the day; at release figures 700, and 500 more in `test_crash_broker.py`."""
SEED = int(os.environ.get("CORNERMAN_SEED", "20270112"))
_REACH = re.compile(r"\breach\(\"([a-z_.]+)\"\)")


def failpoints() -> set[str]:
    """Every failpoint in the product's code."""
    return {
        name
        for folder in ("agent", "app", "services", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
        for name in _REACH.findall(path.read_text())
    }


def as_before_the_crash(course, home: Path, stage: str) -> None:
    """Assert that a recovered home stands exactly as one that never crashed."""
    found = standing(home)
    assert found["violations"] == []
    assert found["chain"] == (True, "")
    assert found == course.after[stage]
    seen_whole_stream(home)


def crash(course, home: Path, stage: str, name: str, action: str) -> dict:
    ended = course.zygote.run(home, stage, failpoint=f"{name}:{action}")
    assert ended["code"] == (137 if action == "exit" else 0), (home / "child.log").read_text()[
        -3000:
    ]
    return ended


def test_every_failpoint_is_reached_by_some_stage(course):
    reached = {name for stage in course.reached.values() for name in stage}
    assert failpoints() == reached


def test_the_course_itself_is_sound(course):
    for stage in STAGES:
        assert course.after[stage]["violations"] == []
    assert course.after["sell"]["orders"] == [
        ("AAPL", "buy", "61", "FILLED", "61"),
        ("MSFT", "buy", "7", "CANCELLED", "0"),
        ("IBM", "buy", "3", "FILLED", "3"),
        ("IBM", "sell", "3", "WORKING", "0"),
        ("AAPL", "sell", "20", "FILLED", "20"),
    ]


@pytest.mark.fault("F067")
@pytest.mark.fault("F074")
@pytest.mark.parametrize("stage", STAGES)
def test_death_at_every_arrow_loses_and_doubles_nothing(course, tmp_path, stage):
    for name in sorted(course.reached[stage]):
        home = course.home_before(stage, tmp_path / f"{stage}-{name}-exit")
        crash(course, home, stage, name, "exit")
        course.zygote.finish(home, stage)
        as_before_the_crash(course, home, stage)


@pytest.mark.parametrize("stage", STAGES if PROVE else ("card", "fill", "cancel"))
def test_a_failing_step_in_a_living_process_is_made_good(course, tmp_path, stage):
    for name in sorted(course.reached[stage]):
        home = course.home_before(stage, tmp_path / f"{stage}-{name}-raise")
        crash(course, home, stage, name, "raise")
        as_before_the_crash(course, home, stage)


STANDSTILLS = ("execute.after_attempt", "paper.after_accept", "settle.after_post")


@pytest.mark.fault("F068")
@pytest.mark.parametrize("stage", STAGES if PROVE else ("fill",))
def test_a_process_that_stood_still_goes_on_or_is_replaced(course, tmp_path, stage):
    for name in sorted(course.reached[stage]) if PROVE else STANDSTILLS:
        for after in ("go on", "kill"):
            home = course.home_before(stage, tmp_path / f"{stage}-{name}-{after}")
            ended = course.zygote.run(home, stage, failpoint=f"{name}:stop", after_stop=after)
            assert (ended["stopped"], ended["code"]) == (True, 0 if after == "go on" else -9)
            course.zygote.finish(home, stage)
            as_before_the_crash(course, home, stage)


@pytest.mark.parametrize("stage", STAGES if PROVE else ("confirm",))
def test_a_death_during_the_recovery_is_made_good_too(course, tmp_path, stage):
    for first in sorted(course.reached[stage]):
        for second in sorted(course.reached[stage]):
            home = course.home_before(stage, tmp_path / f"{stage}-{first}-{second}")
            crash(course, home, stage, first, "exit")
            assert course.zygote.run(home, stage, failpoint=f"{second}:exit")["code"] in (0, 137)
            course.zygote.finish(home, stage)
            as_before_the_crash(course, home, stage)


@pytest.mark.parametrize("stage", STAGES if PROVE else ("ask", "fill", "sell"))
def test_kill_9_at_any_moment_loses_and_doubles_nothing(course, tmp_path, stage):
    draw = random.Random(f"{SEED}:{stage}")
    with proof.measured("kill -9", f"paper, {stage}") as figure:
        for number in range(KILLS):
            home = course.home_before(stage, tmp_path / f"{stage}-{number}")
            moment = draw.randint(1, max(2, course.ms[stage]))
            ended = course.zygote.run(home, stage, kill_ms=moment)
            assert ended["code"] in (-9, 0), (home / "child.log").read_text()[-3000:]
            figure.count += ended["code"] == -9
            course.zygote.finish(home, stage)
            as_before_the_crash(course, home, stage)
            shutil.rmtree(home)


@pytest.mark.fault("F076")
def test_two_executors_on_one_database_place_one_order(course, tmp_path):
    home = course.home_before("fill", tmp_path / "two")
    both = [
        build(load_settings({"CORNERMAN_HOME": str(home)}), log_stream=io.StringIO())
        for _ in range(2)
    ]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(
                pool.map(
                    lambda product: [execute.work_once(product.runtime) for _ in range(6)], both
                )
            )
    finally:
        for product in both:
            product.close()
    found = standing(home)
    assert found["violations"] == []
    assert found == course.after["fill"]
