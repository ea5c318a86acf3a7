"""Owns the table of protective stops: each stop that a person gave a position, newest last."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, PrimaryKeyConstraint, Text

from services.kit.db import PriceColumn, UtcDateTime, tenant_table

position_stops = tenant_table(
    "position_stops",
    Column("portfolio_id", Text, nullable=False),
    Column("listing", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("opened_seq", Integer, nullable=False),
    Column("side", Text, nullable=False),
    Column("stop", PriceColumn, nullable=False),
    Column("before", PriceColumn),
    Column("user_id", Text, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "portfolio_id", "listing", "number"),
    CheckConstraint("side IN ('long', 'short')", name="side"),
    CheckConstraint("stop > 0", name="stop"),
    append_only=True,
)
"""`opened_seq` names the position by the ledger batch that opened it: a later one starts without a
stop. `as_of` is the market's time, `before` the stop that was known until then."""
