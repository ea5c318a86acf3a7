"""The whole path as a machine: talk, propose, edit, confirm, work, cancel, halt, fail, restart."""

from __future__ import annotations

import os
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from app.background import boot
from services.kit.clock import HandClock
from services.kit.errors import Refusal
from services.kit.failpoint import FailpointHit, arm
from services.kit.ids import CountedIds
from services.ledger import book, holding, portfolio
from services.market import replay
from services.orders import confirm as gate
from services.orders import execute, proposal, propose, store, switch
from services.orders.draft import OrderDraft
from services.orders.order import Status
from tests.fakes.trading_day import BUY, PLAN, START, TradingDay

PROVE = os.environ.get("CORNERMAN_PROVE") == "1"
EXAMPLES, STEPS = (400, 40) if PROVE else (6, 18)
SYMBOLS = ("AAPL", "MSFT")
TERMS = st.tuples(
    st.sampled_from(SYMBOLS),
    st.sampled_from(("buy", "buy", "sell")),
    st.integers(1, 60),
    st.sampled_from((None, "0.999", "1.001", "0.97")),
)
FAILPOINTS = (
    "confirm.before_commit",
    "execute.before_attempt_commit",
    "execute.after_attempt",
    "execute.after_submit",
    "paper.before_accept",
    "paper.after_accept",
    "ledger.after_entries",
    "settle.after_post",
    "settle.before_commit",
)
ENDED_CARD = ("PROPOSAL_NOT_PENDING", "PROPOSAL_EXPIRED")


def require(expected: bool, refusal: Refusal) -> None:
    """Pass an expected refusal; any other one is a failure."""
    if not expected:
        raise AssertionError("an unexpected refusal") from refusal


@pytest.fixture(autouse=True, scope="module")
def template(migrated_file):
    """A migrated file that each machine starts from."""
    WholePath.migrated = migrated_file


