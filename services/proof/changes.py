"""Owns the invariants of changed orders: each change confirmed, and the order stands on the last.

It serves I3 and I8: `standing` says which card an order stands on, `first_hash` what was sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Row

from services.audit import audit_events
from services.kit.context import Actor, Context
from services.orders.change_tables import ChangeState, order_changes
from services.orders.order import Status
from services.proof.violation import Violation, Violations, all_rows


@dataclass(frozen=True, slots=True)
class Changed:
    """The changes of a tenant's orders that were carried out, by order, oldest first."""

    done: Mapping[str, tuple[Row[Any], ...]]

    def standing(self, order: Row[Any]) -> str:
        """Return the proposal whose bytes an order stands on: its own, or that of its change."""
        mine = self.done.get(order.id, ())
        return str(mine[-1].proposal_id if mine else order.proposal_id)

    def first_hash(self, order: Row[Any]) -> str:
        """Return the hash under which an order was confirmed and sent first."""
        mine = self.done.get(order.id, ())
        return str(mine[0].before_hash if mine else order.order_hash)


def read_changed(ctx: Context) -> Changed:
    """Return the carried changes of the tenant."""
    done: dict[str, list[Row[Any]]] = defaultdict(list)
    rows = [row for row in all_rows(ctx, order_changes) if row.state == ChangeState.DONE]
    for row in sorted(rows, key=lambda row: (row.confirmed_at, row.proposal_id)):
        done[row.order_id].append(row)
    return Changed({key: tuple(mine) for key, mine in done.items()})


def changes_are_confirmed(
    ctx: Context, tokens: Mapping[str, Row[Any]], cards: Mapping[str, Row[Any]]
) -> Violations:
    """Yield I3: changes that no person confirmed with a burned token of exactly that change."""
    people = {
        (row.subject, row.actor)
        for row in all_rows(ctx, audit_events)
        if row.kind == "order.change_wanted" and row.actor_kind == Actor.PERSON
    }
    for change in all_rows(ctx, order_changes):
        if change.state == ChangeState.PROPOSED:
            continue
        fault = _fault(change, tokens.get(change.token_id), cards.get(change.proposal_id))
        if fault:
            yield Violation("I3", fault, (change.order_id, change.proposal_id))
        if (change.order_id, change.confirmed_by) not in people:
            yield Violation(
                "I3", "no person's confirmation of a change is on record", (change.proposal_id,)
            )


def _fault(change: Row[Any], token: Row[Any] | None, card: Row[Any] | None) -> str:
    if token is None or token.used_at is None or token.outcome != "confirmed":
        return "a change has no burned token"
    bound = (token.proposal_id, token.order_hash, token.user_id)
    if bound != (change.proposal_id, change.order_hash, change.confirmed_by):
        return "a change's token speaks for something else"
    if card is None or card.status != Status.CONFIRMED or card.kind != "replace":
        return "a change's proposal was not confirmed"
    if (card.target_order_id, card.order_hash) != (change.order_id, change.order_hash):
        return "a change is not what its proposal said"
    return ""
