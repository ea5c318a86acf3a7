"""Owns the tables of composed plans and of the bars they were made from."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, PrimaryKeyConstraint, Text

from services.kit.db import UtcDateTime, tenant_table

plans = tenant_table(
    "plans",
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("style", Text, nullable=False),
    Column("setup_id", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("idea_hash", Text, nullable=False),
    Column("plan_hash", Text, nullable=False),
    Column("inputs_hash", Text, nullable=False),
    Column("policy_hash", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("dq_snapshot_id", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("side IN ('long', 'short')", name="side"),
    CheckConstraint("style IN ('intraday', 'swing', 'leaps')", name="style"),
    CheckConstraint("kind = 'plan'", name="kind"),
    Index("ix_plans_newest", "tenant_id", "symbol", "at"),
    append_only=True,
)
plans.info["requires_green"] = True

plan_bars = tenant_table(
    "plan_bars",
    Column("hash", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "hash"),
    append_only=True,
)
"""Bars by the hash of their body (deflated, base64): plans on the same bars share a row."""
