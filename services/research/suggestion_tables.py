"""Owns the table of suggestions: what was stated, how it is followed, and how it ended."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Text

from services.kit.db import FractionColumn, PriceColumn, UtcDateTime, tenant_table

suggestions = tenant_table(
    "suggestions",
    Column("ref", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("record_key", Text, nullable=False),
    Column("setup_key", Text, nullable=False),
    Column("stated", FractionColumn),
    Column("tier", Text, nullable=False),
    Column("calibrator_hash", Text, nullable=False),
    Column("score", FractionColumn),
    Column("side", Text, nullable=False),
    Column("entry_kind", Text, nullable=False),
    Column("entry", PriceColumn),
    Column("worst", PriceColumn),
    Column("stop", PriceColumn),
    Column("target", PriceColumn),
    Column("invalid_at", PriceColumn),
    Column("timeframe", Text, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    Column("entry_until", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("entered_at", UtcDateTime),
    Column("entry_price", PriceColumn),
    Column("ended_at", UtcDateTime),
    Column("exit_price", PriceColumn),
    Column("r", FractionColumn),
    Column("mae_r", FractionColumn),
    Column("mfe_free_r", FractionColumn),
    Column("free_r", FractionColumn),
    Column("ambiguous", Integer, nullable=False),
    Column("followed", Integer, nullable=False),
    Column("seen_until", UtcDateTime),
    Column("provenance", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "ref"),
    Index("ix_suggestions_followed", "tenant_id", "followed", "symbol"),
    Index("ix_suggestions_made", "tenant_id", "made_at"),
    CheckConstraint(
        "state IN ('waiting', 'open', 'target', 'stop', 'time', 'unfilled', 'gapped', "
        "'through_stop', 'invalidated', 'not_followed')",
        name="state",
    ),
    CheckConstraint("side IN ('long', 'short')", name="side"),
    CheckConstraint("ambiguous IN (0, 1) AND followed IN (0, 1)", name="flags"),
)
"""`record_key` and `setup_key` are empty for a person's own levels; `followed` is 1 while bars may
change the row; `provenance` is that of the bars that settled it."""
