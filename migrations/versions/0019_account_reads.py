"""Remember when an account outside was read completely the last time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_reads",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("portfolio_id", sa.Text(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "account_id", name=op.f("pk_account_reads")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_account_reads_tenant_id"), "account_reads", ["tenant_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_account_reads_tenant_id"), table_name="account_reads")
    op.drop_table("account_reads")
