"""Store where the risk of each account stands; let alerts watch plans and that state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_RISK = "'ok', 'warn', 'breach', 'frozen'"
_OLD_KINDS = "'price_above', 'price_below', 'vwap_cross', 'rvol_above'"
_NEW_KINDS = f"{_OLD_KINDS}, 'plan_event', 'risk'"


def upgrade() -> None:
    op.create_table(
        "risk_states",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("portfolio_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"state IN ({_RISK})", name=op.f("ck_risk_states_state")),
        sa.PrimaryKeyConstraint("tenant_id", "portfolio_id", name=op.f("pk_risk_states")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(op.f("ix_risk_states_tenant_id"), "risk_states", ["tenant_id"], unique=False)
    op.create_table(
        "risk_changes",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("portfolio_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=False),
        sa.Column("state_after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"state_after IN ({_RISK})", name=op.f("ck_risk_changes_state_after")),
        sa.CheckConstraint(f"state_before IN ({_RISK})", name=op.f("ck_risk_changes_state_before")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "portfolio_id", "number", name=op.f("pk_risk_changes")
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(op.f("ix_risk_changes_at"), "risk_changes", ["tenant_id", "at"], unique=False)
    op.create_index(op.f("ix_risk_changes_tenant_id"), "risk_changes", ["tenant_id"], unique=False)
    empty = sa.text("''")
    for table, name in (("alerts", "subject"), ("alerts", "terms"), ("alert_triggers", "what")):
        op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=empty))
    _set_kinds(_NEW_KINDS)


def downgrade() -> None:
    op.execute("DELETE FROM alerts WHERE kind IN ('plan_event', 'risk')")
    _set_kinds(_OLD_KINDS)
    for table, name in (("alert_triggers", "what"), ("alerts", "terms"), ("alerts", "subject")):
        op.drop_column(table, name)
    op.drop_index(op.f("ix_risk_changes_tenant_id"), table_name="risk_changes")
    op.drop_index(op.f("ix_risk_changes_at"), table_name="risk_changes")
    op.drop_table("risk_changes")
    op.drop_index(op.f("ix_risk_states_tenant_id"), table_name="risk_states")
    op.drop_table("risk_states")


def _set_kinds(kinds: str) -> None:
    """Replace the check of the kinds; SQLite makes the table anew and keeps its other checks."""
    name = op.f("ck_alerts_kind")
    with op.batch_alter_table("alerts") as alerts:
        alerts.drop_constraint(name, type_="check")
        alerts.create_check_constraint(name, f"kind IN ({kinds})")
