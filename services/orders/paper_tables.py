"""Owns the paper broker's own book: its orders and its fills, as an outside system would keep."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Text, UniqueConstraint

from services.kit.db import MoneyColumn, PriceColumn, QuantityColumn, UtcDateTime, tenant_table

paper_orders = tenant_table(
    "paper_orders",
    Column("id", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("listing", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("tif", Text, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("limit_price", PriceColumn),
    Column("stop_price", PriceColumn),
    Column("worst_price", PriceColumn, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("triggered", Integer, nullable=False),
    Column("filled_quantity", QuantityColumn, nullable=False),
    Column("volume_seen", QuantityColumn, nullable=False),
    Column("accepted_at", UtcDateTime, nullable=False),
    Column("live_at", UtcDateTime, nullable=False),
    Column("seen_until", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "account_id", "client_order_id"),
    Index("ix_paper_orders_status", "tenant_id", "status"),
)

paper_fills = tenant_table(
    "paper_fills",
    Column("exec_id", Text, primary_key=True),
    Column("paper_order_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("price", PriceColumn, nullable=False),
    Column("commission", MoneyColumn, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "paper_order_id", "number"),
    append_only=True,
)
