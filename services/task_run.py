"""Owns the runs of jobs: one row per job and tick, its state, its attempts and its summary."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, UniqueConstraint

from services.kit.db import UtcDateTime, tenant_table

STATUSES = ("running", "ok", "failed", "skipped", "dead")

task_runs = tenant_table(
    "task_runs",
    Column("id", Text, primary_key=True),
    Column("job", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("scheduled_at", UtcDateTime, nullable=False),
    Column("origin", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("summary_json", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("missed", Integer, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("tenant_id", "job", "round", "scheduled_at", name="uq_task_runs_tick"),
    Index("ix_task_runs_recent", "tenant_id", "started_at"),
    CheckConstraint("status IN ('running', 'ok', 'failed', 'skipped', 'dead')", name="status"),
    CheckConstraint("origin IN ('schedule', 'manual')", name="origin"),
    CheckConstraint("attempts >= 1 AND missed >= 0", name="counts"),
)
"""`scheduled_at` is market time in the feed's `round`; `missed` counts the ticks it stands for."""
