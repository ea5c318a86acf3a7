"""Owns the attacks on the confirm gate: families of forgeries, each drawn from one seed.

An attack begins with what an honest person did: a proposal, its card, its token. Then it deviates.
It says which refusals would be right, and puts back by hand what it broke by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import update

from services.kit.context import SCOPES, Actor, Context, Surface
from services.kit.errors import Refusal
from services.orders import confirm as gate
from services.orders import freeze, proposal, propose, switch
from services.orders.draft import OrderDraft
from services.orders.order import stored_hash
from services.orders.tables import confirm_tokens, proposals
from tests.fakes.hand_feed import PRICES
from tests.fakes.order_desk import OrderDesk

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LIFE_S = 600
"""How long a card may be confirmed."""


@dataclass(frozen=True)
class Seen:
    """What a person has before them: the order, its card and its token."""

    draft: OrderDraft
    card: proposal.Proposal
    attempt: gate.Attempt


@dataclass(frozen=True)
class Attack:
    """A deviation: what is done, the refusals that answer it, and what lasts only as long as it."""

    press: Callable[[], object]
    codes: set[str]
    during: AbstractContextManager[object] = field(default_factory=nullcontext)


def build_draft(draw: Random) -> OrderDraft:
    """Return a small order that an account of 100,000 may place many times."""
    symbol = draw.choice(sorted(PRICES))
    wanted = OrderDraft(symbol=symbol, side="buy", quantity=Decimal(draw.randint(1, 3)))
    if draw.random() < 0.5:
        return wanted
    below = Decimal(PRICES[symbol][0]) * Decimal(draw.randint(96, 99)) / 100
    return replace(
        wanted, type="limit", limit_price=below.quantize(Decimal("0.01")), tif=draw.choice(TIFS)
    )


TIFS = ("day", "gtc")


def review(desk: OrderDesk, draft: OrderDraft) -> Seen:
    """Propose an order, open its card and read it, as a person does."""
    card = desk.write(lambda ctx: propose.propose(ctx, draft))
    attempt = desk.attempt(card.id, desk.issue(card.id))
    return Seen(draft, card, replace(attempt, typed=f"{draft.symbol} {draft.quantity}"))


def press(desk: OrderDesk, attempt: gate.Attempt, key: str = "") -> str:
    """Confirm at the door of services; return the status."""
    return str(gate.confirm(desk.runtime, desk.who, attempt, key=key).body["status"])


class Forger:
    """Draws one attack of a family on what a person has seen."""

    def __init__(self, desk: OrderDesk, seen: Seen, draw: Random) -> None:
        self.desk, self.seen, self.draw = desk, seen, draw

    def _as(self, *codes: str, **changes: Any) -> Attack:
        thief = self.desk.as_user(**changes)
        return Attack(lambda: press(thief, self.seen.attempt), set(codes))

    def _with(self, *codes: str, **changes: Any) -> Attack:
        forged = replace(self.seen.attempt, **changes)
        return Attack(lambda: press(self.desk, forged), set(codes))

    def mutated_hash(self) -> Attack:
        """Another order hash than the card's."""
        whole, place = self.seen.attempt.order_hash, self.draw.randrange(7, 71)
        other = "0" if whole[place] != "0" else "f"
        forged = (whole[:place] + other + whole[place + 1 :], whole[:-1], whole.upper(), "", "ü")
        return self._with("ORDER_HASH_MISMATCH", order_hash=self.draw.choice(forged))

    def mutated_row(self) -> Attack:
        """A field of the stored order changed by hand, with or without a hash that fits."""
        body = json.loads(self.seen_row().order_json)
        name = self.draw.choice(sorted(body))
        body[name] = _other(name, body[name])
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        values = {"order_json": text}
        attempt = self.seen.attempt
        if self.draw.random() < 0.5:
            values["order_hash"] = stored_hash(text)
            attempt = replace(attempt, order_hash=values["order_hash"])
        during = self._stored(proposals, self.seen.card.id, **values)
        return Attack(lambda: press(self.desk, attempt), {"ORDER_HASH_MISMATCH"}, during)

    def other_user(self) -> Attack:
        """Somebody else of the tenant, or of another one."""
        if self.draw.random() < 0.5:
            return self._as("TOKEN_BINDING", user_id=f"u_{self.draw.randrange(10**6)}")
        return self._as("PROPOSAL_UNKNOWN", tenant_id=f"t_{self.draw.randrange(10**6)}")

    def other_being(self) -> Attack:
        """The coach, the product itself, or a person without the scope."""
        if self.draw.random() < 0.5:
            actor = self.draw.choice((Actor.AGENT, Actor.SYSTEM))
            return self._as("CONFIRM_SERVICE_PRINCIPAL", actor=actor)
        fewer = frozenset(one for one in sorted(SCOPES - {"confirm"}) if self.draw.random() < 0.7)
        return self._as("SCOPE_MISSING", scopes=fewer)

    def other_mode(self) -> Attack:
        """The same card in another mode: its row or its token says live."""
        if self.draw.random() < 0.5:
            during = self._stored(proposals, self.seen.card.id, mode="live")
        else:
            during = self._stored(confirm_tokens, self._token_id(), mode="live")
        return Attack(lambda: press(self.desk, self.seen.attempt), {"TOKEN_BINDING"}, during)

    def other_surface(self) -> Attack:
        """The token on another surface or in another session than it was given to."""
        if self.draw.random() < 0.3:
            return self._as("TOKEN_BINDING", session_id=f"s_{self.draw.randrange(10**6)}")
        surface = self.draw.choice([one for one in Surface if one is not self.desk.who.surface])
        code = "CONFIRM_FRAMED" if surface is Surface.FRAME else "TOKEN_BINDING"
        return self._as(code, surface=surface)

    def replay(self) -> Attack:
        """A token that has done its work, was declined, or was replaced by a newer one."""
        attempt = self.seen.attempt
        match self.draw.randrange(4):
            case 0:
                self._confirm()
                return self._with("TOKEN_USED")
            case 1:
                card_id = self.seen.card.id
                self.desk.write(lambda ctx: proposal.decline(ctx, card_id))
                return self._with("PROPOSAL_NOT_PENDING")
            case 2:
                self.desk.issue(self.seen.card.id)
                return self._with("TOKEN_EXPIRED")
        key = f"replayed-{self.draw.randrange(10**12):012}"
        self._confirm(key)
        forged = replace(attempt, version=attempt.version + 1)
        return Attack(lambda: press(self.desk, forged, key), {"IDEMPOTENCY_KEY_REUSED"})

    def expired(self) -> Attack:
        """The last moment is over, even when the clock is then set back."""
        clock, over_ms = self.desk.runtime.clock, self.draw.choice((0, 1, 1000, 90_000))
        if self.draw.random() < 0.5:
            self.desk.feed.advance(seconds=LIFE_S)
            clock.advance(seconds=LIFE_S, milliseconds=over_ms)
            return self._with("PROPOSAL_EXPIRED")
        return Attack(
            lambda: press(self.desk, self.seen.attempt),
            {"PROPOSAL_EXPIRED", "PROPOSAL_NOT_PENDING"},
            self._seen_later_and_set_back(clock),
        )

    def stale_version(self) -> Attack:
        """A version that the card is not, or the card of before an edit."""
        version = self.seen.attempt.version
        if self.draw.random() < 0.5:
            forged = self.draw.choice((version - 1, version + 1, -1, 2**31))
            return self._with("PROPOSAL_VERSION", version=forged)
        edited = self._edit()
        if self.draw.random() < 0.5:
            return self._with("PROPOSAL_NOT_PENDING")
        fresh = self.desk.issue(edited.id)
        forged_attempt = self.desk.attempt(edited.id, fresh, version=edited.version - 1)
        return Attack(lambda: press(self.desk, forged_attempt), {"PROPOSAL_VERSION"})

    def staged_after_review(self) -> Attack:
        """Another order is put in place after the person has looked at this one."""
        staged = self._edit() if self.draw.random() < 0.5 else self._stage()
        hashes = (self.seen.card.order_hash, staged.order_hash)
        forged = replace(
            self.seen.attempt,
            proposal_id=staged.id,
            version=staged.version,
            order_hash=self.draw.choice(hashes),
        )
        return Attack(lambda: press(self.desk, forged), {"TOKEN_WRONG"})

    def moved_market(self) -> Attack:
        """What the person relied on is gone: the price ran away, data broke, the desk halted."""
        symbol = self.seen.draft.symbol
        low, high = (Decimal(one) for one in PRICES[symbol])
        match self.draw.randrange(3):
            case 0:
                by = low * self.draw.randint(40, 200) / 10_000
                codes, during = {"PRICE_DRIFT"}, self._quoted(symbol, low + by, high + by)
            case 1:
                codes, during = {"DQ_BLOCK"}, self._quoted(symbol, high + 1, low)
            case _:
                codes, during = {"KILL_SWITCH"}, self._halted()
        return Attack(lambda: press(self.desk, self.seen.attempt), codes, during)

    def guessed(self) -> Attack:
        """A token that was never given out, once or until the card locks."""
        true = self.seen.attempt.token
        place = self.draw.randrange(3, len(true))
        flipped = true[:place] + ("A" if true[place] != "A" else "B") + true[place + 1 :]
        made_up = "ct_" + "".join(self.draw.choices(_LETTERS, k=43))
        forged = self.draw.choice((made_up, flipped, true.swapcase(), true[:-1], true + "A", ""))
        if self.draw.random() < 0.8:
            return self._with("TOKEN_WRONG", token=forged)
        for _ in range(5):
            self.desk.refused(lambda: press(self.desk, replace(self.seen.attempt, token=made_up)))
        return self._with("PROPOSAL_NOT_PENDING")

    def other_token(self) -> Attack:
        """A true token of the same person, of another card."""
        other = review(self.desk, replace(self.seen.draft, quantity=self.seen.draft.quantity + 5))
        return self._with("TOKEN_WRONG", token=other.attempt.token)

    def untyped(self) -> Attack:
        """A repeated order whose name and number were not typed, or wrongly."""
        self._confirm()
        again = review(self.desk, self.seen.draft)
        typed = self.draw.choice((None, "", "yes", f"{again.draft.symbol} 99", "ＡＡＰＬ 1"))
        forged = replace(again.attempt, typed=typed)
        return Attack(lambda: press(self.desk, forged), {"CONFIRM_TYPED_MISMATCH"})

    def _confirm(self, key: str = "") -> None:
        press(self.desk, self.seen.attempt, key)
        self.desk.work()

    def seen_row(self) -> Any:
        """Return the stored row of the card."""
        return self.desk.read(lambda ctx: proposal.proposal_row(ctx, self.seen.card.id))

    def _token_id(self) -> str:
        return str(self.desk.rows(confirm_tokens, confirm_tokens.c.issued_at)[-1].id)

    def _edit(self) -> proposal.Proposal:
        card_id, more = self.seen.card.id, self.seen.draft.quantity + self.draw.randint(1, 9)
        return self.desk.write(lambda ctx: propose.edit(ctx, card_id, {"quantity": more}))

    def _stage(self) -> proposal.Proposal:
        staged = replace(
            self.seen.draft, quantity=self.seen.draft.quantity + self.draw.randint(4, 9)
        )
        return self.desk.write(lambda ctx: propose.propose(ctx, staged))

    @contextmanager
    def _stored(self, table: Any, row_id: str, **values: Any):
        one = table.c.id == row_id
        row = next(row for row in self.desk.rows(table) if row.id == row_id)
        kept = {name: getattr(row, name) for name in values}
        self.desk.write(lambda ctx: ctx.db.change(update(table).where(one).values(**values)))
        yield
        self.desk.write(lambda ctx: ctx.db.change(update(table).where(one).values(**kept)))

    @contextmanager
    def _quoted(self, symbol: str, low: Decimal, high: Decimal):
        self.desk.feed.set(symbol, str(low), str(high))
        yield
        self.desk.feed.set(symbol, *PRICES[symbol])
        self.desk.write(_look_and_go_on)

    @contextmanager
    def _halted(self):
        self.desk.write(lambda ctx: switch.halt(ctx, "stop"))
        yield
        self.desk.write(lambda ctx: switch.resume(ctx, "go on"))

    @contextmanager
    def _seen_later_and_set_back(self, clock: Any):
        start = clock.now()
        clock.advance(seconds=LIFE_S + 1)
        self.desk.feed.advance(seconds=LIFE_S + 1)
        self._stage()
        clock.set(start)
        yield
        clock.set(start + timedelta(seconds=LIFE_S + 2))


