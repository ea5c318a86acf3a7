"""Owns the rows of data quality: findings, marks of the last good data, and freezes."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)

from services.kit.db import FractionColumn, PriceColumn, QuantityColumn, UtcDateTime, tenant_table

BOOK = "BOOK"
"""The code of a freeze of the book itself, which is no matter of data."""

dq_findings = tenant_table(
    "dq_findings",
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "key"),
    CheckConstraint("severity IN ('INFO', 'WARN', 'CRIT')", name="severity"),
    append_only=True,
)
"""What was found, once per scope, code and minute; `key` says so to the database."""

dq_marks = tenant_table(
    "dq_marks",
    Column("listing", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("last", PriceColumn),
    Column("last_ts", UtcDateTime),
    Column("provenance", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("sigma", FractionColumn),
    Column("volume", QuantityColumn),
    Column("newest_ts", UtcDateTime),
    Column("newest_seq", Integer, nullable=False),
    Column("newest_price", PriceColumn),
    Column("suspects_json", Text, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("counted_from", UtcDateTime),
    Column("lags_json", Text, nullable=False, server_default=text("'[]'")),
    PrimaryKeyConstraint("tenant_id", "listing", "kind"),
    CheckConstraint("kind IN ('intraday', 'day')", name="kind"),
)
"""The reference window of a listing: `session` is the key of the session it was last primed in."""

freezes = tenant_table(
    "freezes",
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("cleared_at", UtcDateTime),
    Column("cleared_by", Text),
    Column("clear_reason", Text),
    Column("code", Text, nullable=False, server_default=text("'BOOK'")),
    Column("opened_by", Text, nullable=False, server_default=text("''")),
    Column("findings_json", Text, nullable=False, server_default=text("'[]'")),
    Column("auto_clear", Integer, nullable=False, server_default=text("0")),
    Column("clean_needed", Integer, nullable=False, server_default=text("0")),
    Column("clean_seen", Integer, nullable=False, server_default=text("0")),
    Column("clean_at", UtcDateTime),
    Index(
        "ix_freezes_open_data",
        "tenant_id",
        "scope",
        "code",
        unique=True,
        sqlite_where=text("cleared_at IS NULL AND code <> 'BOOK'"),
        postgresql_where=text("cleared_at IS NULL AND code <> 'BOOK'"),
    ),
)
"""One concept for both: `code` is `BOOK`, or that of the finding that froze the data of `scope`."""
