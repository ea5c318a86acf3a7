"""Owns the rows of the market store: listings, splits, trades, bars, prices, rates, snapshots."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from services.kit.db import FxColumn, PriceColumn, QuantityColumn, UtcDateTime, tenant_table

PRICE_KINDS = ("intraday", "day")


def _versions(*key: str) -> tuple[SchemaItem, ...]:
    """Return what every versioned observation has: its round, version, arrival and origin."""
    return (
        Column("round", Integer, nullable=False),
        Column("version", Integer, nullable=False),
        Column("known_at", UtcDateTime, nullable=False),
        Column("provenance", Text, nullable=False),
        Column("source", Text, nullable=False),
        PrimaryKeyConstraint("tenant_id", *key, "version"),
    )


instruments = tenant_table(
    "instruments",
    Column("id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("mic", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("asset_class", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("quote_unit", Text, nullable=False),
    Column("price_scale", PriceColumn, nullable=False),
    Column("tick_rule", Text, nullable=False),
    Column("lot_step", QuantityColumn, nullable=False),
    Column("min_quantity", QuantityColumn, nullable=False),
    Column("multiplier", QuantityColumn, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("shortable", Integer, nullable=False),
    Column("flags", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
    PrimaryKeyConstraint("tenant_id", "id", "valid_from"),
    Index("ix_instruments_symbol", "tenant_id", "symbol"),
    CheckConstraint("shortable IN (0, 1)", name="shortable"),
    CheckConstraint("price_scale > 0 AND lot_step > 0 AND multiplier > 0", name="steps"),
)
"""Listings: a row is true in `[valid_from, valid_to)` of market time; `flags` is a JSON list."""

price_points = tenant_table(
    "price_points",
    Column("instrument_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("price", PriceColumn, nullable=False),
    Column("currency", Text, nullable=False),
    Column("volume", QuantityColumn),
    *_versions("instrument_id", "kind", "round", "ts"),
    CheckConstraint("kind IN ('intraday', 'day')", name="kind"),
    CheckConstraint("price > 0", name="price"),
    append_only=True,
)
"""One observed price per listing, kind and time; a correction is a further version."""

bars = tenant_table(
    "bars",
    Column("instrument_id", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("t_open", UtcDateTime, nullable=False),
    Column("t_close", UtcDateTime, nullable=False),
    Column("o", PriceColumn, nullable=False),
    Column("h", PriceColumn, nullable=False),
    Column("l", PriceColumn, nullable=False),
    Column("c", PriceColumn, nullable=False),
    Column("v", QuantityColumn, nullable=False),
    Column("vw", PriceColumn),
    Column("n", Integer),
    Column("adj", Text, nullable=False),
    *_versions("instrument_id", "timeframe", "round", "t_open"),
    CheckConstraint("adj IN ('split', 'none')", name="adj"),
    CheckConstraint("l > 0 AND h >= l AND v >= 0", name="sane"),
    append_only=True,
)
"""Complete bars of regular hours; a correction, also one by a split, is a further version."""

market_trades = tenant_table(
    "market_trades",
    Column("instrument_id", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("price", PriceColumn, nullable=False),
    Column("size", QuantityColumn, nullable=False),
    Column("known_at", UtcDateTime, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "instrument_id", "round", "ts", "seq"),
    CheckConstraint("price > 0 AND size >= 0", name="sane"),
    append_only=True,
)
"""Trades of the tape in their order; `seq` counts those of the same instant."""

fx_rates = tenant_table(
    "fx_rates",
    Column("currency", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("rate", FxColumn, nullable=False),
    *_versions("currency", "base", "round", "ts"),
    CheckConstraint("rate > 0", name="rate"),
    append_only=True,
)
"""Units of `base` per one unit of `currency`."""

market_snapshots = tenant_table(
    "market_snapshots",
    Column("instrument_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("bid", PriceColumn, nullable=False),
    Column("ask", PriceColumn, nullable=False),
    Column("last", PriceColumn, nullable=False),
    Column("currency", Text, nullable=False),
    Column("ts", UtcDateTime, nullable=False),
    Column("round", Integer, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "instrument_id"),
    CheckConstraint("bid > 0 AND ask >= bid AND last > 0", name="sane"),
)
"""The last known good quote of each listing: replaced by a newer good one, never by a bad one."""

session_metrics = tenant_table(
    "session_metrics",
    Column("instrument_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("session", Text, nullable=False),
    Column("vwap", PriceColumn),
    Column("volume", QuantityColumn, nullable=False),
    Column("high", PriceColumn, nullable=False),
    Column("low", PriceColumn, nullable=False),
    Column("open", PriceColumn, nullable=False),
    Column("last", PriceColumn, nullable=False),
    Column("bars", Integer, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "instrument_id", "round", "session"),
    CheckConstraint("volume >= 0 AND high >= low", name="sane"),
)
"""Volume, range and volume-weighted price of a session so far, per listing."""

corporate_actions = tenant_table(
    "corporate_actions",
    Column("id", Text, primary_key=True),
    Column("instrument_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ex_date", Text, nullable=False),
    Column("effective_at", UtcDateTime, nullable=False),
    Column("ratio_from", Integer, nullable=False),
    Column("ratio_to", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("known_at", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("recorded_by", Text, nullable=False),
    UniqueConstraint(
        "tenant_id", "instrument_id", "round", "seq", name="uq_corporate_actions_order"
    ),
    CheckConstraint("kind IN ('split')", name="kind"),
    CheckConstraint("ratio_from > 0 AND ratio_to > 0", name="ratio"),
    append_only=True,
)
"""What was said about a listing's units, in the order of `seq`; the newest of a day counts."""
