"""Owns the rows of alerts: the alerts themselves, their triggers, and the notification feed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Text, UniqueConstraint, text

from services.kit.db import FractionColumn, PriceColumn, UtcDateTime, tenant_table

alerts = tenant_table(
    "alerts",
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("symbol", Text, nullable=False, index=True),
    Column("listing", Text, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("level", PriceColumn, nullable=False),
    Column("threshold_pct", FractionColumn, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("latency", Text, nullable=False),
    Column("hysteresis", PriceColumn, nullable=False),
    Column("cooldown_s", Integer, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("ref_price", PriceColumn, nullable=False),
    Column("note", Text, nullable=False),
    Column("note_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("watched_from", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("last_close", PriceColumn, nullable=False),
    Column("last_bar_at", UtcDateTime),
    Column("last_event_at", UtcDateTime),
    Column("suppressed", Integer, nullable=False),
    Column("flags", Text, nullable=False),
    Column("memory", Text, nullable=False),
    Column("round", Integer, nullable=False),
    Column("first_triggered_at", UtcDateTime),
    Column("triggers", Integer, nullable=False),
    Column("same_key", Text),
    Column("version", Integer, nullable=False),
    Column("subject", Text, nullable=False, server_default=text("''")),
    Column("terms", Text, nullable=False, server_default=text("''")),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    UniqueConstraint("tenant_id", "same_key"),
    CheckConstraint(
        "kind IN ('price_above', 'price_below', 'vwap_cross', 'rvol_above', 'plan_event', 'risk')",
        name="kind",
    ),
    CheckConstraint("side IN ('above', 'below')", name="side"),
    CheckConstraint(
        "state IN ('armed', 'waiting_reset', 'fired_wait', 'done', 'expired', 'paused')",
        name="state",
    ),
    CheckConstraint("timeframe IN ('minute', 'day')", name="timeframe"),
    CheckConstraint("repeat IN (0, 1)", name="repeat"),
)
"""`same_key` is set while the alert is active, so that the same alert stands once. Times but
`updated_at` and `deleted_at` are the market's. `memory` is what a kind needs of earlier bars.
`subject` is the plan or the portfolio that a `plan_event` or `risk` alert watches, `terms` what
it took from it when it was set."""

alert_triggers = tenant_table(
    "alert_triggers",
    Column("id", Text, primary_key=True),
    Column("event_key", Text, nullable=False),
    Column("alert_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("bar_open", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("price", PriceColumn, nullable=False),
    Column("gap", Integer, nullable=False),
    Column("provisional", Integer, nullable=False),
    Column("late_s", Integer, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("what", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("tenant_id", "event_key"),
    Index("ix_alert_triggers_of", "tenant_id", "alert_id", "at"),
    CheckConstraint("gap IN (0, 1)", name="gap"),
    CheckConstraint("provisional IN (0, 1)", name="provisional"),
)
"""One row per event; `event_key` makes once mean once, whoever evaluates. `what` names the moment
of a plan or the state of risk."""

notifications = tenant_table(
    "notifications",
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("level", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("next_action", Text),
    Column("dedupe_key", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("read_at", UtcDateTime),
    UniqueConstraint("tenant_id", "dedupe_key"),
    CheckConstraint("level IN ('info', 'warning', 'critical')", name="level"),
    Index("ix_notifications_newest", "tenant_id", "seq"),
)
"""The feed of what a person should know, in the order it was told."""
