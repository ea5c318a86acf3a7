"""Owns the table of documents that rules are fitted to: records, calibrators, policies."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Text

from services.kit.db import UtcDateTime, tenant_table

documents = tenant_table(
    "documents",
    Column("hash", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", UtcDateTime),
    Column("revoked_by", Text),
    Column("revoked_at", UtcDateTime),
    Column("revoke_reason", Text),
    PrimaryKeyConstraint("tenant_id", "hash"),
    Index("ix_documents_of", "tenant_id", "kind", "key", "approved_at"),
)
"""`key` is what a document is about, such as `orb/1/long/intraday`; the newest approval leads."""
