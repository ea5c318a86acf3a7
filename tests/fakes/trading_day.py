"""Owns a whole product in one process: real services, coach, executor and relay; only time is ours."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path

from agent import conversation
from agent.log import replay
from agent.relay import deliver
from app.wiring import Product, build, open_first_user, prepare_database
from services import audit
from services.identity.user import principal_of
from services.invariant import check_all
from services.kit.clock import HandClock
from services.kit.context import Principal, Surface, system_principal
from services.kit.environment import load_settings
from services.kit.ids import CountedIds
from services.orders import confirm as gate
from services.orders import execute, proposal, reconcile, store

START = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
PLAN, BUY, WHY = "plan AAPL long, stop 3% below, risk 1%", "buy it", "what do I hold and why?"


class TradingDay:
    """One person and the product in `home`; every step is a unit of work as a door would make it."""

    def __init__(
        self,
        home: Path,
        *,
        clock: HandClock | None = None,
        ids=None,
        environment: dict[str, str] | None = None,
        **parts,
    ) -> None:
        self.clock = clock or HandClock(START)
        settings = load_settings({"CORNERMAN_HOME": str(home), "PORT": "0", **(environment or {})})
        self.product: Product = build(
            settings, clock=self.clock, ids=ids or CountedIds(), log_stream=io.StringIO(), **parts
        )
        prepare_database(self.product)
        user = open_first_user(self.product)
        self.runtime = self.product.runtime
        self.who: Principal = principal_of(user, Surface.WEB, "ses_day")
        self.talk = ""

    def close(self) -> None:
        self.product.close()

    def write(self, act):
        return self.runtime.write(self.who, act)

    def read(self, act):
        return self.runtime.read(self.who, act)

    def say(self, text: str) -> str:
        """Post a message, let the coach answer it, and return the answer."""
        if not self.talk:
            self.talk = self.write(conversation.start).id
        posted = self.write(lambda ctx: conversation.post_message(ctx, self.talk, text))
        asyncio.run(self.product.coach.run(self.who, posted.run_id))
        items = self.read(lambda ctx: conversation.messages(ctx, self.talk))["items"]
        return "\n".join(
            item["text"]
            for item in items
            if item["run_id"] == posted.run_id and item["role"] == "assistant"
        )

    def pending(self) -> list[proposal.Proposal]:
        return self.read(lambda ctx: proposal.list_proposals(ctx, "pending"))

    def attempt(self, proposal_id: str) -> gate.Attempt:
        issued = self.write(lambda ctx: gate.issue(ctx, proposal_id))
        return gate.Attempt(
            proposal_id=proposal_id,
            token=issued.token,
            version=issued.version,
            order_hash=issued.order_hash,
        )

    def confirm(self, proposal_id: str, key: str = "") -> dict:
        answer = gate.confirm(self.runtime, self.who, self.attempt(proposal_id), key=key)
        return dict(answer.body)

    def work(self, rounds: int = 4) -> None:
        """Let the executor, the reconciler and the relay work, a second apart."""
        for _ in range(rounds):
            execute.work_once(self.runtime)
            reconcile.resolve_in_doubt(self.runtime)
            self.runtime.write(system_principal(self.who.tenant_id), deliver)
            self.clock.advance(seconds=1)

    def orders(self) -> list[store.OrderView]:
        return self.read(store.list_orders)

    def events(self) -> list:
        return self.read(lambda ctx: replay(ctx, self.talk, limit=5000))

    def faults(self) -> list:
        """Every violation of an invariant, and a broken audit chain."""
        found = list(self.read(check_all))
        verdict = self.read(audit.verify)
        return found if verdict.ok else [*found, verdict]
