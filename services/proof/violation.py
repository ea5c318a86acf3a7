"""Owns the violation of an invariant, and reading the rows that every check needs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, Table, select
from sqlalchemy.engine import Row

from services.kit.context import Context
from services.kit.db import metadata


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that can never be so: which invariant, what is wrong, and the rows it is about."""

    id: str
    what: str
    refs: tuple[str, ...] = ()


Violations = Iterator[Violation]


_ROWS_KEPT_MAX = 10_000
"""Rows of one table that stay in memory for the next check; a larger table is read again."""
_kept: ContextVar[dict[Table, list[Row[Any]]] | None] = ContextVar("kept", default=None)


@contextmanager
def one_reading() -> Iterator[None]:
    """Let every check of this block that asks for a table share one reading of its rows.

    For a transaction in which nothing is written meanwhile.
    """
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def all_rows(ctx: Context, table: Table) -> list[Row[Any]]:
    """Return every row of the tenant, in the order of the primary key; not to be changed."""
    kept = _kept.get()
    if kept is not None and table in kept:
        return kept[table]
    rows = ctx.db.rows(_whole(table))
    if kept is not None and len(rows) <= _ROWS_KEPT_MAX:
        kept[table] = rows
    return rows


@cache
def _whole(table: Table) -> Select[Any]:
    return select(table).order_by(*table.primary_key.columns)


def find_table(name: str) -> Table | None:
    """Return the table `name`, or None when no room that is loaded has it."""
    return metadata.tables.get(name)


def read_object(text: str) -> dict[str, Any] | None:
    """Return a stored JSON object, or None when the text is none."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def repeated(keys: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the keys that occur more than once, sorted."""
    return sorted(key for key, count in Counter(keys).items() if count > 1)
