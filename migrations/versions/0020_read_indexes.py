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
    ("ix_fills_at", "fills", ["portfolio_id", "at"]),
    ("ix_trades_closed", "trades", ["portfolio_id", "closed_at"]),
)
_FLOWS = sa.text("account LIKE 'external:%'")


def upgrade() -> None:
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns, unique=False)
    op.create_index(
        "ix_ledger_entries_flows",
        "ledger_entries",
        ["portfolio_id", "seq"],
        unique=False,
        sqlite_where=_FLOWS,
        postgresql_where=_FLOWS,
    )


def downgrade() -> None:
    op.drop_index("ix_ledger_entries_flows", table_name="ledger_entries")
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
