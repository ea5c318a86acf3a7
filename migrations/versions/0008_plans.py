"""Store composed plans and the bars that they were made from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("setup_id", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("idea_hash", sa.Text(), nullable=False),
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("inputs_hash", sa.Text(), nullable=False),
        sa.Column("policy_hash", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("dq_snapshot_id", sa.Text(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind = 'plan'", name=op.f("ck_plans_kind")),
        sa.CheckConstraint("side IN ('long', 'short')", name=op.f("ck_plans_side")),
        sa.CheckConstraint("style IN ('intraday', 'swing', 'leaps')", name=op.f("ck_plans_style")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_plans")),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(op.f("ix_plans_newest"), "plans", ["tenant_id", "symbol", "at"], unique=False)
    op.create_index(op.f("ix_plans_tenant_id"), "plans", ["tenant_id"], unique=False)
    op.create_table(
        "plan_bars",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "hash", name=op.f("pk_plan_bars")),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(op.f("ix_plan_bars_tenant_id"), "plan_bars", ["tenant_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_plan_bars_tenant_id"), table_name="plan_bars")
    op.drop_table("plan_bars")
    op.drop_index(op.f("ix_plans_tenant_id"), table_name="plans")
    op.drop_index(op.f("ix_plans_newest"), table_name="plans")
    op.drop_table("plans")