def _look_and_go_on(ctx: Context) -> None:
    for one in freeze.list_freezes(ctx, open_only=True):
        freeze.unfreeze(ctx, one.id, "looked at it")


_SWAPS = {
    "side": {"buy": "sell"},
    "mode": {"paper": "live"},
    "tif": {"day": "gtc", "gtc": "day"},
    "type": {"market": "limit", "limit": "market"},
}


def _other(name: str, value: object) -> object:
    """Return another value of a stored order's field, one that an order can have."""
    if name == "order_class":
        return "oco"
    if isinstance(value, str):
        told = _SWAPS.get(name, {}).get(value)
        return told or (f"{value}1" if value[:1].isdigit() else f"{value}x")
    return "1"


FAMILIES: tuple[Callable[[Forger], Attack], ...] = (
    Forger.mutated_hash,
    Forger.mutated_row,
    Forger.other_user,
    Forger.other_being,
    Forger.other_mode,
    Forger.other_surface,
    Forger.replay,
    Forger.expired,
    Forger.stale_version,
    Forger.staged_after_review,
    Forger.moved_market,
    Forger.guessed,
    Forger.other_token,
    Forger.untyped,
)


def refusal_of(attack: Attack) -> Refusal | None:
    """Carry out an attack; return what refused it, or None when nothing did."""
    with attack.during:
        try:
            attack.press()
        except Refusal as refusal:
            return refusal
    return None
