"""Deaths at any moment at a broker over a wire: its book, ours and the ledger stay one."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import asdict
from decimal import Decimal

import pytest

from services.invariant import check_all
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.orders import store
from services.orders.order import State
from tests import proof
from tests.contract.houses import SENT_ONCE, WIRED
from tests.crash.at_broker import open_house, pass_time, since_open
from tests.fakes.hand_feed import PRICES

pytestmark = [pytest.mark.crash, pytest.mark.xdist_group("crash")]
PROVE = os.environ.get("CORNERMAN_PROVE") == "1"
KILLS = 10
COURSES = 25 if PROVE else 1
"""Courses of ten deaths for each broker; those of the whole product are in `test_crash.py`."""
ANSWERS = ("accept", "accept", "accept", "lost", "lost_before")
"""What the broker does with the request, if it ever arrives."""
STEP_S, ROUNDS = 40, 5
"""A recovery looks for 200 seconds: longer than a lost order may stay unseen."""


class Killer:
    """One broker, one account, one process after another."""

    def __init__(self, name: str, house, zygote, home, *, draw: random.Random) -> None:
        self.name, self.house, self.zygote, self.home, self.draw = name, house, zygote, home, draw
        self.desk, self.ms, self.killed = house.desk, 60, 0

    def cycle(self, number: int) -> bool:
        """Let a person confirm an order, a process die over it, and the next one make it good.

        False when every symbol has an order in doubt, and nothing more can be ordered.
        """
        card = self.propose()
        if card is None:
            return False
        self.house.fake.answers = [self.draw.choice(ANSWERS)]
        attempt = asdict(self.desk.attempt(card.id, self.desk.issue(card.id)))
        attempt["typed"] = f"{card.order.symbol} {card.order.quantity}"
        asked = {"attempt": attempt, "key": f"kill-{self.name}-{number:08}"}
        moment = self.draw.randint(1, self.ms)
        ended = self.run(**asked, rounds=2, step_s=1, kill_ms=moment)
        self.killed += ended["code"] == -9
        if ended["code"] == 0:
            self.ms = max(20, min(400, ended["ms"]))
        self.trade()
        self.finish(ROUNDS, **asked)
        self.trade(whole=True)
        self.finish(1, **asked)
        return True

    def propose(self):
        """Propose a small order of a symbol that has no order in doubt, or return None."""
        symbols = sorted(PRICES)
        self.draw.shuffle(symbols)
        for symbol in symbols:
            try:
                return self.desk.propose(symbol, quantity=str(self.draw.randint(1, 3)))
            except Refusal as refusal:
                if refusal.code != "ORDER_IN_DOUBT":
                    raise
        return None

    def run(self, **command) -> dict:
        return self.zygote.run(
            self.home,
            "at a broker",
            house=self.name,
            base_url=self.house.fake.base_url,
            database=self.desk.runtime.database.url,
            at_s=since_open(self.house),
            **command,
        )

    def finish(self, rounds: int, **asked) -> None:
        ended = self.run(**asked, rounds=rounds, step_s=STEP_S)
        assert ended["code"] == 0, (self.home / "child.log").read_text()[-3000:]
        pass_time(self.house, rounds * STEP_S)

    def trade(self, *, whole: bool = False) -> None:
        """Let what is open at the broker trade, in part or whole."""
        for client_id, one in self.house.kept().items():
            if one.is_open and (whole or self.draw.random() < 0.3):
                units = one.left if whole else Decimal(1)
                self.house.execute(client_id, str(units), "190.00")

    def compare(self) -> None:
        """No order doubled or lost; the broker's book, our orders and the ledger say the same."""
        sent, kept = self.house.sent(), self.house.kept()
        if self.name in SENT_ONCE:
            assert len(sent) == len(set(sent)), "an order was sent twice"
        assert len(self.house.fake.booked) == len(kept), "the broker has two of one order"
        orders = {one.client_order_id: one for one in self.orders()}
        assert set(kept) <= set(orders), "the broker has an order that we do not know"
        held: dict[str, Decimal] = {}
        for client_id, order in orders.items():
            there = kept.get(client_id)
            wanted = State.PRESUMED_NOT_ACCEPTED if there is None else State.FILLED
            assert order.state is wanted, (client_id, order.state, there)
            assert order.filled_quantity == (Decimal(0) if there is None else there.filled)
            held[order.symbol] = held.get(order.symbol, Decimal(0)) + order.filled_quantity
        assert {symbol: self.desk.held(symbol) for symbol in held} == held
        lost = [one for one in orders.values() if one.state is State.PRESUMED_NOT_ACCEPTED]
        assert bool(self.desk.cash().reserved.amount) == bool(lost)

    def orders(self):
        return self.desk.read(lambda ctx: store.list_orders(ctx, limit=500))


@pytest.mark.fault("F067")
@pytest.mark.parametrize("name", sorted(WIRED))
@pytest.mark.parametrize("course", range(COURSES))
def test_kill_9_at_a_broker_loses_and_doubles_nothing(
    zygote, migrated_file, tmp_path, name, course
):
    shutil.copyfile(migrated_file, tmp_path / "c.db")
    database = Database(f"sqlite:///{tmp_path / 'c.db'}")
    house = open_house(name, database, load_settings({"CORNERMAN_HOME": str(tmp_path)}))
    killer = Killer(name, house, zygote, tmp_path, draw=random.Random(f"{name}:{course}"))
    try:
        with proof.measured("kill -9", f"{name} {course}") as figure:
            for number in range(KILLS):
                if not killer.cycle(number):
                    break
                killer.compare()
                figure.count = killer.killed
            assert killer.desk.read(check_all) == []
        assert len(killer.orders()) >= len(PRICES)
    finally:
        house.close()
        database.close()
