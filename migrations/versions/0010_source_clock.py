"""Keep how far the clock of a source runs behind or ahead of ours, beside its last good price."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "dq_marks",
        sa.Column("lags_json", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("dq_marks", "lags_json")
