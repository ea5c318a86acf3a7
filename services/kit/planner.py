"""Owns the figures that SQLite plans its reads by: the same for every database, full or empty.

Every statement names its tenant, and a file has few of them. Without figures SQLite takes the
index of the tenant to be the narrowest there is, and reads whole tables through it. Figures that
it would gather itself depend on what a file held when it looked; these do not, so neither do the
plans. PostgreSQL gathers its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

ROWS = 1_000_000
"""Rows that each table is planned for."""
_WHOLE = ("tenant_id",)
_BROAD = ("portfolio_id", "account_id", "broker", "chain", "user_id")
"""Columns of one value, and of few: nine rows in ten share one. All others have a thousand."""


def install(connection: Connection) -> None:
    """Write the figures anew, of every index there is; connections that open later plan by them."""
    if connection.dialect.name != "sqlite":
        return
    connection.execute(text("ANALYZE alembic_version"))  # the table of figures exists from then on
    connection.execute(text("DELETE FROM sqlite_stat1"))
    found = [{"t": table, "i": index, "s": stat} for table, index, stat in _figures(connection)]
    connection.execute(text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:t, :i, :s)"), found)


def index_figures(columns: tuple[str, ...], *, unique: bool) -> str:
    """Return the rows of a table, then how many share the first column's value, the first two's...

    Worked: a unique index of tenant and key has 1000000 rows, 1000000 of a tenant, and 1 of both.
    """
    figures, left = [ROWS], ROWS
    for at, name in enumerate(columns, 1):
        left = left if name in _WHOLE else left * 9 // 10 if name in _BROAD else left // 1000
        left = 1 if unique and at == len(columns) else max(1, left)
        figures.append(left)
    return " ".join(map(str, figures))


def _figures(connection: Connection) -> Iterator[tuple[str, str, str]]:
    tables = connection.execute(
        text("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
    )
    for (table,) in tables.all():
        for row in connection.exec_driver_sql(f"PRAGMA index_list('{table}')").all():
            parts = connection.exec_driver_sql(f"PRAGMA index_info('{row[1]}')").all()
            columns = tuple(str(part[2]) for part in parts)
            yield table, row[1], index_figures(columns, unique=bool(row[2]))
