"""Owns the tables of the risk engine: where each account stands, and every change of its state."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Text

from services.kit.db import UtcDateTime, tenant_table
from services.trade.risk import SEVERITY

_STATES = ", ".join(repr(name) for name in SEVERITY)

risk_states = tenant_table(
    "risk_states",
    Column("portfolio_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("session", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("told", Text, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("changes", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "portfolio_id"),
    CheckConstraint(f"state IN ({_STATES})", name="state"),
)
"""One row an account: `body` is what screens show, `told` the utilisation each limit was last told
at in this session. `at` is the wall time, `as_of` the market's."""

risk_changes = tenant_table(
    "risk_changes",
    Column("portfolio_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state_before", Text, nullable=False),
    Column("state_after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("limits", Text, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "portfolio_id", "number"),
    CheckConstraint(f"state_before IN ({_STATES})", name="state_before"),
    CheckConstraint(f"state_after IN ({_STATES})", name="state_after"),
    Index("ix_risk_changes_at", "tenant_id", "at"),
    append_only=True,
)
"""Each change of an account's state, numbered from 1 without a gap."""
