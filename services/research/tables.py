"""Owns the table of backtests: what was asked, how far it is, and the report."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Text

from services.kit.db import UtcDateTime, tenant_table

backtests = tenant_table(
    "backtests",
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("config_hash", Text, nullable=False),
    Column("strategy_hash", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("run_hash", Text),
    Column("summary", Text),
    Column("report", Text),
    Column("data_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name="status"),
    CheckConstraint("done >= 0 AND done <= total", name="progress"),
    Index("ix_backtests_newest", "tenant_id", "created_at"),
)
"""`data_until` is the market time up to which bars were read; `done` of `total` symbols are run."""
