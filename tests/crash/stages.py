"""Owns what a child process does: one stage of a day, resumable after any death, as a client would.

Each stage looks at what is durable and goes on from there. The client part keeps, outside of the
database and before it sends anything, what a real client would keep: idempotency keys, its
confirmation attempt, and the events that it has seen.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent import conversation
from agent.log import Cursor, replay
from agent.relay import deliver
from app.background import boot
from app.wiring import build, open_first_user, prepare_database
from services.identity.user import principal_of
from services.kit.context import Context, Surface, system_principal
from services.kit.environment import load_settings
from services.kit.failpoint import FailpointHit, arm
from services.kit.idempotency import once
from services.kit.money import parse_decimal
from services.market import replay as market
from services.orders import confirm as gate
from services.orders import execute, proposal, propose, reconcile, store
from services.orders.change import find_standing
from services.orders.change_tables import ChangeState
from services.orders.draft import OrderDraft
from services.orders.order import ENDED, State
from services.orders.replace import NewTerms, propose_replace

PLAN, BUY = "plan AAPL long, stop 3% below, risk 1%", "buy it"
ROUNDS_MAX = 40


class Client:
    """A person's program at the product: it remembers on disk, and asks again after a death."""

    def __init__(self, home: Path) -> None:
        self.file = home / "client.json"
        self.kept: dict[str, Any] = (
            json.loads(self.file.read_text()) if self.file.exists() else {"seen": []}
        )
        self.product = build(load_settings({"CORNERMAN_HOME": str(home), "PORT": "0"}))
        prepare_database(self.product)
        user = open_first_user(self.product)
        boot(self.product)
        self.runtime = self.product.runtime
        self.who = principal_of(user, Surface.WEB, "ses_crash")

    def keep(self, **values: Any) -> None:
        """Write what must survive, whole or not at all."""
        self.kept.update(values)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(self.kept))
        os.replace(fresh, self.file)

    def write(self, act: Callable) -> Any:
        return self.runtime.write(self.who, act)

    def read(self, act: Callable) -> Any:
        return self.runtime.read(self.who, act)

    def follow(self) -> None:
        """Take the events behind the last one seen, as a reader with Last-Event-ID does."""
        talk, seen = self.kept.get("talk"), self.kept["seen"]
        if talk is None:
            return
        after = Cursor(1, seen[-1][0]) if seen else None
        fresh = self.read(lambda ctx: replay(ctx, talk, after, limit=5000))
        self.keep(seen=seen + [[one.seq, one.type, one.run] for one in fresh])

    def say(self, name: str, text: str) -> None:
        """Say something until a run about it finishes; each attempt has its own key."""
        for number in range(9):
            key = f"message-of-{name}-{number:04}"
            posted = self.write(
                lambda ctx, key=key: once(
                    ctx,
                    "POST messages",
                    key,
                    text,
                    lambda: (202, asdict(conversation.post_message(ctx, self.kept["talk"], text))),
                )
            )
            run_id = posted.body["run_id"]
            if not posted.replayed:
                asyncio.run(self.product.coach.run(self.who, run_id))
            self.follow()
            ends = [
                kind
                for _, kind, run in self.kept["seen"]
                if run == run_id and kind in ("run.finished", "run.error")
            ]
            if ends == ["run.finished"]:
                return
        raise RuntimeError(f"{text!r} was never answered")

    def confirm(self, name: str, proposal_id: str) -> None:
        """Confirm with an attempt that is kept before it is sent, and sent again after a death."""
        kept = f"attempt-{name}"
        if kept not in self.kept:
            issued = self.write(lambda ctx: gate.issue(ctx, proposal_id))
            self.keep(
                **{
                    kept: asdict(
                        gate.Attempt(
                            proposal_id=proposal_id,
                            token=issued.token,
                            version=issued.version,
                            order_hash=issued.order_hash,
                        )
                    )
                }
            )
        attempt = gate.Attempt(**self.kept[kept])
        gate.confirm(self.runtime, self.who, attempt, key=f"confirmation-of-{name}")

    def propose(self, name: str, draft: OrderDraft) -> str:
        """Propose once, by key; return the proposal's id."""
        done = self.write(
            lambda ctx: once(
                ctx,
                "POST portfolio/trade",
                f"proposal-of-{name}-1",
                draft,
                lambda: (202, {"id": propose.propose(ctx, draft).id}),
            )
        )
        return str(done.body["id"])

    def work(self, proposal_id: str, until: tuple) -> None:
        """Let the executor and the relay work until the order of the proposal stands as wanted."""

        def stands(ctx: Context) -> bool:
            order = store.find_order_of(ctx, proposal_id)
            return order is not None and order.state in until

        self.work_until(stands)

    def work_until(self, stands: Callable[[Context], bool]) -> None:
        """Let the executor and the relay work until all is as wanted."""
        for _ in range(ROUNDS_MAX):
            execute.work_once(self.runtime)
            reconcile.resolve_in_doubt(self.runtime)
            self.runtime.write(system_principal(self.who.tenant_id), deliver)
            if self.read(stands):
                self.follow()
                return
        raise RuntimeError(f"it never came to {stands}")


