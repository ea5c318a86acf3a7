"""Owns the tables of the orders room: proposals, tokens, orders, attempts, fills, switches."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, UniqueConstraint, text

from services.kit.db import MoneyColumn, PriceColumn, QuantityColumn, UtcDateTime, tenant_table
from services.orders import paper_tables
from services.orders.order import ORDER_STATES, PROPOSAL_STATUSES

PAPER = (paper_tables.paper_orders, paper_tables.paper_fills)
"""The paper broker's own book: in the same database, in nobody's transaction but its own."""


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


proposals = tenant_table(
    "proposals",
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("supersedes", Text),
    Column("status", Text, nullable=False),
    Column("status_reason", Text, nullable=False),
    Column("portfolio_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("order_json", Text, nullable=False),
    Column("order_hash", Text, nullable=False),
    Column("intent_hash", Text, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("target_order_id", Text),
    Column("quote_json", Text, nullable=False),
    Column("reference_price", PriceColumn),
    Column("policy_hash", Text, nullable=False),
    Column("dq_snapshot_id", Text),
    Column("guards_json", Text, nullable=False),
    Column("risk_json", Text, nullable=False),
    Column("risk_hash", Text, nullable=False),
    Column("taint", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("misses", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("decided_by", Text),
    UniqueConstraint("tenant_id", "client_order_id"),
    CheckConstraint(_one_of("kind", ("order", "cancel", "replace")), name="kind"),
    CheckConstraint(_one_of("status", PROPOSAL_STATUSES), name="status"),
    Index(
        "ix_proposals_open_intent",
        "tenant_id",
        "account_id",
        "intent_hash",
        unique=True,
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
    Index("ix_proposals_status", "tenant_id", "status", "created_at"),
)
proposals.info["requires_green"] = True

confirm_tokens = tenant_table(
    "confirm_tokens",
    Column("id", Text, primary_key=True),
    Column("token_sha256", Text, nullable=False),
    Column("proposal_id", Text, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("order_hash", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("surface", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("outcome", Text, nullable=False),
    UniqueConstraint("token_sha256"),
)

order_intents = tenant_table(
    "order_intents",
    Column("id", Text, primary_key=True),
    Column("proposal_id", Text, nullable=False),
    Column("parent_id", Text),
    Column("version", Integer, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("portfolio_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("broker", Text, nullable=False),
    Column("broker_order_id", Text),
    Column("listing", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("quantity", QuantityColumn, nullable=False),
    Column("worst_price", PriceColumn, nullable=False),
    Column("order_json", Text, nullable=False),
    Column("order_hash", Text, nullable=False),
    Column("guards_json", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_reason", Text, nullable=False),
    Column("cancel_wanted", Text, nullable=False),
    Column("filled_quantity", QuantityColumn, nullable=False),
    Column("avg_price", PriceColumn),
    Column("epoch", Integer, nullable=False),
    Column("claimed_at", UtcDateTime),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("scans", Integer, nullable=False),
    Column("first_scan_at", UtcDateTime),
    Column("next_scan_at", UtcDateTime),
    Column("watch_until", UtcDateTime),
    Column("release_at", UtcDateTime),
    Column("conversation_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("confirmed_by", Text, nullable=False),
    Column("confirmed_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "client_order_id"),
    UniqueConstraint("tenant_id", "broker", "account_id", "broker_order_id"),
    UniqueConstraint("tenant_id", "parent_id"),
    Index(
        "ix_order_intents_proposal",
        "tenant_id",
        "proposal_id",
        unique=True,
        sqlite_where=text("parent_id IS NULL"),
        postgresql_where=text("parent_id IS NULL"),
    ),
    CheckConstraint(_one_of("state", ORDER_STATES), name="state"),
    CheckConstraint(_one_of("side", ("buy", "sell")), name="side"),
    CheckConstraint("filled_quantity >= 0 AND filled_quantity <= quantity", name="filled"),
    Index("ix_order_intents_state", "tenant_id", "state"),
    Index("ix_order_intents_confirmed", "tenant_id", "confirmed_at"),
    Index("ix_order_intents_listing", "portfolio_id", "listing", "side", "id"),
)

"""One order of a confirmed proposal; `parent_id` names the entry whose exits an order is."""

order_transitions = tenant_table(
    "order_transitions",
    Column("order_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("from_state", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("to_state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    append_only=True,
)

submit_attempts = tenant_table(
    "submit_attempts",
    Column("order_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("guards_json", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reply", Text, nullable=False),
    Column("ended_at", UtcDateTime),
)

_FILL_COLUMNS = (
    ("order_id", Text),
    ("portfolio_id", Text),
    ("broker", Text),
    ("account_id", Text),
    ("exec_id", Text),
    ("listing", Text),
    ("symbol", Text),
    ("side", Text),
    ("quantity", QuantityColumn),
    ("price", PriceColumn),
    ("commission", MoneyColumn),
    ("currency", Text),
    ("provenance", Text),
    ("at", UtcDateTime),
    ("received_at", UtcDateTime),
)

fills = tenant_table(
    "fills",
    Column("id", Text, primary_key=True),
    *(Column(name, kind, nullable=False) for name, kind in _FILL_COLUMNS),
    Column("round", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("tenant_id", "broker", "account_id", "exec_id"),
    Index("ix_fills_order", "tenant_id", "order_id"),
    Index("ix_fills_time", "tenant_id", "received_at"),
    Index("ix_fills_at", "portfolio_id", "at"),
    append_only=True,
)

disputed_fills = tenant_table(
    "disputed_fills",
    Column("id", Text, primary_key=True),
    *(Column(name, kind, nullable=False) for name, kind in _FILL_COLUMNS),
    Column("reason", Text, nullable=False),
    UniqueConstraint("tenant_id", "broker", "account_id", "exec_id"),
    append_only=True,
)

switches = tenant_table(
    "switches",
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "scope"),
    CheckConstraint(_one_of("state", ("ACTIVE", "REDUCE_ONLY", "HALTED")), name="state"),
)

day_loss_latches = tenant_table(
    "day_loss_latches",
    Column("portfolio_id", Text, primary_key=True),
    Column("session_date", Text, primary_key=True),
    Column("loss", MoneyColumn, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    append_only=True,
)

order_desks = tenant_table(
    "order_desks",
    Column("id", Text, primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("unready_reason", Text, nullable=False),
    lookup=True,
)
"""One row per tenant that ever proposed: the executor's list of desks, and the latest time seen."""
