"""Keep the signature of a decision beside its audit event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("receipt", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("audit_events", "receipt")
