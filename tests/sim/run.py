"""Owns one run: safety under faults, then liveness in a healed world, and what came of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy import select

from services.audit import audit_events
from services.invariant import CHECKS, check_all
from services.kit.errors import InvariantBroken
from services.kit.failpoint import FailpointHit, arm
from services.kit.money import use_context
from tests.sim.actors import Actors, resume
from tests.sim.adapter import SimBroker
from tests.sim.auditor import Violation
from tests.sim.plan import Plan, Step
from tests.sim.storage import Storage
from tests.sim.world import World

CHECK_EVERY = 12
"""Steps between two checks of all invariants; the comparison with the venue is after each."""
MOVING = ("I1", "I2", "I3", "I4", "I5", "I6")
"""The invariants whose rows change while orders move."""
QUICK_ROUNDS, QUICK_S = 40, 31
SLOW_ROUNDS, SLOW_S = 20, 300
"""Bound of the liveness phase: 20 minutes, then 100 more for a clock that has to catch up."""


@dataclass
class Result:
    """How a run ended: no violation, or its name; the log is what the hash is made of.

    `states` counts the states that orders came to, `left` those that they ended in, `refused` the
    confirmations that had to be refused and were, by reason.
    """

    plan: Plan
    name: str = ""
    detail: str = ""
    at_step: int = -1
    rounds: int = 0
    log: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    @property
    def hash(self) -> str:
        """Return the hash of everything that happened."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()


def simulate(plan: Plan, storage: Storage, broker: type[SimBroker] = SimBroker) -> Result:
    """Run a plan. A violation ends it; nothing else is raised."""
    use_context()
    result = Result(plan)
    with _quiet():
        try:
            _run(World(plan, storage, broker), result)
        except Violation as violation:
            result.name, result.detail = violation.name, str(violation)
        except InvariantBroken as broken:
            result.name, result.detail = "a broken check", str(broken)
        finally:
            arm("")
    result.log.append(f"end {result.name}")
    return result


def _run(world: World, result: Result) -> None:
    actors = Actors(world)
    for number, step in enumerate(world.plan.steps):
        result.at_step = number
        _step(world, actors, step, result)
        world.audit()
        if number % CHECK_EVERY == CHECK_EVERY - 1:
            check_invariants(world, whole=False)
    result.at_step = len(world.plan.steps)
    result.faults.update(world.weather.used)
    heal(world)
    _live(world, result)
    check_invariants(world, whole=True)
    result.states.update(world.books.counts)
    result.refused.update(world.auditor.refused)
    result.left.update(state for state, _ in world.books.was.values())
    result.log.extend(_digest(world))


def _step(world: World, actors: Actors, step: Step, result: Result) -> None:
    world.pass_time(step.pause_s)
    world.weather.set(step.faults)
    points = [value for channel, value, _ in step.faults if channel in ("point", "death")]
    dies = any(channel == "death" for channel, _, _ in step.faults)
    arm(f"{points[0]}:raise" if points else "")
    result.log.append(step.words())
    said = actors.perform(step)
    if actors.hit:
        result.faults["death" if dies else "failpoint"] += 1
    arm("")
    if actors.hit and dies:
        said = [*said, *actors.die()]
    world.weather.set(())
    result.log[-1] += f" -> {' '.join(said)} | {world.venue.words()}"


def heal(world: World) -> None:
    """End every fault: data are good, the broker answers, a person looks and lets it go on."""
    world.weather.set(())
    world.weather.outage_until = -1.0
    for symbol in sorted(world.feed.bad):
        world.feed.heal(symbol)
    for who in world.tenants:
        world.auditor.halted[who.tenant_id] = False
        world.runtime.write(who, resume)


def _live(world: World, result: Result) -> None:
    """Let time pass until the books are the venue's. Raises `Violation` when they never are."""
    said = ""
    waits = [QUICK_S] * QUICK_ROUNDS + [SLOW_S] * SLOW_ROUNDS
    for number, wait in enumerate(waits):
        result.rounds = number
        said = world.unsettled()
        if not said:
            return
        world.pass_time(wait)
        try:
            world.work()
        except FailpointHit as hit:
            raise Violation("a failpoint in a healed world", str(hit)) from hit
        world.audit()
    raise Violation("never settled", said)


def check_invariants(world: World, *, whole: bool) -> None:
    """Raise `Violation` with the first invariant that any tenant's rows break.

    During a run those of orders, books and the trail (I1 to I6) are checked, for what they read
    may change back; what is once stored in a wrong way is found at the end. The reading of every
    reference (I9) costs as much as all others; one run in four makes it, and each with two tenants.
    """
    deep = whole and (len(world.tenants) > 1 or world.plan.seed % 4 == 0)
    asked = tuple(CHECKS) if whole else MOVING
    only = tuple(name for name in asked if deep or name != "I9")
    for who in world.tenants:
        found = world.runtime.read(who, lambda ctx: check_all(ctx, only=only))
        if found:
            raise Violation(f"invariant {found[0].id}", str(found[0]))


def _digest(world: World) -> list[str]:
    """Return the heads of the audit chains: every row that matters is under them."""

    def head(ctx) -> str:
        return str(
            ctx.db.scalar(select(audit_events.c.hash).order_by(audit_events.c.seq.desc()).limit(1))
        )

    return [f"{who.tenant_id} {world.runtime.read(who, head)}" for who in world.tenants]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the product's log out of the way for the time of a run."""
    kept = structlog.get_config()
    structlog.configure(processors=[_drop])
    try:
        yield
    finally:
        structlog.configure(**kept)


def _drop(*_: object) -> str:
    raise structlog.DropEvent
