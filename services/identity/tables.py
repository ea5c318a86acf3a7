"""Owns the identity tables; secrets are stored as their SHA-256, passwords as argon2."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Text, UniqueConstraint

from services.kit.db import UtcDateTime, shared_table, tenant_table

tenants = shared_table(
    "tenants",
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
)

users = tenant_table(
    "users",
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text),
    Column("scopes", Text, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("disabled_at", UtcDateTime()),
    UniqueConstraint("name", name="uq_users_name"),
    lookup=True,
)

sessions = tenant_table(
    "sessions",
    Column("id", Text, primary_key=True),
    Column("secret_sha256", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("surface", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("seen_at", UtcDateTime(), nullable=False),
    Column("fresh_until", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime()),
    Column("revoked_at", UtcDateTime()),
    UniqueConstraint("secret_sha256", name="uq_sessions_secret_sha256"),
    CheckConstraint("surface IN ('web', 'frame', 'cli')", name="surface"),
    lookup=True,
)

tickets = tenant_table(
    "tickets",
    Column("secret_sha256", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("surface", Text, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("used_at", UtcDateTime()),
    CheckConstraint("purpose IN ('login', 'ws')", name="purpose"),
    lookup=True,
)

api_keys = tenant_table(
    "api_keys",
    Column("id", Text, primary_key=True),
    Column("secret_sha256", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("used_at", UtcDateTime()),
    Column("revoked_at", UtcDateTime()),
    lookup=True,
)
