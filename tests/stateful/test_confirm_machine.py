"""Owns the random walk over the confirm gate: whatever people, clocks and brokers do, it holds."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from services import audit, schema
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import HandClock
from services.kit.db import Database
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.kit.failpoint import FailpointHit, arm
from services.kit.ids import CountedIds
from services.kit.money import use_context
from services.kit.work import Runtime
from services.ledger.tables import reservations
from services.market.feed import Feed
from services.orders import execute, proposal, propose, reconcile, switch
from services.orders.broker import Broker
from services.orders.order import ENDED, State
from services.orders.tables import confirm_tokens, fills, order_intents, proposals
from tests.fakes.hand_feed import HandFeed
from tests.fakes.odd_broker import OddBroker
from tests.fakes.order_desk import OrderDesk, draft

START = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
SYMBOLS = st.sampled_from(["AAPL", "MSFT"])
POINTS = (
    "confirm.before_commit",
    "confirm.after_commit",
    "execute.before_attempt_commit",
    "execute.after_attempt",
    "execute.after_submit",
    "execute.after_outcome",
    "settle.after_post",
    "settle.before_commit",
    "ledger.after_entries",
)


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="confirm-machine-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "template.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


class ConfirmMachine(RuleBasedStateMachine):
    """Two sessions of one owner, a feed, an odd broker and a clock that jumps."""

    cards = Bundle("cards")
    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        use_context()
        self.home = Path(tempfile.mkdtemp(prefix="confirm-run-"))
        shutil.copyfile(_template(), self.home / "c.db")
        self.clock, self.feed, self.broker = HandClock(START), HandFeed(), OddBroker()
        self.ids, self.settings = CountedIds(), load_settings({"CORNERMAN_HOME": str(self.home)})
        self._open()

    def _open(self) -> None:
        self.database = Database(f"sqlite:///{self.home / 'c.db'}")
        runtime = Runtime(
            self.database,
            self.clock,
            self.ids,
            self.settings,
            ports={Bus: MemoryBus(), Feed: self.feed, Broker: self.broker},
        )
        self.desk = OrderDesk(runtime, self.feed)
        self.phone = self.desk.as_user(session_id="s_phone")

    def _try(self, act):
        try:
            return act()
        except (Refusal, FailpointHit):
            return None
        finally:
            arm("")

    @rule(
        target=cards,
        symbol=SYMBOLS,
        side=st.sampled_from(["buy", "sell"]),
        quantity=st.integers(1, 30),
        resting=st.booleans(),
    )
    def propose(self, symbol, side, quantity, resting):
        price = "100.00" if side == "buy" else "900.00"
        kind = {"type": "limit", "limit_price": price} if resting else {}
        made = self._try(lambda: self.desk.propose(symbol, side, str(quantity), **kind))
        return made.id if made else multiple()

    @rule(
        target=tokens,
        symbol=SYMBOLS,
        quantity=st.integers(1, 30),
        resting=st.booleans(),
        point=st.sampled_from(("", "", "", *POINTS[:2])),
    )
    def order(self, symbol, quantity, resting, point):
        card = self.propose(symbol, "buy", quantity, resting)
        held = self.open_card(card, phone=False) if isinstance(card, str) else None
        if not isinstance(held, tuple):
            return multiple()
        self.confirm(held, other_session=False, key="", point=point)
        return held

    @rule(target=tokens, symbol=SYMBOLS, quantity=st.integers(1, 30), share=st.integers(1, 40))
    def order_and_fill(self, symbol, quantity, share):
        held = self.order(symbol, quantity, resting=False, point="")
        self.work(point="", down=False)
        self.the_broker_fills(share)
        self.work(point="", down=False)
        return held

    @rule(target=cards, card=cards, quantity=st.integers(1, 30))
    def edit(self, card, quantity):
        changes = {"quantity": draft(quantity=str(quantity)).quantity}
        made = self._try(lambda: self.desk.write(lambda ctx: propose.edit(ctx, card, changes)))
        return made.id if made else multiple()

    @rule(target=tokens, card=cards, phone=st.booleans())
    def open_card(self, card, phone):
        who = self.phone if phone else self.desk
        challenge = self._try(lambda: who.issue(card))
        return (card, challenge, phone) if challenge else multiple()

    @rule(
        held=tokens,
        other_session=st.booleans(),
        key=st.sampled_from(["", "k" * 16, "m" * 16]),
        point=st.sampled_from(("", *POINTS)),
    )
    def confirm(self, held, other_session, key, point):
        card, challenge, phone = held
        who = self.phone if phone != other_session else self.desk
        arm(f"{point}:raise" if point.startswith("confirm") else "")
        self._try(
            lambda: who.confirm(
                card, challenge, key=key and key + card[-8:], typed=self._typed(card)
            )
        )

    def _typed(self, card) -> str:
        order = self.desk.read(lambda ctx: proposal.get_proposal(ctx, card)).order
        return f"{order.symbol} {order.quantity}"

    @rule(card=cards, held=tokens)
    def confirm_with_a_token_of_another_card(self, card, held):
        _, challenge, _ = held
        self._try(lambda: self.desk.confirm(card, challenge))

    @rule(card=cards)
    def decline(self, card):
        self._try(lambda: self.desk.write(lambda ctx: proposal.decline(ctx, card)))

    @rule(seconds=st.sampled_from([-3600, -30, 1, 30, 60, 200, 700]))
    def the_clock_jumps(self, seconds):
        self.clock.advance(seconds=seconds)
        if seconds > 0:
            self.feed.advance(seconds=min(seconds, 30))

    @rule(symbol=SYMBOLS, cents=st.integers(-40, 40))
    def the_price_moves(self, symbol, cents):
        quote, move = self.feed.quotes[symbol], Decimal(cents) / 100
        self.feed.set(symbol, str(quote.bid + move), str(quote.ask + move))

    @rule(answer=st.sampled_from(["accept", "reject", "lost", "lost_before", "late", "not_sent"]))
    def the_broker_will_answer(self, answer):
        self.broker.answers = [answer]

    @rule(point=st.sampled_from(("", "", *POINTS)), down=st.sampled_from([False, False, True]))
    def work(self, point, down):
        self.broker.down = down
        arm(f"{point}:raise" if point else "")
        self._try(lambda: self.desk.work())
        self.broker.down = False

    @rule(share=st.integers(1, 40))
    def the_broker_fills(self, share):
        for book in self.broker.books.values():
            done = sum(made.quantity for made in book.fills)
            if book.status == "open" and done < book.order.quantity:
                quantity = min(book.order.quantity - done, share)
                self._fill(book, quantity)
                return

    def _fill(self, book, quantity) -> None:
        alone = OddBroker()
        alone.books = {book.order.client_order_id: book}
        alone.fill(
            str(quantity),
            price=str(book.order.worst_price),
            exec_id=f"{book.order.client_order_id}-{len(book.fills)}",
        )

    @rule()
    def late_orders_arrive(self):
        self.broker.arrive()

    @rule(stays=st.integers(0, 5))
    def halt_and_resume(self, stays):
        self.desk.write(lambda ctx: switch.halt(ctx, "stop"))
        self.work(point="", down=False)
        if stays:
            self.desk.write(lambda ctx: switch.resume(ctx, "go on"))

    @rule()
    def cancel_everything(self):
        for row in self.desk.rows(order_intents, order_intents.c.id):
            self._try(lambda row=row: self.desk.write(lambda ctx: execute.cancel(ctx, row.id)))

    @rule()
    def restart(self):
        self.database.close()
        self._open()
        reconcile.at_boot(self.desk.runtime)

    @invariant()
    def every_order_has_one_burned_matching_token(self):
        tokens = {row.id: row for row in self.desk.rows(confirm_tokens, confirm_tokens.c.id)}
        cards = {row.id: row for row in self.desk.rows(proposals, proposals.c.id)}
        orders = self.desk.rows(order_intents, order_intents.c.id)
        for row in orders:
            token, card = tokens[row.token_id], cards[row.proposal_id]
            assert token.used_at is not None
            assert token.outcome == "confirmed"
            assert row.order_hash == card.order_hash == token.order_hash
            assert card.status == "confirmed"
        confirmed = [card for card in cards.values() if card.status == "confirmed"]
        assert len(confirmed) == len(orders) == len({row.proposal_id for row in orders})

    @invariant()
    def the_broker_holds_only_confirmed_orders_each_once(self):
        known = {row.client_order_id for row in self.desk.rows(order_intents, order_intents.c.id)}
        assert set(self.broker.submits) <= known
        assert set(self.broker.books) <= known

    @invariant()
    def fills_orders_and_book_agree(self):
        made: dict[str, object] = {}
        for row in self.desk.rows(fills, fills.c.id):
            made[row.order_id] = made.get(row.order_id, 0) + row.quantity
        held = {row.order_id: row for row in self.desk.rows(reservations, reservations.c.order_id)}
        for row in self.desk.rows(order_intents, order_intents.c.id):
            assert row.filled_quantity == made.get(row.id, 0)
            assert row.filled_quantity <= row.quantity
            ended = State(row.state) in ENDED and row.state not in (
                State.PRESUMED_NOT_ACCEPTED,
                State.DISPUTED,
            )
            assert (row.id in held) != ended, (row.state, row.id)

    def teardown(self):
        arm("")
        for row in self.desk.rows(order_intents, order_intents.c.id):
            event(f"an order ended {row.state}")
        verdict = self.desk.read(audit.verify)
        self.database.close()
        shutil.rmtree(self.home, ignore_errors=True)
        assert verdict.ok, verdict


_EXAMPLES = 300 if os.environ.get("CORNERMAN_PROVE") == "1" else 12
"""Random walks per run; release figures ask for more."""

ConfirmMachine.TestCase.settings = settings(
    max_examples=_EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestConfirmMachine = ConfirmMachine.TestCase