class WholePath(RuleBasedStateMachine):
    """Drives the real product; beside it stands a model that knows only what people confirmed."""

    migrated: Path
    cards, attempts = Bundle("cards"), Bundle("attempts")

    @initialize()
    def open_the_day(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="whole-path-"))
        shutil.copyfile(self.migrated, self.home / "cornerman.db")
        self.clock, self.ids = HandClock(START), CountedIds()
        self.day = TradingDay(self.home, clock=self.clock, ids=self.ids)
        self.day.write(replay.pause)
        self.confirmed: set[str] = set()
        self.halted = False
        self.answers: dict[tuple[str, str], dict] = {}

    def teardown(self) -> None:
        arm("")
        if hasattr(self, "day"):
            self.day.close()
            shutil.rmtree(self.home, ignore_errors=True)

    @rule(target=cards)
    def plan_and_buy_by_talking(self):
        self.day.say(PLAN)
        self.day.say(BUY)
        return multiple(*[card.id for card in self.day.pending()][:1])

    @rule(terms=TERMS, rounds=st.integers(0, 3))
    def trade(self, terms, rounds):
        """Propose, confirm at once, and let the executor work."""
        card = self._propose(*terms)
        if card is not None:
            try:
                attempt = self.day.attempt(card)
            except Refusal:
                return
            self._confirm(attempt, key="")
            self.day.work(rounds)

    @rule(target=cards, terms=TERMS)
    def propose(self, terms):
        card = self._propose(*terms)
        return multiple() if card is None else card

    def _propose(self, symbol, side, quantity, away):
        price = None
        if away is not None:
            price = Decimal({"AAPL": "409", "MSFT": "26.70"}[symbol]) * Decimal(away)
            price = price.quantize(Decimal("0.01"))
        draft = OrderDraft(
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            tif="day",
            type="market" if price is None else "limit",
            limit_price=price,
        )
        try:
            return self.day.write(lambda ctx: propose.propose(ctx, draft)).id
        except Refusal as refusal:
            require(refusal.kind in ("risk", "state", "data", "input"), refusal)
            return None

    @rule(target=cards, card=cards, quantity=st.integers(1, 30))
    def edit(self, card, quantity):
        try:
            return self.day.write(
                lambda ctx: propose.edit(ctx, card, {"quantity": Decimal(quantity)})
            ).id
        except Refusal:
            return multiple()

    @rule(target=attempts, card=cards)
    def open_the_card(self, card):
        try:
            return self.day.attempt(card)
        except Refusal as refusal:
            require(refusal.code in ENDED_CARD, refusal)
            return multiple()

    @rule(attempt=attempts, key=st.sampled_from(("a" * 16, "b" * 16)))
    def confirm(self, attempt, key):
        self._confirm(attempt, key)

    def _confirm(self, attempt, key):
        self._confirm(attempt, key)

    def _confirm(self, attempt, key):
        try:
            answer = gate.confirm(self.day.runtime, self.day.who, attempt, key=key)
        except Refusal:
            return
        body = dict(answer.body)
        if key:
            known = self.answers.setdefault((attempt.proposal_id, key), body)
            assert body == known, "the same key gives the same answer"
        if not answer.replayed:
            assert attempt.proposal_id not in self.confirmed, "confirmed twice"
            assert not self.halted, "confirmed while halted"
            self.confirmed.add(attempt.proposal_id)

    @rule(card=consumes(cards))
    def decline(self, card):
        try:
            self.day.write(lambda ctx: proposal.decline(ctx, card))
        except Refusal as refusal:
            require(refusal.code in ENDED_CARD, refusal)

    @rule(rounds=st.integers(1, 3))
    def work(self, rounds):
        self.day.work(rounds)

    @rule(name=st.sampled_from(FAILPOINTS))
    def fail_while_working(self, name):
        arm(f"{name}:raise")
        try:
            self.day.work(2)
        except FailpointHit:
            self.day.clock.advance(seconds=20)
        finally:
            arm("")

    @rule(attempt=attempts)
    def fail_while_confirming(self, attempt):
        arm("confirm.before_commit:raise")
        try:
            gate.confirm(self.day.runtime, self.day.who, attempt)
        except (FailpointHit, Refusal):
            pass
        finally:
            arm("")

    @rule()
    def cancel_the_first_open_order(self):
        opened = self.day.read(lambda ctx: store.list_orders(ctx, open_only=True))
        if opened:
            self.day.write(lambda ctx: execute.cancel(ctx, opened[0].id))

    @rule(seconds=st.sampled_from((60, 3600, 23_400)))
    def let_the_market_move(self, seconds):
        self.day.write(lambda ctx: replay.step(ctx, seconds))

    @rule()
    def let_cards_expire(self):
        self.clock.advance(minutes=11)

    @rule(on=st.booleans())
    def turn_the_switch(self, on):
        self.day.write(
            lambda ctx: switch.halt(ctx, "a test") if on else switch.resume(ctx, "a test")
        )
        self.halted = on

    @rule()
    def restart(self):
        self.day.close()
        self.day = TradingDay(self.home, clock=self.clock, ids=self.ids)
        self.day.write(replay.pause)
        boot(self.day.product)

    @invariant()
    def nothing_impossible_is_in_the_rows(self):
        if hasattr(self, "day"):
            assert self.day.faults() == []

    @invariant()
    def the_books_are_what_was_confirmed_and_filled(self):
        if hasattr(self, "day"):
            self.day.read(self._compare)

    def _compare(self, ctx) -> None:
        orders = {one.proposal_id: one for one in store.list_orders(ctx)}
        assert set(orders) == self.confirmed
        assert all(
            proposal.get_proposal(ctx, card).status is Status.CONFIRMED for card in self.confirmed
        )
        books = portfolio.list_portfolios(ctx)
        if not books:
            return
        cash, units = books[0].start_cash, dict.fromkeys(SYMBOLS, Decimal(0))
        for fill in store.list_fills(ctx, limit=500):
            sign = 1 if fill.side == "buy" else -1
            cash -= sign * (fill.quantity * fill.price).quantize(Decimal("0.01")) + fill.commission
            units[fill.symbol] += sign * fill.quantity
        assert book.cash(ctx, books[0].id).posted.amount == cash
        held = {one.symbol: one.quantity for one in holding.positions(ctx, books[0].id)}
        assert held == {symbol: count for symbol, count in units.items() if count}


WholePath.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=tuple(Phase) if PROVE else (Phase.explicit, Phase.generate),
    derandomize=not PROVE,
    suppress_health_check=list(HealthCheck),
    database=None,
)
TestWholePath = WholePath.TestCase
