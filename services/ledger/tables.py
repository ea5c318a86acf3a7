"""Owns the ledger's tables: batches and legs that never change, snapshots that follow them."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

from services.kit.db import (
    FxColumn,
    MoneyColumn,
    PriceColumn,
    QuantityColumn,
    Scaled,
    UtcDateTime,
    tenant_table,
)

KINDS = (
    "CONTRIBUTION",
    "WITHDRAWAL",
    "BUY",
    "SELL",
    "FEE",
    "DIVIDEND",
    "INTEREST",
    "TAX",
    "SPLIT",
    "MERGE",
    "FX",
    "ADJUST",
    "REVERSAL",
    "OPENING",
)
SOURCES = ("order", "fill", "manual", "import", "corporate_action", "system")
GrowthColumn = Scaled(12)
"""A growth factor; twelve decimals keep a year of minutes exact at the six that are shown."""


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _book_table(
    name: str, *items: SchemaItem, key: tuple[str, ...] = (), append_only: bool = False
) -> Table:
    """Return a table of one portfolio; the key to the portfolio also ties the tenant.

    `key` names what identifies a row within its portfolio; without it `items` bring their own.
    """
    primary = (PrimaryKeyConstraint("portfolio_id", *key),) if key else ()
    return tenant_table(
        name,
        Column("portfolio_id", Text, nullable=False),
        *items,
        *primary,
        ForeignKeyConstraint(
            ["tenant_id", "portfolio_id"],
            ["portfolios.tenant_id", "portfolios.id"],
            name=f"fk_{name}_portfolio",
        ),
        append_only=append_only,
    )


portfolios = tenant_table(
    "portfolios",
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("base_currency", Text, nullable=False),
    Column("cost_method", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_cash", MoneyColumn, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "name"),
    UniqueConstraint("tenant_id", "id"),
    CheckConstraint(_one_of("cost_method", ("average", "fifo")), name="cost_method"),
    CheckConstraint(_one_of("status", ("open", "closed")), name="status"),
)

accounts = _book_table(
    "accounts",
    Column("id", Text, primary_key=True),
    Column("broker", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("allow_short", Integer, nullable=False),
    Column("day_trade_rule", Text, nullable=False),
    UniqueConstraint("portfolio_id"),
    CheckConstraint(_one_of("mode", ("paper", "live")), name="mode"),
    CheckConstraint("allow_short IN (0, 1)", name="allow_short"),
)

ledger_batches = _book_table(
    "ledger_batches",
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("effective_at", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("reverses_seq", Integer),
    Column("source", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("meta", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("tenant_id", "key"),
    UniqueConstraint("portfolio_id", "reverses_seq"),
    CheckConstraint(_one_of("kind", KINDS), name="kind"),
    CheckConstraint(_one_of("source", SOURCES), name="source"),
    CheckConstraint("(kind = 'REVERSAL') = (reverses_seq IS NOT NULL)", name="reversal"),
    Index(
        "ix_ledger_batches_splits",
        "portfolio_id",
        sqlite_where=text("kind = 'SPLIT'"),
        postgresql_where=text("kind = 'SPLIT'"),
    ),
    append_only=True,
    key=("seq",),
)

ledger_entries = _book_table(
    "ledger_entries",
    Column("seq", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("account", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("amount", MoneyColumn),
    Column("quantity", QuantityColumn),
    Column("unit_price", PriceColumn),
    Column("fx", FxColumn),
    CheckConstraint("(amount IS NULL) <> (quantity IS NULL)", name="one_value"),
    CheckConstraint("coalesce(amount, quantity) <> 0", name="not_zero"),
    Index("ix_ledger_entries_asset", "portfolio_id", "asset", "seq"),
    Index(
        "ix_ledger_entries_flows",
        "portfolio_id",
        "seq",
        sqlite_where=text("account LIKE 'external:%'"),
        postgresql_where=text("account LIKE 'external:%'"),
    ),
    append_only=True,
    key=("seq", "line"),
)

cash_snapshots = _book_table(
    "cash_snapshots",
    Column("currency", Text, nullable=False),
    Column("posted", MoneyColumn, nullable=False),
    Column("reserved", MoneyColumn, nullable=False),
    Column("version", Integer, nullable=False),
    Column("last_seq", Integer, nullable=False),
    CheckConstraint("reserved >= 0", name="reserved"),
    key=("currency",),
)

holding_snapshots = _book_table(
    "holding_snapshots",
    Column("listing", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("reserved", QuantityColumn, nullable=False),
    Column("cost_base", MoneyColumn, nullable=False),
    Column("opened_seq", Integer, nullable=False),
    Column("opened_at", UtcDateTime),
    Column("lots_version", Integer, nullable=False),
    Column("last_seq", Integer, nullable=False),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("cost_base >= 0", name="cost_base"),
    CheckConstraint("quantity <> 0 OR cost_base = 0", name="flat_costs_nothing"),
    key=("listing",),
)

reservations = _book_table(
    "reservations",
    Column("order_id", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("cash", MoneyColumn, nullable=False),
    Column("listing", Text, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    CheckConstraint("cash >= 0 AND quantity >= 0", name="not_negative"),
)

lots = _book_table(
    "lots",
    Column("id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("listing", Text, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("cost_base", MoneyColumn, nullable=False),
    Column("acquired_at", UtcDateTime, nullable=False),
    CheckConstraint("quantity > 0 AND cost_base >= 0", name="positive"),
    append_only=True,
    key=("id",),
)

lot_reliefs = _book_table(
    "lot_reliefs",
    Column("lot_id", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("cost_base", MoneyColumn, nullable=False),
    append_only=True,
    key=("seq", "lot_id"),
)

trades = _book_table(
    "trades",
    Column("seq", Integer, nullable=False),
    Column("listing", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("proceeds", MoneyColumn, nullable=False),
    Column("cost", MoneyColumn, nullable=False),
    Column("pnl", MoneyColumn, nullable=False),
    Column("price", PriceColumn),
    Column("order_id", Text, nullable=False),
    Column("exec_id", Text, nullable=False),
    Column("opened_seq", Integer, nullable=False),
    Column("opened_at", UtcDateTime),
    Column("closed_at", UtcDateTime, nullable=False),
    Column("flat", Integer, nullable=False),
    Column("provenance", Text, nullable=False),
    CheckConstraint("flat IN (0, 1)", name="flat"),
    Index("ix_trades_closed", "portfolio_id", "closed_at"),
    append_only=True,
    key=("seq", "listing"),
)

valuations = _book_table(
    "valuations",
    Column("era", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("as_of", UtcDateTime, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("session", Text, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("cash", MoneyColumn, nullable=False),
    Column("market_value", MoneyColumn, nullable=False),
    Column("equity", MoneyColumn, nullable=False),
    Column("flow", MoneyColumn, nullable=False),
    Column("growth", GrowthColumn, nullable=False),
    Column("peak_growth", GrowthColumn, nullable=False),
    Column("drawdown_max", GrowthColumn, nullable=False),
    Column("provenance", Text, nullable=False),
    CheckConstraint(_one_of("kind", ("start", "minute", "close")), name="kind"),
    append_only=True,
    key=("era", "at", "kind"),
)
