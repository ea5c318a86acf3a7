"""Owns the swarm: seeded schedules of faults at a broker over a wire, which must all converge.

A run breaks answers, listings, cancels and the process itself at random, lets orders fill in
parts, then heals. Afterwards the broker's orders and our book must say the same, and no order was
posted twice where the broker would take it twice. A seed that fails is a case to keep: `KEPT`.
"""

from __future__ import annotations

import os
import random

import pytest

from services import invariant
from services.kit.errors import Refusal
from services.kit.failpoint import FailpointHit, arm
from services.orders import execute, reconcile, store, switch
from services.orders.freeze import list_freezes, unfreeze
from services.orders.order import ENDED, IN_DOUBT, State
from tests.contract.houses import SENT_ONCE, WIRED

KEPT: tuple[int, ...] = (14, 24)
SEEDS = (*KEPT, *range(int(os.environ.get("CORNERMAN_BROKER_SEEDS", "4"))))
STEPS = 24
POINTS = (
    "execute.after_attempt",
    "execute.after_submit",
    "execute.after_outcome",
    "execute.after_cancel",
    "settle.after_post",
    "settle.before_commit",
)
SUBMITS = ("accept", "accept", "lost", "cut", "lost_before", "late")
CANCELS = ("accept", "lost", "lost_before")


class Swarm:
    """One schedule: what a step does is drawn from the seed alone."""

    def __init__(self, house, seed: int) -> None:
        self.house, self.desk, self.draw = house, house.desk, random.Random(seed)
        self.steps = (self.buy, self.buy, self.work, self.work, self.fill, self.fill)
        self.steps += (self.cancel, self.wait, self.break_listing, self.crash, self.arrive)
        plans = house.plans
        self.submits = (*SUBMITS, *sorted((*plans.definite, *plans.unclear)))
        self.submits += tuple(f"booked:{name}" for name in plans.unclear)

    def run(self) -> None:
        for _ in range(STEPS):
            self.draw.choice(self.steps)()
        self.heal()

    def buy(self) -> None:
        self.release()
        self.house.fake.lag = self.draw.choice((0, 0, 1, 3))
        self.house.fake.answers = [self.draw.choice(self.submits)]
        symbol = self.draw.choice(("AAPL", "MSFT", "GOOG", "IBM"))
        refused = ""
        try:
            self.desk.buy(symbol, quantity=str(self.draw.randint(1, 3)))
        except Refusal as refusal:
            refused = refusal.code
        assert refused in (
            "",
            "ORDER_IN_DOUBT",
            "CONFIRM_TYPED_MISMATCH",
            "RISK_BREACH",
            "GUARD_REFUSED",
        )

    def work(self) -> None:
        self.desk.work(self.draw.randint(1, 2))

    def fill(self) -> None:
        names = self.open_names()
        if names:
            name = self.draw.choice(names)
            left = int(self.house.kept()[name].left)
            price = self.draw.choice(("189.90", "190.00", "190.0375"))
            self.house.execute(name, str(self.draw.randint(1, left)), price)

    def cancel(self) -> None:
        known = [one.id for one in self.orders() if one.state not in ENDED]
        if known:
            self.house.fake.cancel_answers = [
                self.draw.choice((*CANCELS, *self.house.plans.cancels))
            ]
            order_id = self.draw.choice(known)
            self.desk.write(lambda ctx: execute.cancel(ctx, order_id))

    def wait(self) -> None:
        self.pass_time(self.draw.choice((1, 5, 40, 90)))

    def break_listing(self) -> None:
        plan = self.draw.choice(self.house.plans.readings)
        self.house.fake.list_answers = [plan] * self.draw.randint(1, 3)

    def crash(self) -> None:
        arm(f"{self.draw.choice(POINTS)}:raise")
        try:
            self.desk.work(2)
        except FailpointHit:
            reconcile.at_boot(self.desk.runtime)
        finally:
            arm("")

    def arrive(self) -> None:
        self.house.fake.arrive()

    def pass_time(self, seconds: int) -> None:
        self.desk.runtime.clock.advance(seconds=seconds)
        self.desk.feed.advance(seconds=seconds)

    def release(self) -> None:
        """Clear what a resurrection froze, as the owner would after looking."""
        for one in self.desk.read(list_freezes):
            if one.cleared_at is None:
                self.desk.write(lambda ctx, one=one: unfreeze(ctx, one.id, "looked at it"))
        if self.desk.read(switch.state).state != "ACTIVE":
            self.desk.write(lambda ctx: switch.resume(ctx, "looked at it"))

    def heal(self) -> None:
        fake = self.house.fake
        fake.answers, fake.cancel_answers, fake.list_answers = [], [], []
        fake.arrive()
        for _ in range(10):
            self.pass_time(60)
            self.desk.work(2)
        for name in self.open_names():
            self.house.execute(name, str(self.house.kept()[name].left), "190.00")
        for _ in range(3):
            self.pass_time(60)
            self.desk.work(2)

    def open_names(self):
        return [name for name, one in self.house.kept().items() if one.is_open]

    def orders(self):
        return self.desk.read(lambda ctx: store.list_orders(ctx, limit=500))


@pytest.mark.parametrize("name", sorted(WIRED))
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.fault("F036", "F037", "F038", "F039", "F041", "F047", "F067")
def test_whatever_breaks_book_and_broker_agree_in_the_end(database, settings, name, seed):
    house = WIRED[name](database, settings)
    try:
        swarm = Swarm(house, seed)
        swarm.run()
        orders = {one.client_order_id: one for one in swarm.orders()}
        sent, kept = house.sent(), house.kept()
        if name in SENT_ONCE:
            assert len(sent) == len(set(sent)), "an order was posted twice"
        assert len(house.fake.booked) == len(kept), "the broker has an order twice"
        assert set(kept) <= set(orders), "the broker has an order that we do not know"
        for tag, one in kept.items():
            order = orders[tag]
            assert order.filled_quantity == one.filled, (tag, order.state)
            assert order.state not in (*IN_DOUBT, State.SUBMITTING, State.DISPUTED)
        for tag in set(orders) - set(kept):
            assert orders[tag].filled_quantity == 0
            assert orders[tag].state in (*ENDED, State.PRESUMED_NOT_ACCEPTED), orders[tag].state
        assert house.desk.read(invariant.check_all) == []
    finally:
        house.close()
