"""Owns the table of advice: every plan check and size that was given, exactly as it was given."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Text

from services.kit.db import UtcDateTime, tenant_table

trade_advice = tenant_table(
    "trade_advice",
    Column("ref", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("symbol", Text, nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("policy_hash", Text, nullable=False),
    Column("dq_snapshot_id", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('plan', 'size')", name="kind"),
    append_only=True,
)
trade_advice.info["requires_green"] = True
