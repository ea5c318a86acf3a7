"""Let an entry have its exits: a second order of one proposal; let a card change an order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_OLD_KINDS = "'order', 'cancel'"
_NEW_KINDS = f"{_OLD_KINDS}, 'replace'"
_ONE_ORDER = "uq_order_intents_tenant_id_proposal_id"
_ONE_EXIT = "uq_order_intents_tenant_id_parent_id"
_ENTRY = sa.text("parent_id IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("order_intents") as orders:
        orders.add_column(sa.Column("parent_id", sa.Text(), nullable=True))
        orders.drop_constraint(op.f(_ONE_ORDER), type_="unique")
        orders.create_unique_constraint(op.f(_ONE_EXIT), ["tenant_id", "parent_id"])
    op.create_index(
        "ix_order_intents_proposal",
        "order_intents",
        ["tenant_id", "proposal_id"],
        unique=True,
        sqlite_where=_ENTRY,
        postgresql_where=_ENTRY,
    )
    _set_kinds(_NEW_KINDS)


def downgrade() -> None:
    left = sa.text(
        "SELECT count(*) FROM order_intents WHERE parent_id IS NOT NULL "
        "UNION ALL SELECT count(*) FROM proposals WHERE kind = 'replace'"
    )
    if any(op.get_bind().execute(left).scalars()):
        raise RuntimeError("orders with exits or changes can not be told in the older form")
    _set_kinds(_OLD_KINDS)
    op.drop_index("ix_order_intents_proposal", table_name="order_intents")
    with op.batch_alter_table("order_intents") as orders:
        orders.drop_constraint(op.f(_ONE_EXIT), type_="unique")
        orders.create_unique_constraint(op.f(_ONE_ORDER), ["tenant_id", "proposal_id"])
        orders.drop_column("parent_id")


def _set_kinds(kinds: str) -> None:
    """Replace the check of the kinds; SQLite makes the table anew and keeps its other checks."""
    name = op.f("ck_proposals_kind")
    with op.batch_alter_table("proposals") as proposals:
        proposals.drop_constraint(name, type_="check")
        proposals.create_check_constraint(name, f"kind IN ({kinds})")
