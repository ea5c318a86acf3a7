"""Index what the guards and the account's risk read by time, so that history costs them nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_order_intents_confirmed", "order_intents", ["tenant_id", "confirmed_at"]),
    ("ix_order_intents_listing", "order_intents", ["portfolio_id", "listing", "side", "id"]),
    ("ix_fills_at", "fills", ["portfolio_id", "at"]),
    ("ix_trades_closed", "trades", ["portfolio_id", "closed_at"]),
)
_FLOWS = "account LIKE 'external:%'"
_FEW = (
    ("ix_ledger_entries_flows", "ledger_entries", ["portfolio_id", "seq"], _FLOWS),
    ("ix_ledger_batches_splits", "ledger_batches", ["portfolio_id"], "kind = 'SPLIT'"),
)
"""Indexes of the few rows that a condition picks."""


def upgrade() -> None:
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns, unique=False)
    for name, table, columns, condition in _FEW:
        picked = sa.text(condition)
        op.create_index(
            name, table, columns, unique=False, sqlite_where=picked, postgresql_where=picked
        )


def downgrade() -> None:
    for name, table, *_ in reversed((*_INDEXES, *_FEW)):
        op.drop_index(name, table_name=table)
