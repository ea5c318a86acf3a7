"""Record corporate actions: splits as providers and persons say them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "corporate_actions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ex_date", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("ratio_from", sa.Integer(), nullable=False),
        sa.Column("ratio_to", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('split')", name=op.f("ck_corporate_actions_kind")),
        sa.CheckConstraint(
            "ratio_from > 0 AND ratio_to > 0", name=op.f("ck_corporate_actions_ratio")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corporate_actions")),
        sa.UniqueConstraint(
            "tenant_id", "instrument_id", "round", "seq", name="uq_corporate_actions_order"
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(
        op.f("ix_corporate_actions_tenant_id"), "corporate_actions", ["tenant_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_corporate_actions_tenant_id"), table_name="corporate_actions")
    op.drop_table("corporate_actions")
