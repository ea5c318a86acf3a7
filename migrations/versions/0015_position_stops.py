"""Keep the protective stop that a person gives a position, each move of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "position_stops",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("portfolio_id", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("opened_seq", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("side IN ('long', 'short')", name=op.f("ck_position_stops_side")),
        sa.CheckConstraint("stop > 0", name=op.f("ck_position_stops_stop")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "portfolio_id", "listing", "number", name=op.f("pk_position_stops")
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(
        op.f("ix_position_stops_tenant_id"), "position_stops", ["tenant_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_position_stops_tenant_id"), table_name="position_stops")
    op.drop_table("position_stops")
