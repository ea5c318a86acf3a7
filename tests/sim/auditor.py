"""Owns the judge: a model of its own of what people saw, asked and were answered.

It never reads the product's rows to form an opinion. It knows the replies of the product, the true
clock, the market, and what reached the broker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from services.kit.clock import HandClock
from services.kit.context import Actor, Principal, Surface
from services.kit.errors import Refusal
from services.orders.bracket import build_exit, find_entry_client_id
from services.orders.broker import Change, Desk
from services.orders.change import change_of
from services.orders.confirm import Attempt, Challenge
from services.orders.order import Order
from services.orders.proposal import Proposal
from tests.sim.market import SimFeed

DRIFT = Decimal("0.0030")
"""How far the price may run from what the person saw."""
CLOSE = datetime(2027, 1, 12, 21, 0, tzinfo=UTC)
"""The end of the day's session: day and market orders are over."""


class Violation(Exception):
    """Something that can never be so; `name` is stable, so that a smaller trace shows the same."""

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(f"{name}: {detail}" if detail else name)
        self.name = name


@dataclass
class CardModel:
    """What a person was shown and may confirm."""

    id: str
    kind: str
    tenant: str
    order: Order
    version: int
    order_hash: str
    expires_at: datetime
    mid: Decimal
    dead: str = ""
    confirmed: bool = False
    asked: bool = False
    posts: int = 0
    exits: int = 0


@dataclass
class TokenModel:
    """One token as its person got it."""

    card: CardModel
    who: Principal
    challenge: Challenge
    used: bool = False
    dead: bool = False


