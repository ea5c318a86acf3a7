"""Owns the tables of the conversation: streams, events, transcript, runs and model requests."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    column,
)

from services.kit.db import UtcDateTime, tenant_table

streams = tenant_table(
    "coach_streams",
    Column("stream", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("next_seq", Integer, nullable=False),
)

events = tenant_table(
    "coach_events",
    Column("stream", Text, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    append_only=True,
)

conversations = tenant_table(
    "coach_conversations",
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_coach_conversations_recent", "tenant_id", "user_id", "updated_at"),
)

entries = tenant_table(
    "coach_entries",
    Column("id", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("conversation_id", "place", name="uq_coach_entries_place"),
    CheckConstraint("role IN ('user', 'assistant', 'tool')", name="role"),
    append_only=True,
)

_ACTIVE = column("status").in_(("queued", "running"))

runs = tenant_table(
    "coach_runs",
    Column("id", Text, primary_key=True),
    Column("conversation_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("stop_reason", Text, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("lease_until", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    CheckConstraint("status IN ('queued', 'running', 'finished', 'failed')", name="status"),
    Index(
        "uq_coach_runs_active",
        "conversation_id",
        unique=True,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    ),
    Index("ix_coach_runs_lease", "tenant_id", "status", "lease_until"),
)

requests = tenant_table(
    "coach_requests",
    Column("id", Text, primary_key=True),
    Column("run_id", Text, nullable=False, index=True),
    Column("user_id", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("tools_hash", Text, nullable=False),
    Column("prompt_hash", Text, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("reasoning_tokens", Integer, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("finish", Text, nullable=False),
    Column("faults", Text, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_coach_requests_day", "tenant_id", "user_id", "at"),
    append_only=True,
)

ALL = (streams, events, conversations, entries, runs, requests)
"""Every table of the coach."""
