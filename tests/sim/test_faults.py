"""Each fault alone, until it has truly happened: what the fault matrix asks for is what comes."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest

from tests.sim.actors import MEANWHILE
from tests.sim.plan import SPOILS, Options, Plan, Step, build_plan
from tests.sim.run import simulate

SEEDS_MAX = 60
"""Seeds within which a forced fault must have shown what it is asked for; most need three."""

CASES = (
    pytest.param(
        ("lost_request", "posts once"),
        {"submit:lost_request": 2, "state PRESUMED_NOT_ACCEPTED": 1},
        id="a request that never arrived is presumed lost after the whole window",
        marks=pytest.mark.fault("F036"),
    ),
    pytest.param(
        ("lost_response", "posts once"),
        {"submit:lost_response": 2, "state UNKNOWN": 2, "state WORKING": 2},
        id="an order whose answer was lost is adopted",
        marks=pytest.mark.fault("F037"),
    ),
    pytest.param(
        ("late", "very_late", "posts once"),
        {"submit:very_late": 2, "submit:late": 2, "risen": 1},
        id="an order that arrives late is adopted, even one that was thought lost",
        marks=pytest.mark.fault("F038"),
    ),
    pytest.param(
        ("hidden", "cut", "posts once"),
        {"submit:hidden": 2, "look:cut": 3, "state UNKNOWN": 2},
        id="a listing that lags or loses a page is no proof of absence",
        marks=pytest.mark.fault("F039"),
    ),
)


@pytest.mark.parametrize(("force", "wanted"), CASES)
def test_a_fault_happens_and_breaks_nothing(storage, force, wanted):
    seen: Counter[str] = Counter()
    for seed in count(10_000):
        if all(seen[name] >= times for name, times in wanted.items()):
            return
        assert seed < 10_000 + SEEDS_MAX, {name: seen[name] for name in wanted}
        result = simulate(build_plan(seed, force=force), storage)
        assert not result.name, (seed, force, result.detail)
        seen.update(result.faults)
        seen.update({f"state {name}": times for name, times in result.states.items()})
        seen["risen"] += (
            result.states["PRESUMED_NOT_ACCEPTED"] - result.left["PRESUMED_NOT_ACCEPTED"]
        )


def plan_of(*steps: Step, late: bool = False) -> Plan:
    """A world without a fault of its own, and exactly these steps."""
    calm = Options(
        dedupes=False,
        tenants=1,
        symbols=("AAPL",),
        lag_s=0,
        strict=False,
        late=late,
        brackets=False,
        changes=False,
        weights={},
        rates={},
    )
    return Plan(0, calm, steps)


def step(action: str, *, pick: int = 2, amount: int = 241) -> Step:
    return Step(action=action, who=0, pick=pick, amount=amount, twist="", pause_s=1)


def hesitate(meanwhile: str, amount: int = 241) -> Step:
    return step("hesitate", pick=MEANWHILE.index(meanwhile), amount=amount)


@pytest.mark.parametrize(
    ("meanwhile", "amount", "reason"),
    [
        pytest.param(
            "price", 240, "a price that ran away", marks=pytest.mark.fault("F056"), id="price"
        ),
        pytest.param("linger", 240, "a closed market", marks=pytest.mark.fault("F065"), id="close"),
        pytest.param("halt", 241, "a halted desk", marks=pytest.mark.fault("F053"), id="halt"),
        pytest.param(
            "clock", 243, "a card whose time is over", marks=pytest.mark.fault("F129"), id="clock"
        ),
        pytest.param("spoil", 40, "stale data", marks=pytest.mark.fault("F016"), id="stale"),
        pytest.param("spoil", 46, "jump data", marks=pytest.mark.fault("F018"), id="jump"),
        pytest.param("wait", 241, "a card whose time is over", id="wait"),
        pytest.param("decline", 241, "a card that is declined", id="decline"),
        pytest.param("edit", 241, "a card that is superseded", id="edit"),
        *(
            pytest.param("spoil", 40 + SPOILS.index(how), f"{how} data", id=how)
            for how in ("crossed", "zero", "wide", "future", "halted", "missing")
        ),
    ],
)
def test_a_card_that_the_world_has_left_behind_is_refused(storage, meanwhile, amount, reason):
    late = meanwhile == "linger"
    result = simulate(plan_of(hesitate(meanwhile, amount), step("work"), late=late), storage)
    assert not result.name, result.detail
    assert result.refused[reason] == 1, result.log
    assert result.left["WORKING"] == 0


def test_a_card_that_nothing_happened_to_is_confirmed(storage):
    result = simulate(plan_of(hesitate("linger", 240), step("work")), storage)
    assert not result.name, result.detail
    assert result.left == {"WORKING": 1}


@pytest.mark.fault("F053")
def test_a_desk_halted_between_confirmation_and_sending_sends_nothing(storage):
    steps = step("confirm"), step("halt"), step("work")
    result = simulate(plan_of(*steps), storage)
    assert not result.name, result.detail
    assert set(result.left) <= {"DENIED", "CANCELLED"}
    assert result.left
    assert result.states["SUBMITTING"] == 0
