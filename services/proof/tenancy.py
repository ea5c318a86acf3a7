"""Owns the invariant of tenancy: what a row refers to is a row of the same tenant (I9)."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Select, Table, bindparam, exists, select

from services.kit.context import Context
from services.proof.violation import Violation, Violations, find_table

_SHOWN_MAX = 20
_BOOKS = tuple(
    (table, "portfolio_id", "portfolios.id")
    for table in (
        "accounts",
        "ledger_batches",
        "ledger_entries",
        "cash_snapshots",
        "holding_snapshots",
        "reservations",
        "lots",
        "lot_reliefs",
        "trades",
        "valuations",
        "proposals",
        "order_intents",
        "fills",
        "disputed_fills",
        "day_loss_latches",
        "risk_states",
        "risk_changes",
        "account_reads",
    )
)
_TRADING = tuple(
    (table, "account_id", "accounts.id")
    for table in (
        "proposals",
        "order_intents",
        "fills",
        "disputed_fills",
        "paper_orders",
        "account_reads",
    )
)
_ORDERS = tuple(
    (table, "order_id", "order_intents.id")
    for table in ("order_transitions", "submit_attempts", "fills", "disputed_fills", "reservations")
)
REFERENCES: tuple[tuple[str, str, str], ...] = (
    *_BOOKS,
    *_TRADING,
    *_ORDERS,
    ("confirm_tokens", "proposal_id", "proposals.id"),
    ("order_intents", "proposal_id", "proposals.id"),
    ("order_intents", "token_id", "confirm_tokens.id"),
    ("order_intents", "parent_id", "order_intents.id"),
    ("proposals", "supersedes", "proposals.id"),
    ("proposals", "target_order_id", "order_intents.id"),
    ("order_changes", "proposal_id", "proposals.id"),
    ("order_changes", "order_id", "order_intents.id"),
    ("order_changes", "token_id", "confirm_tokens.id"),
    ("proposals", "dq_snapshot_id", "dq_snapshots.id"),
    ("trade_advice", "dq_snapshot_id", "dq_snapshots.id"),
    ("paper_fills", "paper_order_id", "paper_orders.id"),
    ("journal_notes", "entry_id", "journal_entries.id"),
    ("journal_note_versions", "entry_id", "journal_entries.id"),
    ("coach_entries", "conversation_id", "coach_conversations.id"),
    ("coach_runs", "conversation_id", "coach_conversations.id"),
    ("coach_requests", "run_id", "coach_runs.id"),
)
"""Every reference between rows of tenants: table, column, and `table.column` that it names."""


def no_row_refers_elsewhere(ctx: Context) -> Violations:
    """Yield I9: references that no row of the same tenant answers; empty ones refer to nothing."""
    for child_name, column, target in REFERENCES:
        parent_name, _, key = target.partition(".")
        child, parent = find_table(child_name), find_table(parent_name)
        if child is not None and parent is not None:
            for value in _unanswered(ctx, child, column, parent, key=key):
                yield Violation(
                    "I9", f"{child_name}.{column} names no {target} of this tenant", (value,)
                )


def _unanswered(ctx: Context, child: Table, column: str, parent: Table, *, key: str) -> list[str]:
    query = _references(child, column, parent, key)
    return [str(row[0]) for row in ctx.db.rows(query, shown_max=_SHOWN_MAX)]


@cache
def _references(child: Table, column: str, parent: Table, key: str) -> Select[Any]:
    answer = parent.alias()  # a table may refer to itself
    answered = exists().where(
        answer.c[key] == child.c[column], answer.c.tenant_id == child.c.tenant_id
    )
    return (
        select(child.c[column])
        .where(child.c[column].is_not(None), child.c[column] != "", ~answered)
        .distinct()
        .order_by(child.c[column])
        .limit(bindparam("shown_max"))
    )