def ask(client: Client) -> None:
    """Open a conversation on a standing market and ask for a plan."""
    client.write(market.pause)
    if "talk" not in client.kept:
        client.keep(talk=client.write(conversation.start).id)
    client.say("plan", PLAN)


def card(client: Client) -> None:
    """Say "buy it" until there is a card; a card that is there is enough."""
    if not client.read(proposal.list_proposals):
        client.say("card", BUY)
    client.keep(first=client.read(proposal.list_proposals)[0].id)


def confirm(client: Client) -> None:
    """Confirm the card."""
    client.confirm("first", client.kept["first"])


def fill(client: Client) -> None:
    """Let the order be filled."""
    client.work(client.kept["first"], ENDED)


def rest(client: Client) -> None:
    """Place an order that rests."""
    wanted = OrderDraft(
        symbol="MSFT",
        side="buy",
        quantity=parse_decimal("7", "quantity"),
        type="limit",
        limit_price=parse_decimal("26", "limit_price"),
        tif="gtc",
    )
    client.keep(rest=client.propose("rest", wanted))
    client.confirm("rest", client.kept["rest"])
    client.work(client.kept["rest"], ("WORKING",))


def change(client: Client) -> None:
    """Change the price of the resting order by a card.

    A change whose request may have left before a death is only looked for, never sent again.
    """
    price = parse_decimal("25", "limit_price")
    order = client.read(lambda ctx: store.find_order_of(ctx, client.kept["rest"]))
    if "change" not in client.kept:
        terms = NewTerms(limit_price=price)
        made = client.write(lambda ctx: propose_replace(ctx, order.id, terms))
        client.keep(change=made.id)
    client.confirm("change", client.kept["change"])

    def told(ctx: Context) -> bool:
        standing = find_standing(ctx, order.id)
        in_doubt = standing is not None and standing.state == ChangeState.SENT
        return in_doubt or store.get_order(ctx, order.id).order.limit_price == price

    client.work_until(told)


def cancel(client: Client) -> None:
    """Cancel the resting order by a card."""
    if "cancel" not in client.kept:
        order = client.read(lambda ctx: store.find_order_of(ctx, client.kept["rest"]))
        made = client.write(lambda ctx: propose.propose_cancel(ctx, order.id))
        client.keep(cancel=made.id)
    client.confirm("cancel", client.kept["cancel"])
    client.work(client.kept["rest"], ENDED)


def bracket(client: Client) -> None:
    """Buy with a stop and a target, and wait until both work."""
    wanted = OrderDraft(
        symbol="IBM",
        side="buy",
        quantity=parse_decimal("3", "quantity"),
        take_profit=parse_decimal("250", "take_profit"),
        stop_loss=parse_decimal("150", "stop_loss"),
    )
    client.keep(bracket=client.propose("bracket", wanted))
    client.confirm("bracket", client.kept["bracket"])

    def protected(ctx: Context) -> bool:
        entry = store.find_order_of(ctx, client.kept["bracket"])
        exits = entry and store.find_exit_of(ctx, entry.id)
        return exits is not None and exits.state is State.WORKING

    client.work_until(protected)


def sell(client: Client) -> None:
    """Sell a part of what was bought."""
    wanted = OrderDraft(symbol="AAPL", side="sell", quantity=parse_decimal("20", "quantity"))
    client.keep(sell=client.propose("sell", wanted))
    client.confirm("sell", client.kept["sell"])
    client.work(client.kept["sell"], ENDED)


STAGES: dict[str, Callable[[Client], None]] = {
    "ask": ask,
    "card": card,
    "confirm": confirm,
    "fill": fill,
    "rest": rest,
    "change": change,
    "cancel": cancel,
    "bracket": bracket,
    "sell": sell,
}


def act(home: Path, stage: str, failpoint: str) -> None:
    """Run one stage in this process; a raised failpoint is a failed step, and it goes on."""
    client = Client(home)
    arm(failpoint)
    try:
        STAGES[stage](client)
    except FailpointHit:
        boot(client.product)
        STAGES[stage](client)
    client.product.close()
