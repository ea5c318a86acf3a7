"""Owns making a failing run small: fewer steps and fewer faults that show the same violation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.sim.plan import Plan, Step

RUNS_MAX = 200


def shrink(plan: Plan, name: str, run: Callable[[Plan], str], *, runs: int = RUNS_MAX) -> Plan:
    """Return a smaller plan for which `run` still names the violation `name`.

    Halves, quarters and single steps are left out as long as that helps (delta debugging), then
    single faults. At most `runs` runs.
    """
    budget = iter(range(runs))

    def fails(candidate: Plan) -> bool:
        return next(budget, None) is not None and run(candidate) == name

    plan = _fewer_steps(plan, fails)
    for smaller in _without_faults(plan):
        if fails(plan.keep(smaller(list(plan.steps)))):
            plan = plan.keep(smaller(list(plan.steps)))
    return plan


def _fewer_steps(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    size = max(1, len(plan.steps) // 2)
    while size:
        start, helped = 0, False
        while start < len(plan.steps):
            kept = [*plan.steps[:start], *plan.steps[start + size :]]
            if fails(plan.keep(kept)):
                plan, helped = plan.keep(kept), True
            else:
                start += size
        if not helped or size > 1:
            size //= 2
    return plan


def _without_faults(plan: Plan) -> Iterator[Callable[[list[Step]], list[Step]]]:
    """Yield the removal of each single fault; they keep the places of the others."""
    for place, step in enumerate(plan.steps):
        for fault in step.faults:

            def without(
                steps: list[Step], place: int = place, fault: tuple[str, str, int] = fault
            ) -> list[Step]:
                left = tuple(one for one in steps[place].faults if one != fault)
                return [*steps[:place], replace(steps[place], faults=left), *steps[place + 1 :]]

            yield without
