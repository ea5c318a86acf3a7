"""Give findings rows of their own and let freezes name them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = sa.text("cleared_at IS NULL AND code <> 'BOOK'")


def upgrade() -> None:
    _create_findings()
    _create_marks()
    for column in (
        sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("'BOOK'")),
        sa.Column("opened_by", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("findings_json", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("auto_clear", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("clean_needed", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("clean_seen", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("clean_at", sa.BigInteger(), nullable=True),
    ):
        op.add_column("freezes", column)
    op.create_index(
        "ix_freezes_open_data",
        "freezes",
        ["tenant_id", "scope", "code"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def _create_findings() -> None:
    op.create_table(
        "dq_findings",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "severity IN ('INFO', 'WARN', 'CRIT')", name=op.f("ck_dq_findings_severity")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dq_findings")),
        sa.UniqueConstraint("tenant_id", "key", name=op.f("uq_dq_findings_tenant_id_key")),
    )
    op.create_index(op.f("ix_dq_findings_tenant_id"), "dq_findings", ["tenant_id"], unique=False)


def _create_marks() -> None:
    op.create_table(
        "dq_marks",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("listing", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("last_ts", sa.BigInteger(), nullable=True),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sigma", sa.BigInteger(), nullable=True),
        sa.Column("volume", sa.BigInteger(), nullable=True),
        sa.Column("newest_ts", sa.BigInteger(), nullable=True),
        sa.Column("newest_seq", sa.Integer(), nullable=False),
        sa.Column("newest_price", sa.BigInteger(), nullable=True),
        sa.Column("suspects_json", sa.Text(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("dropped", sa.Integer(), nullable=False),
        sa.Column("counted_from", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('intraday', 'day')", name=op.f("ck_dq_marks_kind")),
        sa.PrimaryKeyConstraint("tenant_id", "listing", "kind", name=op.f("pk_dq_marks")),
    )
    op.create_index(op.f("ix_dq_marks_tenant_id"), "dq_marks", ["tenant_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_freezes_open_data", table_name="freezes")
    for name in (
        "clean_at",
        "clean_seen",
        "clean_needed",
        "auto_clear",
        "findings_json",
        "opened_by",
        "code",
    ):
        op.drop_column("freezes", name)
    op.drop_index(op.f("ix_dq_marks_tenant_id"), table_name="dq_marks")
    op.drop_table("dq_marks")
    op.drop_index(op.f("ix_dq_findings_tenant_id"), table_name="dq_findings")
    op.drop_table("dq_findings")
