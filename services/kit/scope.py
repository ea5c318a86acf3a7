"""Owns the tenant predicate: which tables of a statement it reaches, and the statement with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, bindparam
from sqlalchemy.sql import Delete, Select, Update
from sqlalchemy.sql.expression import FromClause, Join
from sqlalchemy.sql.visitors import iterate

Statement = Select[Any] | Update | Delete
TENANT = "scope_tenant_id"
"""The parameter of a constant statement that names the tenant."""


def sources(statement: Select[Any]) -> dict[FromClause, None]:
    """Return every table of the statement's own FROM, in order of appearance.

    The same tables as `get_final_froms()`, which compiles the statement and costs as much as
    running it; a test compares the two over the shapes that are used.
    """
    found: dict[FromClause, None] = {}
    for part in (*statement._raw_columns, *statement._where_criteria, *statement._from_obj):  # noqa: SLF001
        for source in part._from_objects:  # noqa: SLF001
            found.update(dict.fromkeys(tables_of(source)))
    for join in statement._setup_joins:  # noqa: SLF001
        if isinstance(join[0], FromClause):
            found.update(dict.fromkeys(tables_of(join[0])))
    return found


def tables_of(source: FromClause) -> Iterator[FromClause]:
    """Yield the tables of one source that hold tenants' rows; a join is taken apart."""
    if isinstance(source, Join):
        yield from tables_of(source.left)
        yield from tables_of(source.right)
    elif "tenant_id" in source.c:
        yield source


@lru_cache(maxsize=1024)
def tables_read(statement: Select[Any]) -> frozenset[Table]:
    """Return every table that a constant statement reads, those of its subqueries too."""
    parts = tuple(iterate(statement))
    columns = (one.table for one in parts if isinstance(one, Column))
    return frozenset(one for one in (*parts, *columns) if isinstance(one, Table))


def _scope_of(statement: Statement) -> Iterable[FromClause]:
    if isinstance(statement, Select):
        return sources(statement)
    return (statement.table,) if "tenant_id" in statement.table.c else ()


@lru_cache(maxsize=1024)
def _is_of(table: FromClause, tenant_id: str) -> ColumnElement[bool]:
    return table.c.tenant_id == tenant_id


@lru_cache(maxsize=1024)
def constant_of_tenant(statement: Statement) -> Statement:
    """Return a constant statement for the rows of the tenant that its parameter `TENANT` names."""
    for table in _scope_of(statement):
        statement = statement.where(table.c.tenant_id == bindparam(TENANT))
    return statement


def of_tenant(statement: Statement, tenant_id: str) -> Statement:
    """Return the statement for one tenant's rows."""
    for table in _scope_of(statement):
        statement = statement.where(_is_of(table, tenant_id))
    return statement
