"""Owns the invariant of secrecy: no token, key or configured secret in a stored text (I10)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr
from sqlalchemy import LargeBinary, Table, Text
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.redact import TOKEN
from services.kit.settings import Settings
from services.proof.violation import Violation, Violations, all_rows, find_table

SCANNED = (
    "audit_events",
    "outbox",
    "idempotency",
    "proposals",
    "order_intents",
    "submit_attempts",
    "trade_advice",
    "journal_entries",
    "journal_notes",
    "journal_note_versions",
    "app_settings",
    "switches",
    "coach_events",
    "coach_entries",
    "coach_conversations",
    "coach_runs",
    "coach_requests",
)
"""Tables whose texts came from people, models or services."""
_API_KEY = re.compile(r"ck_[A-Za-z0-9]{4,40}_[A-Za-z0-9_-]{20,}")
_SECRET_MIN = 8


def no_secret_is_stored(ctx: Context) -> Violations:
    """Yield I10: a confirmation token, an API key, or a secret of the settings in a stored text."""
    secrets = _configured(ctx.settings)
    for name in SCANNED:
        table = find_table(name)
        for row in [] if table is None else all_rows(ctx, table):
            for column, text in _texts(row, table):
                what = _found(text, secrets)
                if what:
                    yield Violation("I10", f"{what} stands in {name}.{column}", _key(row, table))


def _configured(settings: Settings) -> tuple[str, ...]:
    given = (getattr(settings, name) for name in type(settings).model_fields)
    values = (one.get_secret_value() for one in given if isinstance(one, SecretStr))
    return tuple(value for value in values if len(value) >= _SECRET_MIN)


def _texts(row: Row[Any], table: Table | None) -> Iterator[tuple[str, str]]:
    for column in () if table is None else table.columns:
        value = getattr(row, column.name)
        if isinstance(column.type, Text) and value:
            yield column.name, value
        elif isinstance(column.type, LargeBinary) and value:
            yield column.name, zlib.decompress(value).decode("utf-8", "replace")


def _found(text: str, secrets: tuple[str, ...]) -> str:
    if TOKEN.search(text):
        return "a confirmation token"
    if _API_KEY.search(text):
        return "an API key"
    return "a configured secret" if any(secret in text for secret in secrets) else ""


def _key(row: Row[Any], table: Table | None) -> tuple[str, ...]:
    columns = () if table is None else table.primary_key.columns
    return tuple(str(getattr(row, column.name)) for column in columns)
