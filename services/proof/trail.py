"""Owns the invariant of the audit trail: the chain is whole, every change is in it (I6)."""

from __future__ import annotations

import json

from services.audit import audit_events, verify
from services.kit.context import Context
from services.ledger.tables import ledger_batches
from services.orders.change_tables import order_changes
from services.orders.order import Status
from services.orders.tables import confirm_tokens, fills, order_transitions, proposals
from services.proof.violation import Violation, Violations, all_rows


def every_change_is_audited(ctx: Context) -> Violations:
    """Yield I6: a broken chain, and transitions, statuses, tokens and batches without an event."""
    verdict = verify(ctx)
    if not verdict.ok:
        yield Violation(
            "I6", f"the audit chain is broken: {verdict.reason}", (str(verdict.broken_at),)
        )
        return
    told = _Told(ctx)
    for arrow in all_rows(ctx, order_transitions):
        number = None if arrow.event == "confirm" else arrow.number
        kind = "order.confirmed" if arrow.event == "confirm" else f"order.{arrow.event}"
        if (kind, arrow.order_id, number) not in told.arrows:
            yield Violation(
                "I6", "a transition has no audit event", (arrow.order_id, str(arrow.number))
            )
    for card in all_rows(ctx, proposals):
        wanted = {"proposed"} if card.status == Status.PENDING else {"proposed", card.status}
        yield from (
            Violation("I6", f"a proposal has no audit event {kind}", (card.id,))
            for kind in sorted(wanted)
            if (kind, card.id) not in told.subjects
        )
    for change in all_rows(ctx, order_changes):
        if (f"order.change_{change.state}", change.order_id) not in told.subjects:
            yield Violation("I6", "a change has no audit event", (change.proposal_id,))
    yield from _tokens_and_batches(ctx, told)


def _tokens_and_batches(ctx: Context, told: _Told) -> Violations:
    for token in all_rows(ctx, confirm_tokens):
        if token.id not in told.tokens:
            yield Violation("I6", "a token has no audit event", (token.id,))
    for batch in all_rows(ctx, ledger_batches):
        if (batch.key, batch.content_hash) not in told.batches:
            yield Violation("I6", "a batch has no audit event", (batch.portfolio_id, batch.key))
    for fill in all_rows(ctx, fills):
        born = ("order.confirmed", "order.protect")
        if not any((kind, fill.order_id) in told.subjects for kind in born):
            yield Violation("I6", "a fill of an order that nobody confirmed", (fill.id,))


class _Told:
    """What the chain says, by the keys that the checks ask for."""

    def __init__(self, ctx: Context) -> None:
        self.arrows: set[tuple[str, str, int | None]] = set()
        self.subjects: set[tuple[str, str]] = set()
        self.tokens: set[str] = set()
        self.batches: set[tuple[str, str]] = set()
        for row in all_rows(ctx, audit_events):
            facts = json.loads(row.payload).get("facts", {})
            self.subjects.add((row.kind, row.subject))
            self.arrows.add((row.kind, row.subject, facts.get("number")))
            if row.kind == "token_issued":
                self.tokens.add(str(facts.get("token")))
            elif row.kind == "ledger.posted":
                self.batches.add((str(facts.get("key")), str(facts.get("hash"))))
