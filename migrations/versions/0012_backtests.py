"""Store backtests: what was asked, how far it is, and the report."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backtests",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("strategy_hash", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("run_hash", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("data_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("done >= 0 AND done <= total", name=op.f("ck_backtests_progress")),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_backtests_status")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_backtests")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_backtests_newest"), "backtests", ["tenant_id", "created_at"], unique=False
    )
    op.create_index(op.f("ix_backtests_tenant_id"), "backtests", ["tenant_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_backtests_newest"), table_name="backtests")
    op.drop_index(op.f("ix_backtests_tenant_id"), table_name="backtests")
    op.drop_table("backtests")
