"""Owns the market room's rows: the replay clock of each tenant and its data-quality snapshots."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Text, UniqueConstraint

from services.kit.db import UtcDateTime, tenant_table

replay_clock = tenant_table(
    "replay_clock",
    Column("id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("position_us", BigInteger, nullable=False),
    Column("wall_at", UtcDateTime, nullable=False),
    Column("speed", Integer, nullable=False),
    Column("paused", Integer, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", name="uq_replay_clock_tenant"),
    CheckConstraint("speed BETWEEN 1 AND 3600", name="speed"),
    CheckConstraint("paused IN (0, 1)", name="paused"),
    CheckConstraint("position_us >= 0 AND seen_us >= 0", name="position"),
)
"""`position_us` is the market time travelled at wall time `wall_at`, in microseconds of regular
session since the start; `seen_us` the farthest position that a committed unit of work saw."""

dq_snapshots = tenant_table(
    "dq_snapshots",
    Column("id", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("symbols", Text, nullable=False),
    Column("green", Integer, nullable=False),
    Column("findings_json", Text, nullable=False),
    CheckConstraint("green IN (0, 1)", name="green"),
    append_only=True,
)
"""What was known of the data when advice was asked for; `symbols` is a sorted JSON list."""
