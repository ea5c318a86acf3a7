"""Owns a small person at a desk: proposes, opens cards, confirms and lets the executor work."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import func, select, text

from services.kit.context import SCOPES, Context, Principal, Surface
from services.kit.errors import Refusal
from services.kit.work import Runtime
from services.ledger import portfolio
from services.ledger.book import cash
from services.ledger.holding import positions
from services.orders import confirm as gate
from services.orders import execute, proposal, propose, store
from services.orders.draft import OrderDraft
from tests.fakes.hand_feed import HandFeed

OWNER = Principal(
    tenant_id="t_owner", user_id="u_owner", surface=Surface.WEB, session_id="s_owner", scopes=SCOPES
)


def draft(symbol: str = "AAPL", side: str = "buy", quantity: str = "10", **rest) -> OrderDraft:
    prices = {
        name: Decimal(value)
        if isinstance(value, str) and name.endswith(("price", "stop"))
        else value
        for name, value in rest.items()
    }
    return OrderDraft(symbol=symbol, side=side, quantity=Decimal(quantity), **prices)


class OrderDesk:
    """Drives the real services of one tenant; every call is a unit of work of its own."""

    def __init__(
        self,
        runtime: Runtime,
        feed: HandFeed,
        who: Principal = OWNER,
        *,
        portfolio_id: str | None = None,
    ) -> None:
        self.runtime, self.feed, self.who = runtime, feed, who
        self.portfolio_id = portfolio_id

    def as_user(self, **changes) -> OrderDesk:
        who = replace(self.who, **changes)
        return OrderDesk(self.runtime, self.feed, who, portfolio_id=self.portfolio_id)

    def write(self, act):
        return self.runtime.write(self.who, act)

    def read(self, act):
        return self.runtime.read(self.who, act)

    def propose(self, *args, **rest) -> proposal.Proposal:
        wanted = {"portfolio_id": self.portfolio_id, **rest}
        return self.write(lambda ctx: propose.propose(ctx, draft(*args, **wanted)))

    def issue(self, proposal_id: str) -> gate.Challenge:
        return self.write(lambda ctx: gate.issue(ctx, proposal_id))

    def attempt(self, proposal_id: str, challenge: gate.Challenge, **changes) -> gate.Attempt:
        return replace(
            gate.Attempt(
                proposal_id=proposal_id,
                token=challenge.token,
                version=challenge.version,
                order_hash=challenge.order_hash,
            ),
            **changes,
        )

    def confirm(
        self, proposal_id: str, challenge: gate.Challenge | None = None, *, key: str = "", **changes
    ) -> dict:
        challenge = challenge or self.issue(proposal_id)
        answer = gate.confirm(
            self.runtime, self.who, self.attempt(proposal_id, challenge, **changes), key=key
        )
        return dict(answer.body)

    def refused(self, act) -> Refusal:
        try:
            act()
        except Refusal as refusal:
            return refusal
        raise AssertionError("nothing was refused")

    def buy(self, *args, **rest) -> str:
        """Propose and confirm; return the order's id."""
        return self.confirm(self.propose(*args, **rest).id)["order_id"]

    def work(self, rounds: int = 1) -> int:
        return sum(execute.work_once(self.runtime) for _ in range(rounds))

    def order(self, order_id: str) -> store.OrderView:
        return self.read(lambda ctx: store.get_order(ctx, order_id))

    def status(self, proposal_id: str) -> str:
        return self.read(lambda ctx: proposal.get_proposal(ctx, proposal_id)).status.value

    def cash(self):
        return self.read(lambda ctx: cash(ctx, self._portfolio(ctx)))

    def held(self, symbol: str = "AAPL") -> Decimal:
        return self.read(
            lambda ctx: next(
                (
                    item.quantity
                    for item in positions(ctx, self._portfolio(ctx))
                    if item.symbol == symbol
                ),
                Decimal(0),
            )
        )

    def _portfolio(self, ctx: Context) -> str:
        return self.portfolio_id or portfolio.list_portfolios(ctx)[0].id

    def count(self, table) -> int:
        return self.read(lambda ctx: ctx.db.scalar(select(func.count()).select_from(table)))

    def rows(self, table, *order) -> list:
        return self.read(lambda ctx: ctx.db.rows(select(table).order_by(*order)))

    def sql(self, statement: str) -> None:
        self.write(lambda ctx: ctx.db.connection.execute(text(statement)))

    def audited(self, kind: str) -> list[dict]:
        from services.audit import audit_events

        rows = self.read(
            lambda ctx: ctx.db.rows(
                select(audit_events).where(audit_events.c.kind == kind).order_by(audit_events.c.seq)
            )
        )
        return [json.loads(row.payload) for row in rows]
