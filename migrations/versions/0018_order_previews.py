"""Keep what a broker says before the confirmation that an order would cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_MONEY = ("cost", "order_cost", "commission", "fees")


def upgrade() -> None:
    op.create_table(
        "order_previews",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("order_hash", sa.Text(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in _MONEY),
        sa.Column("day_trades", sa.Integer(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(refused = '') = (cost IS NOT NULL)", name=op.f("ck_order_previews_outcome")
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "proposal_id", "number", name=op.f("pk_order_previews")
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(
        op.f("ix_order_previews_tenant_id"), "order_previews", ["tenant_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_order_previews_tenant_id"), table_name="order_previews")
    op.drop_table("order_previews")
