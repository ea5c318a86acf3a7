"""Store fitted documents with their approvals, and what became of every suggestion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "hash", name=op.f("pk_documents")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_documents_of"),
        "documents",
        ["tenant_id", "kind", "key", "approved_at"],
        unique=False,
    )
    op.create_index(op.f("ix_documents_tenant_id"), "documents", ["tenant_id"], unique=False)
    op.create_table(
        "suggestions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False),
        sa.Column("setup_key", sa.Text(), nullable=False),
        sa.Column("stated", sa.BigInteger(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("calibrator_hash", sa.Text(), nullable=False),
        sa.Column("score", sa.BigInteger(), nullable=True),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("entry_kind", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.Column("worst", sa.BigInteger(), nullable=True),
        sa.Column("stop", sa.BigInteger(), nullable=True),
        sa.Column("target", sa.BigInteger(), nullable=True),
        sa.Column("invalid_at", sa.BigInteger(), nullable=True),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("entry_until", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entered_at", sa.BigInteger(), nullable=True),
        sa.Column("entry_price", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("exit_price", sa.BigInteger(), nullable=True),
        sa.Column("r", sa.BigInteger(), nullable=True),
        sa.Column("mae_r", sa.BigInteger(), nullable=True),
        sa.Column("mfe_free_r", sa.BigInteger(), nullable=True),
        sa.Column("free_r", sa.BigInteger(), nullable=True),
        sa.Column("ambiguous", sa.Integer(), nullable=False),
        sa.Column("followed", sa.Integer(), nullable=False),
        sa.Column("seen_until", sa.BigInteger(), nullable=True),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "ambiguous IN (0, 1) AND followed IN (0, 1)", name=op.f("ck_suggestions_flags")
        ),
        sa.CheckConstraint("side IN ('long', 'short')", name=op.f("ck_suggestions_side")),
        sa.CheckConstraint(
            "state IN ('waiting', 'open', 'target', 'stop', 'time', 'unfilled', 'gapped', "
            "'through_stop', 'invalidated', 'not_followed')",
            name=op.f("ck_suggestions_state"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "ref", name=op.f("pk_suggestions")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_suggestions_followed"),
        "suggestions",
        ["tenant_id", "followed", "symbol"],
        unique=False,
    )
    op.create_index(
        op.f("ix_suggestions_made"), "suggestions", ["tenant_id", "made_at"], unique=False
    )
    op.create_index(op.f("ix_suggestions_tenant_id"), "suggestions", ["tenant_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_documents_of"), table_name="documents")
    op.drop_index(op.f("ix_documents_tenant_id"), table_name="documents")
    op.drop_table("documents")
    op.drop_index(op.f("ix_suggestions_followed"), table_name="suggestions")
    op.drop_index(op.f("ix_suggestions_made"), table_name="suggestions")
    op.drop_index(op.f("ix_suggestions_tenant_id"), table_name="suggestions")
    op.drop_table("suggestions")
