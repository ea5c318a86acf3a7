"""Equal inputs give equal bytes: again, elsewhere, on either database, on another Python."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kit.canonical import bytes_hash, canonical
from services.kit.clock import HandClock
from services.kit.context import Context
from services.kit.db import Database
from services.market import replay
from services.research.replay_plan import replay_plan
from services.strategy.documents import get_document, store_document
from services.strategy.load import TrackCache
from services.trade.plan_service import PlanWish, make_plan
from tests.conftest import NOW, absent, build_runtime
from tests.seeded_cases import CASES, case_bytes, digests, plan_bytes

ROOT = Path(__file__).resolve().parents[2]
DAY = """
import json, sys, tempfile
from pathlib import Path
from services import audit
from services.kit.ids import CountedIds
from services.market import replay
from tests.fakes.trading_day import BUY, PLAN, TradingDay

with tempfile.TemporaryDirectory() as home:
    day = TradingDay(Path(home), ids=CountedIds())
    day.write(replay.pause)
    said = [day.say(PLAN), day.say(BUY)]
    cards = [(card.id, card.order_hash, dict(card.risk)) for card in day.pending()]
    head = [event.hash for event in day.read(lambda ctx: audit.trail(ctx, limit=1))]
    day.close()
sys.stdout.buffer.write(json.dumps([said, cards, head]).encode())
"""
PLACES = [
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "4242", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"},
]


@pytest.mark.fault("F134")
def test_a_days_advice_and_card_do_not_depend_on_seed_zone_or_locale():
    running = [
        subprocess.Popen(
            [sys.executable, "-c", DAY],
            cwd=ROOT,
            env={**os.environ, **place},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for place in PLACES
    ]
    (one, first), (two, second) = [run.communicate(timeout=60) for run in running]
    assert [run.returncode for run in running] == [0, 0], (first, second)
    assert b"prop_" in one
    assert one == two


CASES_ALL, PLANS_ALL = 10_000, 200
CASES_ELSEWHERE, PLANS_ELSEWHERE = 160, 40
SEEDED = ["-m", "tests.seeded_cases", str(CASES_ELSEWHERE), str(PLANS_ELSEWHERE)]


def test_ten_thousand_seeded_cases_give_the_same_bytes_in_any_order():
    once = [case_bytes(seed) for seed in range(CASES_ALL)]
    again = [case_bytes(seed) for seed in reversed(range(CASES_ALL))]
    assert once == again[::-1]
    assert len(set(once)) > 0.95 * CASES_ALL
    assert sum(b"_INVALID" in one for one in once) < 0.02 * CASES_ALL
    assert {one.split(b'"')[1].decode() for one in once} == {rule.__name__ for rule in CASES}


def test_two_hundred_seeded_plans_give_the_same_bytes_twice():
    once = list(plan_bytes(PLANS_ALL))
    assert once == list(plan_bytes(PLANS_ALL))
    assert sum(one.startswith(b"{") for one in once) > 0.8 * PLANS_ALL


@functools.cache
def here() -> list[str]:
    """The digests of this process, which every other place must match."""
    return digests(CASES_ELSEWHERE, PLANS_ELSEWHERE)


def ran(python: str, **place: str) -> list[str]:
    done = subprocess.run(
        [python, *SEEDED], cwd=ROOT, env={**os.environ, **place},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.mark.fault("F134")
@pytest.mark.parametrize("place", PLACES, ids=["C", "Kathmandu"])
def test_two_hundred_cases_are_the_same_under_another_seed_zone_and_locale(place):
    assert ran(sys.executable, **place) == here()


def other_pythons() -> Iterator[str]:
    """Yield interpreters of another version that have what the product needs."""
    named = os.environ.get("CORNERMAN_SECOND_PYTHON")
    found = [named] if named else [shutil.which(f"python3.{minor}") for minor in range(12, 16)]
    for python in filter(None, found):
        ask = [
            python,
            "-c",
            "import sys, pydantic, rfc8785, sqlalchemy; print(sys.version_info[:2])",
        ]
        tried = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=60)
        if tried.returncode == 0 and tried.stdout.strip() != str(sys.version_info[:2]):
            yield python


def test_two_hundred_cases_are_the_same_on_another_python():
    python = next(other_pythons(), None)
    if python is None:
        absent("second-python", "no other Python with the dependencies: CORNERMAN_SECOND_PYTHON")
    path = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    assert ran(python, **path) == here()


def kept(url: str, settings, owner) -> list[str]:
    """Return what a database gives back of seeded cases, and of a plan that is made on it."""
    database, clock = Database(url), HandClock(NOW)
    runtime = build_runtime(database, clock, settings)
    runtime.ports[TrackCache] = TrackCache()

    def store(ctx: Context) -> list[str]:
        made = [{"of": case_bytes(seed).decode()} for seed in range(CASES_ELSEWHERE)]
        made += [{"of": one.decode()} for one in plan_bytes(PLANS_ELSEWHERE)]
        hashes = [store_document(ctx, "case/v1", str(at), one).hash for at, one in enumerate(made)]
        read = [get_document(ctx, one).body for one in hashes]
        assert read == made
        return hashes

    try:
        runtime.write(owner, replay.resume_at_boot)
        clock.advance(minutes=35)
        hashes = runtime.write(owner, store)
        plan = runtime.write(owner, lambda ctx: make_plan(ctx, PlanWish(symbol="IBM")))
        again = runtime.read(owner, lambda ctx: replay_plan(ctx, plan.id))
        assert (again.same, again.differences) == (True, ())
        return [*hashes, plan.id, bytes_hash("plan/v1", canonical(plan.document))]
    finally:
        database.close()


@pytest.mark.postgres
def test_cases_and_plans_are_the_same_bytes_out_of_sqlite_and_postgresql(
    sqlite_url, postgres_url, settings, owner
):
    assert kept(sqlite_url, settings, owner) == kept(postgres_url, settings, owner)
