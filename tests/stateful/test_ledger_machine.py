"""A machine of random postings: after every step the snapshots are the fold, and money adds up."""

import itertools
import os
from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.kit.clock import HandClock
from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.kit.ids import RandomIds
from services.kit.work import Runtime
from services.ledger import book, holding, rebuild
from services.ledger.fill_posting import FillFacts, post_fill
from services.ledger.portfolio import charge_fee, contribute, open_portfolio, withdraw
from services.ledger.posting import Batch, opening_legs, split_legs
from tests.conftest import NOW

LISTINGS = ("XNAS:AAPL", "XNAS:MSFT")
_tenants = itertools.count(1)
CENTS = st.integers(1, 5_000_000).map(lambda cents: D(cents) / 100)
UNITS = st.integers(1, 300).map(D)
PRICES = st.integers(1, 2_000_000).map(lambda value: D(value) / 10_000)


PROVE = os.environ.get("CORNERMAN_PROVE") == "1"
EXAMPLES = {"sqlite": 300, "postgresql": 60} if PROVE else {"sqlite": 12, "postgresql": 5}


class LedgerMachine(RuleBasedStateMachine):
    """Drives the real service against a small independent account of cash, units and orders."""

    runtime: Runtime

    @initialize(method=st.sampled_from(["average", "fifo"]), start=CENTS)
    def open(self, method, start):
        self.who = system_principal(f"t_machine_{next(_tenants)}")
        self.cash, self.units, self.batches = start, dict.fromkeys(LISTINGS, D(0)), []
        self.reserved, self.held_back = {}, {}
        self.count, self.last = 0, None
        self.portfolio = self.do(
            lambda ctx: open_portfolio(ctx, "Machine", start_cash=start, cost_method=method)
        )

    def do(self, act):
        return self.runtime.write(self.who, act)

    def key(self):
        self.count += 1
        return f"{self.portfolio.id}:{self.count}"

    def tried(self, act, code):
        """Run `act`; a refusal must be the expected one and must have been due."""
        try:
            return self.do(act)
        except Refusal as refusal:
            said = refusal.code
        assert said == code
        return None

    @rule(amount=CENTS)
    def money_comes_in(self, amount):
        key = self.key()
        self.last = lambda ctx: contribute(ctx, self.portfolio.id, amount, key=key)
        posted = self.do(self.last)
        self.cash += amount
        self.batches.append((posted.seq, None, amount, D(0)))

    @rule(amount=CENTS, act=st.sampled_from([withdraw, charge_fee]))
    def money_goes_out(self, amount, act):
        key = self.key()
        posted = self.tried(
            lambda ctx: act(ctx, self.portfolio.id, amount, key=key), "INSUFFICIENT_CASH"
        )
        free = self.cash - sum(self.reserved.values(), D(0))
        assert (posted is not None) == (amount <= free)
        if posted:
            self.cash -= amount
            self.batches.append((posted.seq, None, -amount, D(0)))

    @rule(
        listing=st.sampled_from(LISTINGS),
        units=UNITS,
        price=PRICES,
        fee=st.integers(0, 500),
        side=st.sampled_from(["buy", "sell"]),
    )
    def an_order_fills(self, listing, units, price, fee, side):
        key = self.key()
        facts = FillFacts(
            order_id=key,
            portfolio_id=self.portfolio.id,
            exec_id="x",
            listing=listing,
            symbol=listing.split(":")[1],
            side=side,
            quantity=units,
            price=price,
            commission=D(fee) / 100,
            currency="USD",
            at=NOW - timedelta(minutes=self.count),
            provenance="REPLAY",
        )
        sign = 1 if side == "buy" else -1
        move = -sign * round(units * price, 2) - D(fee) / 100
        code = "INSUFFICIENT_CASH" if self.cash + move < 0 else "INSUFFICIENT_POSITION"
        posted = self.tried(lambda ctx: post_fill(ctx, facts), code)
        assert (posted is not None) == (
            self.cash + move >= 0 and self.units[listing] + sign * units >= 0
        )
        if posted:
            self.last = lambda ctx: post_fill(ctx, facts)
            self.cash += move
            self.units[listing] += sign * units
            self.batches.append((posted.seq, listing, move, sign * units))

    @rule(listing=st.sampled_from(LISTINGS), units=UNITS, cost=CENTS)
    def a_holding_comes_from_elsewhere(self, listing, units, cost):
        posted = self.post("OPENING", opening_legs(listing, units, cost, "USD"))
        self.units[listing] += units
        self.batches.append((posted.seq, listing, D(0), units))

    @precondition(lambda self: any(self.units.values()))
    @rule(data=st.data(), ratio=st.sampled_from([D(2), D(3), D("1.5"), D("0.5"), D("0.1")]))
    def a_split_happens(self, data, ratio):
        listing = data.draw(st.sampled_from([name for name in LISTINGS if self.units[name]]))
        held = self.units[listing]
        become = held * ratio // 1
        paid = round((held * ratio - become) * 7, 2)
        legs = split_legs(listing, held, become, in_lieu=paid, base="USD")
        posted = self.post("SPLIT", legs)
        self.units[listing] = become
        self.cash += paid
        self.batches.append((posted.seq, listing, paid, become - held))

    def post(self, kind, legs):
        batch = Batch(
            portfolio_id=self.portfolio.id,
            kind=kind,
            key=self.key(),
            effective_at=NOW,
            legs=legs,
            source="import",
        )
        self.last = lambda ctx: book.append(ctx, batch)
        return self.do(self.last)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def a_batch_is_reversed(self, data):
        at = data.draw(st.integers(0, len(self.batches) - 1))
        seq, listing, cash, units = self.batches[at]
        key = self.key()
        moved = [one for one in self.batches[at + 1 :] if one[1] == listing and units and one[3]]
        said = ""
        try:
            self.do(
                lambda ctx: book.reverse(ctx, self.portfolio.id, seq, key=key, effective_at=NOW)
            )
        except Refusal as refusal:
            said = refusal.code
        if said:
            free = self.cash - sum(self.reserved.values(), D(0))
            left = self.units.get(listing, D(0)) - units
            promised = sum((q for name, q in self.held_back.values() if name == listing), D(0))
            expected = {
                "REVERSAL_BLOCKED": bool(moved),
                "INSUFFICIENT_CASH": free - cash < 0,
                "INSUFFICIENT_POSITION": left < promised,
            }
            assert expected[said]
            return
        assert not moved
        self.cash -= cash
        if listing:
            self.units[listing] -= units
        del self.batches[at]

    @rule(amount=CENTS)
    def an_order_reserves_cash(self, amount):
        order = self.key()
        free = self.cash - sum(self.reserved.values(), D(0))
        self.tried(
            lambda ctx: book.reserve(ctx, self.portfolio.id, order, cash=amount),
            "INSUFFICIENT_CASH",
        )
        if amount <= free:
            self.reserved[order] = amount

    @rule(listing=st.sampled_from(LISTINGS), units=UNITS)
    def an_order_reserves_units(self, listing, units):
        order = self.key()
        promised = sum((q for name, q in self.held_back.values() if name == listing), D(0))
        self.tried(
            lambda ctx: book.reserve(
                ctx, self.portfolio.id, order, listing=listing, quantity=units
            ),
            "INSUFFICIENT_POSITION",
        )
        if units <= self.units[listing] - promised:
            self.held_back[order] = (listing, units)

    @precondition(lambda self: self.reserved or self.held_back)
    @rule(data=st.data(), part=st.integers(0, 3))
    def a_reservation_shrinks(self, data, part):
        order = data.draw(st.sampled_from(sorted(self.reserved | self.held_back)))
        cash = self.reserved.pop(order, D(0)) * part / 4
        cash = round(cash, 2)
        listing, units = self.held_back.pop(order, ("", D(0)))
        units = units * part // 4
        self.do(lambda ctx: book.release(ctx, order, keep_cash=cash, keep_quantity=units))
        if cash:
            self.reserved[order] = cash
        if units:
            self.held_back[order] = (listing, units)

    @precondition(lambda self: self.last)
    @rule()
    def the_same_post_comes_again(self):
        assert self.do(self.last).replayed

    @invariant()
    def the_snapshots_are_the_fold_and_the_account_agrees(self):
        if not hasattr(self, "portfolio"):
            return

        def look(ctx):
            return (
                rebuild.check(ctx),
                book.cash(ctx, self.portfolio.id),
                holding.positions(ctx, self.portfolio.id),
            )

        differences, cash, held = self.runtime.read(self.who, look)
        assert differences == []
        assert cash.posted.amount == self.cash
        assert cash.reserved.amount == sum(self.reserved.values(), D(0))
        units = {one.listing: one.quantity for one in held}
        assert units == {name: value for name, value in self.units.items() if value}
        assert all(one.cost_base >= 0 for one in held)


@pytest.mark.fault("F083")
@pytest.mark.fault("F085")
@pytest.mark.fault("F086")
def test_random_postings_keep_every_snapshot_equal_to_the_fold(database_url, tmp_path):
    database = Database(database_url)
    clock = HandClock(NOW)
    runtime = Runtime(
        database, clock, RandomIds(clock), load_settings({"CORNERMAN_HOME": str(tmp_path)})
    )
    machine = type("Machine", (LedgerMachine,), {"runtime": runtime})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES[database.dialect],
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        database.close()
