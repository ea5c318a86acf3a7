"""Keep each change of a working order, from its card to what became of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_STATES = "'proposed', 'wanted', 'sent', 'done', 'refused', 'dropped', 'overtaken', 'unseen'"
_IN_FLIGHT = sa.text("state IN ('wanted', 'sent')")
_TEXTS = ("proposal_id", "order_id", "before_json", "before_hash", "order_hash", "state", "reason")
_MORE_TEXTS = ("token_id", "guards_json", "outcome", "reply")
_TIMES = ("confirmed_at", "sent_at", "next_scan_at", "ended_at")


def upgrade() -> None:
    op.create_table(
        "order_changes",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*_TEXTS, *_MORE_TEXTS)),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in _TIMES),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_order_changes_state")),
        sa.PrimaryKeyConstraint("tenant_id", "proposal_id", name=op.f("pk_order_changes")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        "ix_order_changes_in_flight",
        "order_changes",
        ["tenant_id", "order_id"],
        unique=True,
        sqlite_where=_IN_FLIGHT,
        postgresql_where=_IN_FLIGHT,
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "order_changes", columns, unique=False)


def downgrade() -> None:
    for name in (*_INDEXES, "ix_order_changes_in_flight"):
        op.drop_index(name, table_name="order_changes")
    op.drop_table("order_changes")


_INDEXES = {
    "ix_order_changes_order": ["tenant_id", "order_id", "confirmed_at"],
    "ix_order_changes_state": ["tenant_id", "state"],
    "ix_order_changes_tenant_id": ["tenant_id"],
}
