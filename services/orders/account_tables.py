"""Owns the table of the accounts outside: when each was read completely the last time."""

from __future__ import annotations

from sqlalchemy import Column, Text

from services.kit.db import UtcDateTime, tenant_table

account_reads = tenant_table(
    "account_reads",
    Column("account_id", Text, primary_key=True),
    Column("portfolio_id", Text, nullable=False),
    Column("read_at", UtcDateTime, nullable=False),
)
"""One row per account that was ever asked; balances and positions together are one read."""
