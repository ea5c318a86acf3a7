"""Store alerts, their events and the notification feed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("threshold_pct", sa.BigInteger(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("latency", sa.Text(), nullable=False),
        sa.Column("hysteresis", sa.BigInteger(), nullable=False),
        sa.Column("cooldown_s", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("ref_price", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("note_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("watched_from", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_close", sa.BigInteger(), nullable=False),
        sa.Column("last_bar_at", sa.BigInteger(), nullable=True),
        sa.Column("last_event_at", sa.BigInteger(), nullable=True),
        sa.Column("suppressed", sa.Integer(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("memory", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("first_triggered_at", sa.BigInteger(), nullable=True),
        sa.Column("triggers", sa.Integer(), nullable=False),
        sa.Column("same_key", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('price_above', 'price_below', 'vwap_cross', 'rvol_above')",
            name=op.f("ck_alerts_kind"),
        ),
        sa.CheckConstraint("repeat IN (0, 1)", name=op.f("ck_alerts_repeat")),
        sa.CheckConstraint("side IN ('above', 'below')", name=op.f("ck_alerts_side")),
        sa.CheckConstraint(
            "state IN ('armed', 'waiting_reset', 'fired_wait', 'done', 'expired', 'paused')",
            name=op.f("ck_alerts_state"),
        ),
        sa.CheckConstraint("timeframe IN ('minute', 'day')", name=op.f("ck_alerts_timeframe")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.UniqueConstraint("tenant_id", "same_key", name=op.f("uq_alerts_tenant_id_same_key")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(op.f("ix_alerts_symbol"), "alerts", ["symbol"], unique=False)
    op.create_index(op.f("ix_alerts_tenant_id"), "alerts", ["tenant_id"], unique=False)
    op.create_table(
        "alert_triggers",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("bar_open", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("gap", sa.Integer(), nullable=False),
        sa.Column("provisional", sa.Integer(), nullable=False),
        sa.Column("late_s", sa.Integer(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("gap IN (0, 1)", name=op.f("ck_alert_triggers_gap")),
        sa.CheckConstraint("provisional IN (0, 1)", name=op.f("ck_alert_triggers_provisional")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_triggers")),
        sa.UniqueConstraint(
            "tenant_id", "event_key", name=op.f("uq_alert_triggers_tenant_id_event_key")
        ),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_alert_triggers_of"),
        "alert_triggers",
        ["tenant_id", "alert_id", "at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_alert_triggers_tenant_id"), "alert_triggers", ["tenant_id"], unique=False
    )
    op.create_table(
        "notifications",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("next_action", sa.Text(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "level IN ('info', 'warning', 'critical')", name=op.f("ck_notifications_level")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notifications")),
        sa.UniqueConstraint(
            "tenant_id", "dedupe_key", name=op.f("uq_notifications_tenant_id_dedupe_key")
        ),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_notifications_newest"), "notifications", ["tenant_id", "seq"], unique=False
    )
    op.create_index(
        op.f("ix_notifications_tenant_id"), "notifications", ["tenant_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_alerts_symbol"), table_name="alerts")
    op.drop_index(op.f("ix_alerts_tenant_id"), table_name="alerts")
    op.drop_table("alerts")
    op.drop_index(op.f("ix_alert_triggers_of"), table_name="alert_triggers")
    op.drop_index(op.f("ix_alert_triggers_tenant_id"), table_name="alert_triggers")
    op.drop_table("alert_triggers")
    op.drop_index(op.f("ix_notifications_newest"), table_name="notifications")
    op.drop_index(op.f("ix_notifications_tenant_id"), table_name="notifications")
    op.drop_table("notifications")
