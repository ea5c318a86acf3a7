"""Owns the table of previews: what a broker said that a proposed order would cost, newest last."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, PrimaryKeyConstraint, Text

from services.kit.db import MoneyColumn, UtcDateTime, tenant_table

order_previews = tenant_table(
    "order_previews",
    Column("proposal_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("broker", Text, nullable=False),
    Column("order_hash", Text, nullable=False),
    Column("refused", Text, nullable=False),
    Column("cost", MoneyColumn),
    Column("order_cost", MoneyColumn),
    Column("commission", MoneyColumn),
    Column("fees", MoneyColumn),
    Column("day_trades", Integer),
    Column("at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "proposal_id", "number"),
    CheckConstraint("(refused = '') = (cost IS NOT NULL)", name="outcome"),
    append_only=True,
)
"""`refused` holds the broker's words when it would not take the order; then no cost is known."""
