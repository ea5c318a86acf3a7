"""Owns the table of changes to working orders: one row per card, from its making to its end."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, text

from services.kit.db import UtcDateTime, tenant_table


class ChangeState(StrEnum):
    """Where a change stands. `WANTED` and `SENT` are in flight; the others but `PROPOSED` end it.

    `REFUSED` is the broker's no, `DROPPED` never left, `OVERTAKEN` came too late because the order
    ended first. `UNSEEN` was asked for and never seen; one that shows up later is still `DONE`.
    """

    PROPOSED = "proposed"
    WANTED = "wanted"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    DROPPED = "dropped"
    OVERTAKEN = "overtaken"
    UNSEEN = "unseen"


IN_FLIGHT = (ChangeState.WANTED, ChangeState.SENT)
_STATES = ", ".join(repr(state.value) for state in ChangeState)
_IN_FLIGHT = text("state IN ('wanted', 'sent')")

order_changes = tenant_table(
    "order_changes",
    Column("proposal_id", Text, primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("before_json", Text, nullable=False),
    Column("before_hash", Text, nullable=False),
    Column("order_hash", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("guards_json", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("scans", Integer, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime),
    Column("sent_at", UtcDateTime),
    Column("next_scan_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    CheckConstraint(f"state IN ({_STATES})", name="state"),
    Index(
        "ix_order_changes_in_flight",
        "tenant_id",
        "order_id",
        unique=True,
        sqlite_where=_IN_FLIGHT,
        postgresql_where=_IN_FLIGHT,
    ),
    Index("ix_order_changes_order", "tenant_id", "order_id", "confirmed_at"),
    Index("ix_order_changes_state", "tenant_id", "state"),
)
"""`before_json` is the order as it stood when the card was made; the changed order is the
proposal's. At most one change of an order is in flight, and each is sent at most once."""