@dataclass
class Auditor:
    """What is known for sure; a question of the product's honesty raises `Violation`."""

    clock: HandClock
    feed: SimFeed
    dedupes: bool
    filled: Callable[[str], Decimal]
    cards: dict[str, CardModel] = field(default_factory=dict)
    by_client_id: dict[str, CardModel] = field(default_factory=dict)
    tokens: dict[str, TokenModel] = field(default_factory=dict)
    halted: dict[str, bool] = field(default_factory=dict)
    seen: dict[str, datetime] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[Attempt, dict | None]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    jumped_at: float = -1.0

    def saw_time(self, tenant: str) -> None:
        """A unit of work of the tenant was committed now; its time can not come back."""
        now = self.clock.now()
        self.seen[tenant] = max(self.seen.get(tenant, now), now)

    def saw_proposal(self, who: Principal, made: Proposal) -> None:
        """A proposal came back; the same one again changes nothing."""
        self.saw_time(who.tenant_id)
        if made.id in self.cards:
            return
        card = CardModel(
            id=made.id,
            kind=made.kind,
            tenant=who.tenant_id,
            order=made.order,
            version=made.version,
            order_hash=made.order_hash,
            expires_at=made.expires_at,
            mid=self.feed.mid(made.order.symbol),
        )
        self.cards[made.id] = card
        if made.kind == "replace":
            return
        if made.order.client_order_id in self.by_client_id:
            raise Violation("client id twice", made.order.client_order_id)
        self.by_client_id[made.order.client_order_id] = card

    def saw_challenge(self, who: Principal, card_id: str, challenge: Challenge) -> None:
        """A token was given out; older ones of the same session and surface are dead."""
        card = self.cards[card_id]
        if challenge.token in self.tokens:
            raise Violation("token twice")
        if (challenge.order_hash, challenge.version) != (card.order_hash, card.version):
            raise Violation("the card shown is not the card stored", card_id)
        for token in self.tokens.values():
            if token.card is card and token.who == who:
                token.dead = True
        self.tokens[challenge.token] = TokenModel(card, who, challenge)

    def why_refused(self, who: Principal, attempt: Attempt) -> str:
        """Return why this attempt must be refused, or nothing; what it may also be refused for is
        the product's business."""
        token = self.tokens.get(attempt.token)
        if token is None or token.card.id != attempt.proposal_id:
            return "an unknown token"
        card = token.card
        reasons: tuple[tuple[bool, str], ...] = (
            (who.actor is not Actor.PERSON, "not a person"),
            (who.surface is Surface.FRAME, "a framed page"),
            (who != token.who, "another session, person or surface"),
            (token.used or token.dead, "a dead token"),
            (bool(card.dead), f"a card that is {card.dead}"),
            (card.confirmed, "a card that was confirmed"),
            (attempt.version != card.version, "another version"),
            (attempt.order_hash != card.order_hash, "another order"),
            (self._latest(card.tenant) >= card.expires_at, "a card whose time is over"),
        )
        return next((said for holds, said in reasons if holds), "") or self._why_market(card)

    def _latest(self, tenant: str) -> datetime:
        return max(self.clock.now(), self.seen.get(tenant, self.clock.now()))

    def _why_market(self, card: CardModel) -> str:
        if card.kind == "cancel":
            return ""
        symbol = card.order.symbol
        if self.halted.get(card.tenant):
            return "a halted desk"
        waits = card.order.type != "market" and card.order.tif == "gtc"
        if self.feed.time >= CLOSE and not waits:
            return "a closed market"
        bad = self.feed.bad.get(symbol, "")
        harmless = {
            "stale": self.feed.time >= CLOSE,
            "jump": self.feed.mid(symbol) < card.mid * 3 / 2,
        }
        if bad and not harmless.get(bad):
            return f"{bad} data"
        if abs(self.feed.mid(symbol) - card.mid) > DRIFT * card.mid:
            return "a price that ran away"
        return ""

    def ask(self, who: Principal, attempt: Attempt, key: str, act: Callable[[], dict]) -> dict:
        """Judge one confirmation: a success must have been allowed, or be the answer of before."""
        name = (who.user_id, key)
        earlier = self.answers.get(name) if key else None
        again = earlier is not None and earlier[0] == attempt
        why = self.why_refused(who, attempt)
        card = self.cards[attempt.proposal_id]
        card.asked = card.asked or not why
        if key and earlier is None and not why:
            self.answers[name] = (attempt, None)
        try:
            body = act()
        except Refusal as refusal:
            self.refused[why] += 1
            if earlier is None and refusal.code != "DATABASE_UNAVAILABLE":
                self.answers.pop(name, None)
            raise
        if again and earlier is not None and earlier[1] not in (None, body):
            raise Violation("a key has two answers", key)
        if why and not again:
            raise Violation("confirmed against the rules", why)
        self.took(card)
        if not again:
            self.saw_time(who.tenant_id)
        if key:
            self.answers[name] = (attempt, body)
        return body

    def took(self, card: CardModel) -> None:
        """A card was confirmed for sure."""
        card.confirmed = card.asked = True
        for token in self.tokens.values():
            if token.card is card:
                token.used = True

    def card_of(self, client_order_id: str) -> CardModel | None:
        """Return the card behind an order: its own, or for exits that of their entry."""
        entry = find_entry_client_id(client_order_id)
        return self.by_client_id.get(entry or client_order_id)

    def _saw_exit(self, desk: Desk, order: Order) -> None:
        """Exits left the product: they are what the entry said, for no more than it has filled."""
        card = self.card_of(order.client_order_id)
        if card is None or not card.order.has_exits or desk.tenant_id != card.tenant:
            raise Violation("sent exits that nobody proposed", order.client_order_id)
        if not card.confirmed:
            raise Violation("sent exits without a confirmation", card.id)
        if order.quantity > self.filled(card.order.client_order_id):
            raise Violation("sent exits for more than was bought", card.id)
        if order != build_exit(card.order, order.quantity):
            raise Violation("sent other exits than were shown", card.id)
        if self.halted.get(card.tenant):
            raise Violation("sent while halted", card.id)
        card.exits += 1
        if card.exits > 1 and not self.dedupes:
            raise Violation("sent twice", card.id)

    def saw_change(self, desk: Desk, client_order_id: str, change: Change) -> None:
        """A request to change an order left the product: confirmed, in time, and once a card."""
        cards = [
            card
            for card in self.cards.values()
            if card.kind == "replace"
            and card.tenant == desk.tenant_id
            and card.order.client_order_id == client_order_id
            and change_of(card.order) == change
        ]
        if not cards:
            raise Violation("sent a change that nobody proposed", client_order_id)
        asked = [card for card in cards if card.confirmed or card.asked]
        if not asked:
            raise Violation("sent a change without a confirmation", cards[0].id)
        fresh = [card for card in asked if card.posts == 0]
        if not fresh:
            raise Violation("sent a change twice", asked[0].id)
        fresh[0].posts += 1
        if self.halted.get(desk.tenant_id):
            raise Violation("sent while halted", fresh[0].id)
        if self._latest(desk.tenant_id) >= fresh[-1].expires_at:
            raise Violation("sent after its confirmation ran out", fresh[-1].id)

    def saw_post(self, desk: Desk, order: Order) -> None:
        """A request with an order left the product: the moment of truth."""
        if find_entry_client_id(order.client_order_id) is not None:
            self._saw_exit(desk, order)
            return
        card = self.by_client_id.get(order.client_order_id)
        if card is None:
            raise Violation("sent an order that nobody proposed", order.client_order_id)
        if card.order != order or desk.tenant_id != card.tenant:
            raise Violation("sent another order than was shown", card.id)
        if not (card.confirmed or card.asked):
            raise Violation("sent without a confirmation", card.id)
        if self.halted.get(card.tenant):
            raise Violation("sent while halted", card.id)
        if self._latest(card.tenant) >= card.expires_at:
            raise Violation("sent after its confirmation ran out", card.id)
        card.posts += 1
        if card.posts > 1 and not self.dedupes:
            raise Violation("sent twice", card.id)
