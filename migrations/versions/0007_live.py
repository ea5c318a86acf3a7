"""Store watchlists and the leases of single holders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "watchlists",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("symbols", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watchlists")),
        sa.UniqueConstraint("tenant_id", "name_key", name=op.f("uq_watchlists_tenant_id_name_key")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(op.f("ix_watchlists_tenant_id"), "watchlists", ["tenant_id"], unique=False)
    op.create_table(
        "leases",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_leases")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(op.f("ix_leases_tenant_id"), "leases", ["tenant_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_leases_tenant_id"), table_name="leases")
    op.drop_table("leases")
    op.drop_index(op.f("ix_watchlists_tenant_id"), table_name="watchlists")
    op.drop_table("watchlists")
