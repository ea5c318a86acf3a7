"""Owns what happens in a step: people, the coach, the executor, the market and the venue act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from services.kit.context import Principal, Surface
from services.kit.errors import Kind, Refusal
from services.kit.failpoint import FailpointHit
from services.orders import confirm as gate
from services.orders import execute, freeze, proposal, propose, switch
from services.orders.broker import BrokerStatus
from services.orders.draft import OrderDraft
from services.orders.replace import NewTerms, propose_replace
from tests.sim.auditor import CardModel, TokenModel, Violation
from tests.sim.plan import SPOILS, Step
from tests.sim.venue import Held
from tests.sim.world import STRANGER, World

LATE_FILL_S = 90
"""The longest after the end of an order that the venue still reports an execution."""
_JUMPS_S = (-3600, -45, 90, 700, 3600)
_TO_CLOSE_S = 21_700
_LINGER_S, _TOO_LONG_S = 300, 700
MEANWHILE = ("spoil", "price", "halt", "wait", "decline", "edit", "clock", "linger", "close")
_CENT = Decimal("0.01")
_FAR = 3
"""The place of the order far from the market among the shapes of a draft."""


class Actors:
    """Carries out steps; every question to the product ends as yes, no or unknown."""

    def __init__(self, world: World) -> None:
        self.world, self.auditor = world, world.auditor
        self.said: list[str] = []
        self.hit = False

    def perform(self, step: Step) -> list[str]:
        """Do one step and return how each part of it ended."""
        self.said, self.hit = [], False
        act: Callable[[Step, Principal], None] = getattr(self, f"_{step.action}")
        act(step, self._pick(self.world.people, step.who))
        return self.said

    def die(self) -> list[str]:
        """Lose the process and start again, in the same weather."""
        self.said = []
        self._try(self.world.restart)
        return self.said

    def _pick(self, things: list[Any], number: int) -> Any:
        return things[number % len(things)] if things else None

    def _try(self, act: Callable[[], Any]) -> Any:
        """Return what `act` gives, or None; class and code go to the log."""
        try:
            found = act()
        except Refusal as refusal:
            if refusal.kind is Kind.INTERNAL:
                raise Violation("an internal error", str(refusal)) from refusal
            unknown = refusal.code == "DATABASE_UNAVAILABLE"
            self.said.append(f"{'unknown' if unknown else 'no'}:{refusal.code}")
            return None
        except FailpointHit as hit:
            self.hit = True
            self.said.append(f"unknown:{hit}")
            return None
        self.said.append("yes")
        return found

    def _write(self, who: Principal, act: Callable[[Any], Any]) -> Any:
        return self._try(lambda: self.world.runtime.write(who, act))

    def _cards(self, who: Principal) -> list[CardModel]:
        return [card for card in self.auditor.cards.values() if card.tenant == who.tenant_id]

    def _orders(self) -> list[Held]:
        return [
            one for one in self.world.venue.held if one.open and one.filled < one.order.quantity
        ]

    def _symbol(self, number: int) -> str:
        return self._pick(list(self.world.plan.options.symbols), number)

    def _propose(self, step: Step, who: Principal) -> CardModel | None:
        asker = who.as_agent() if step.amount % 4 == 0 else who
        draft = self._draft(step)
        made = self._write(asker, lambda ctx: propose.propose(ctx, draft))
        return self._know(who, made)

    def _know(self, who: Principal, made: Any) -> CardModel | None:
        if made is None:
            return None
        self.auditor.saw_proposal(who, made)
        return self.auditor.cards[made.id]

    def _draft(self, step: Step) -> OrderDraft:
        symbol = self._symbol(step.pick)
        side = "sell" if step.pick % 5 < 2 else "buy"
        units = 300 if step.amount % 19 == 0 else 1 + step.amount % 40
        shape = ("market", "market", "near", "far", "stop")[step.amount % 5]
        mid = self.world.feed.mid(symbol)
        away = {"near": Decimal("0.001"), "far": Decimal("0.03"), "stop": Decimal("0.02")}.get(
            shape
        )
        prices: dict[str, Any] = {}
        if away is not None:
            sign = -1 if (side == "buy") == (shape != "stop") else 1
            price = (mid * (1 + sign * away)).quantize(_CENT)
            name = "stop_price" if shape == "stop" else "limit_price"
            prices = {"type": "stop" if shape == "stop" else "limit", name: price}
            prices["tif"] = "gtc" if step.pick % 2 else "day"
        if side == "buy" and self.world.plan.options.brackets and step.amount % 3:
            prices |= {"stop_loss": _cents(mid, "0.9"), "take_profit": _cents(mid, "1.1")}
        return OrderDraft(symbol=symbol, side=side, quantity=Decimal(units), **prices)

    def _edit(self, step: Step, who: Principal) -> None:
        card = self._pick(self._cards(who)[-2:], step.pick)
        if card is None:
            return
        changes = {"quantity": Decimal(1 + step.amount % 50)}
        made = self._write(who, lambda ctx: propose.edit(ctx, card.id, changes))
        if made is not None:
            card.dead = "superseded"
            self._know(who, made)

    def _decline(self, step: Step, who: Principal) -> None:
        card = self._pick(self._cards(who)[-2:], step.pick)
        if card is not None and self._write(who, lambda ctx: proposal.decline(ctx, card.id)):
            card.dead = "declined"

    def _cancel_card(self, step: Step, who: Principal) -> None:
        if self.world.plan.options.changes and step.amount % 3:
            self._change_card(step, who)
            return
        card = self._pick([one for one in self._cards(who) if one.kind == "order"], step.pick)
        order_id = card and self.world.orders.get(card.id)
        if order_id:
            made = self._write(who.as_agent(), lambda ctx: propose.propose_cancel(ctx, order_id))
            made_card = self._know(who, made)
            token = self._issue(made_card, who) if made_card and step.amount % 2 else None
            if token:
                self._press(token, replace(step, twist=""))

    def _change_card(self, step: Step, who: Principal) -> None:
        """Ask for other terms of an open order, mostly confirmed at once; without one make one."""
        cards = [self.auditor.by_client_id.get(one.order.client_order_id) for one in self._orders()]
        mine = [one for one in cards if one is not None and one.tenant == who.tenant_id]
        card = self._pick(mine, step.pick)
        order_id = card and self.world.orders.get(card.id)
        if not order_id:
            self._trade(replace(step, amount=step.amount - step.amount % 5 + _FAR), who)
            return
        order = card.order
        mid, stops = self.world.feed.mid(order.symbol), step.pick % 3 == 0
        away = Decimal(1 + step.amount % 7) / 400
        up = (order.sign > 0) == stops
        price = (mid * (1 + away if up else 1 - away)).quantize(_CENT)
        kind, name = ("stop", "stop_price") if stops else ("limit", "limit_price")
        terms = NewTerms(type=kind, tif="gtc" if step.pick % 2 else "day", **{name: price})
        made = self._write(who.as_agent(), lambda ctx: propose_replace(ctx, order_id, terms))
        made_card = self._know(who, made)
        token = self._issue(made_card, who) if made_card and step.amount % 5 else None
        if token:
            self._press(token, replace(step, twist=""))
        if token and step.amount % 2 and not self.hit:
            self._work(step, who)

    def _open(self, step: Step, who: Principal) -> TokenModel | None:
        card = self._pick(self._cards(who)[-3:], step.pick)
        return self._issue(card, who) if card else None

    def _issue(self, card: CardModel, who: Principal) -> TokenModel | None:
        challenge = self._write(who, lambda ctx: gate.issue(ctx, card.id))
        if challenge is None:
            return None
        self.auditor.saw_challenge(who, card.id, challenge)
        return self.auditor.tokens[challenge.token]

    def _trade(self, step: Step, who: Principal) -> None:
        card = self._propose(step, who)
        token = self._issue(card, who) if card else None
        if token:
            self._press(token, replace(step, twist=""))
        if not self.hit:
            self._work(step, who)

    def _confirm(self, step: Step, who: Principal) -> None:
        """Press a button: mostly of a fresh card, now and then of an old one."""
        token = self._pick(list(self.auditor.tokens.values()), step.pick)
        if step.amount % 3:
            card = self._propose(step, who)
            token = self._issue(card, who) if card else None
        if token:
            self._press(token, step)

    def _hesitate(self, step: Step, who: Principal) -> None:
        """Open a card, and press only after something has happened."""
        card = self._propose(step, who)
        token = self._issue(card, who) if card else None
        if token is None:
            return
        meanwhile = MEANWHILE[step.pick % len(MEANWHILE)]
        if meanwhile in ("wait", "linger"):
            self.world.pass_time(_TOO_LONG_S if meanwhile == "wait" else _LINGER_S)
        else:
            symbols = self.world.plan.options.symbols
            about = (
                symbols.index(token.card.order.symbol) if meanwhile in ("spoil", "price") else -1
            )
            getattr(self, f"_{meanwhile}")(replace(step, pick=about), token.who)
        self._press(token, replace(step, twist=""))

    def _key(self, step: Step, who: Principal) -> None:
        """Confirm twice with one key, as a client does that got no answer."""
        token = self._pick(list(self.auditor.tokens.values()), step.pick)
        if token:
            self._press(token, replace(step, twist="keyed"))
            self._press(token, replace(step, twist="keyed"))

    def _press(self, token: TokenModel, step: Step) -> None:
        order, card = token.card.order, token.card
        who, key = token.who, ""
        attempt = gate.Attempt(
            proposal_id=card.id,
            token=token.challenge.token,
            version=token.challenge.version,
            order_hash=token.challenge.order_hash,
            typed=f"{order.symbol} {order.quantity}",
        )
        match step.twist:
            case "other_session":
                who = replace(who, session_id="s_elsewhere")
            case "stranger":
                who = STRANGER if who != STRANGER else replace(STRANGER, tenant_id="t_owner")
            case "agent":
                who = who.as_agent()
            case "frame":
                who = replace(who, surface=Surface.FRAME)
            case "guess":
                attempt = replace(attempt, token="ct_" + f"{step.amount:043d}")
            case "hash":
                attempt = replace(attempt, order_hash=attempt.order_hash[:-1] + "_")
            case "version":
                attempt = replace(attempt, version=attempt.version + 1)
            case "replay":
                attempt = replace(attempt, token=next(iter(self.auditor.tokens)))
            case "untyped":
                attempt = replace(attempt, typed=None)
            case "keyed":
                key = f"key-{step.amount % 7}-{card.id[-12:]}"
        for _ in range(2 if step.twist == "double" else 1):
            self._ask(who, attempt, key)

    def _ask(self, who: Principal, attempt: gate.Attempt, key: str) -> None:
        def act() -> dict[str, Any]:
            return dict(gate.confirm(self.world.runtime, who, attempt, key=key).body)

        self._try(lambda: self.auditor.ask(who, attempt, key, act))

    def _cancel(self, step: Step, who: Principal) -> None:
        order_id = self._pick(list(self.world.orders.values())[-3:], step.pick)
        if order_id:
            self._write(who, lambda ctx: execute.cancel(ctx, order_id))
        if step.amount % 2 and not self.hit:
            self._work(step, who)

    def _work(self, step: Step, who: Principal) -> None:
        self._try(self.world.work)

    def _fill(self, step: Step, who: Principal) -> None:
        one = self._pick(self._orders(), step.pick) or self._late(step)
        if one is not None:
            left = one.order.quantity - one.filled
            share = left if step.amount % 3 == 0 else min(left, Decimal(1 + step.amount % 15))
            self.world.venue.fill(one, share, at=self.world.feed.time)

    def _late(self, step: Step) -> Held | None:
        """Return an order that was cancelled a moment ago: its last execution was on the way."""
        now = self.world.venue.now()
        fresh = [
            one
            for one in self.world.venue.held
            if one.status is BrokerStatus.CANCELLED
            and self.auditor.jumped_at < one.ended_at
            and now - one.ended_at < LATE_FILL_S
            and one.filled < one.order.quantity
        ]
        return self._pick(fresh, step.pick)

    def _overfill(self, step: Step, who: Principal) -> None:
        one = self._pick(self._orders(), step.pick)
        if one is not None and step.amount % 3 == 0:
            units = one.order.quantity - one.filled + 1 + step.amount % 5
            self.world.venue.fill(one, units, at=self.world.feed.time)

    def _end(self, step: Step, who: Principal) -> None:
        one = self._pick(self._orders(), step.pick)
        if one is not None:
            status = (BrokerStatus.EXPIRED, BrokerStatus.CANCELLED)[step.amount % 2]
            self.world.venue.end(one, status, "the venue ended it")

    def _price(self, step: Step, who: Principal) -> None:
        self.world.feed.move(self._symbol(step.pick), step.amount % 241 - 120)

    def _spoil(self, step: Step, who: Principal) -> None:
        self.world.feed.spoil(self._symbol(step.pick), SPOILS[step.amount % len(SPOILS)])

    def _heal(self, step: Step, who: Principal) -> None:
        for symbol in sorted(self.world.feed.bad):
            self.world.feed.heal(symbol)

    def _halt(self, step: Step, who: Principal) -> None:
        tenant, sweep = who.tenant_id, step.amount % 2 == 0
        if self._write(who, lambda ctx: switch.halt(ctx, "stop", cancel_working=sweep)):
            self.auditor.halted[tenant] = True

    def _resume(self, step: Step, who: Principal) -> None:
        self.auditor.halted[who.tenant_id] = False
        self._write(who, resume)

    def _restart(self, step: Step, who: Principal) -> None:
        self._try(self.world.restart)

    def _clock(self, step: Step, who: Principal) -> None:
        self.world.jump_clock(self._pick(list(_JUMPS_S), step.amount))

    def _outage(self, step: Step, who: Principal) -> None:
        """The broker is away for half a minute up to six."""
        self.world.weather.outage_until = self.world.venue.now() + 30 + step.amount % 330
        self.world.weather.used.append("outage")

    def _close(self, step: Step, who: Principal) -> None:
        """Let the session end."""
        self.world.pass_time(_TO_CLOSE_S)


def _cents(mid: Decimal, share: str) -> Decimal:
    return (mid * Decimal(share)).quantize(_CENT)


def resume(ctx: Any) -> bool:
    """Let a person look, clear every freeze and go on."""
    for one in freeze.list_freezes(ctx, open_only=True):
        freeze.unfreeze(ctx, one.id, "looked at it")
    switch.resume(ctx, "go on")
    return True
