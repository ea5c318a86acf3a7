"""Owns the database: column types, tables, the engine, and one transaction seen by one tenant."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    CursorResult,
    Dialect,
    Engine,
    Insert,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine import Row
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql import Delete, Select, Update
from sqlalchemy.types import TypeDecorator

from services.kit.clock import from_micros, to_micros
from services.kit.errors import Refusal, check, refuse
from services.kit.scope import TENANT, Statement, constant_of_tenant, of_tenant, tables_read

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Every table of the product; migrations create exactly these."""

_INT64_MAX = 2**63 - 1
_KNOWN_MAX, _KNOWN_ROWS_MAX = 256, 64
"""Answers that a transaction remembers, and the most rows of each; what is longer is read again."""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, stored as whole microseconds since 1970 UTC; naive times are refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the stored microseconds."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the aware UTC time."""
        return None if value is None else from_micros(value)


class Scaled(TypeDecorator[Decimal]):
    """A Decimal stored as an integer of 10^-places; anything inexact or too large is refused."""

    impl = BigInteger
    cache_ok = True

    def __init__(self, places: int) -> None:
        super().__init__()
        self.places = places

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the scaled integer. Raises `AMOUNT_INEXACT` and `AMOUNT_RANGE`."""
        if value is None:
            return None
        check(isinstance(value, Decimal), "only a Decimal fits a scaled column", got=type(value))
        shifted = value.scaleb(self.places)
        number = int(shifted)
        if number != shifted:
            raise refuse("AMOUNT_INEXACT", field="amount", value=str(value), places=self.places)
        if abs(number) > _INT64_MAX:
            raise refuse(
                "AMOUNT_RANGE",
                field="amount",
                value=str(value),
                lo="-9.2e18 scaled",
                hi="9.2e18 scaled",
            )
        return number

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Return the exact Decimal."""
        return None if value is None else Decimal(int(value)).scaleb(-self.places) + 0


MoneyColumn = Scaled(6)
QuantityColumn = Scaled(8)
PriceColumn = Scaled(8)
FxColumn = Scaled(10)
FractionColumn = Scaled(6)


def tenant_table(
    name: str, *items: SchemaItem, append_only: bool = False, lookup: bool = False
) -> Table:
    """Return a table whose rows belong to a tenant; guards and row-level security follow the flags.

    `append_only` rows can never be changed or deleted. `lookup` tables (sessions, keys) may also be
    read by the system before the tenant is known.
    """
    return Table(
        name,
        metadata,
        Column("tenant_id", Text, nullable=False, index=True),
        *items,
        info={"tenant": True, "append_only": append_only, "lookup": lookup},
    )


def shared_table(name: str, *items: SchemaItem, append_only: bool = False) -> Table:
    """Return a table without a tenant: market data and machinery that hold nobody's secrets."""
    return Table(name, metadata, *items, info={"append_only": append_only})


@cache
def _insert_into(table: Table) -> Insert:
    return table.insert()


class Db:
    """One open transaction. Every statement sees the rows of its one tenant only.

    A constant statement with the same `values` is read once until this transaction writes to one
    of its tables, or waits for a lock: nothing that it could see has changed since.
    `tenant_id` None is the system's view: it reaches shared and lookup tables; on PostgreSQL
    row-level security hides all other tenant rows from it.
    """

    def __init__(self, connection: Connection, tenant_id: str | None) -> None:
        self.connection = connection
        self.tenant_id = tenant_id
        self._after_commit: list[Callable[[], None]] = []
        self._wakes: dict[tuple[str, str], Callable[[], None]] = {}
        self._known: dict[tuple[Any, ...], Sequence[Row[Any]]] = {}

    @property
    def dialect(self) -> str:
        """Return `sqlite` or `postgresql`."""
        return self.connection.dialect.name

    @property
    def writing(self) -> bool:
        """Return True in a transaction that was opened to write."""
        return bool(self.connection.get_execution_options().get("cornerman_write", True))

    def rows(self, statement: Select[Any], **values: object) -> list[Row[Any]]:
        """Return all rows, in the statement's order.

        `values` fill the `bindparam`s (named unlike columns) of a statement that is a constant of
        its module: it is scoped and compiled once.
        """
        return list(self._read(statement, values, whole=True))

    def row(self, statement: Select[Any], **values: object) -> Row[Any] | None:
        """Return the first row or None; `values` as in `rows`."""
        found = self._read(statement, values, whole=False)
        return found[0] if found else None

    def scalar(self, statement: Select[Any], **values: object) -> Any:
        """Return the first column of the first row, or None."""
        row = self.row(statement, **values)
        return None if row is None else row[0]

    def insert(self, table: Table, *rows: dict[str, Any]) -> None:
        """Insert `rows`; the tenant is filled in, another one is a bug."""
        check(rows, "insert needs a row", table=table.name)
        self._forget(table)
        if "tenant_id" in table.c:
            check(
                self.tenant_id is not None or table.info.get("lookup"),
                "a tenant row needs a tenant",
                table=table.name,
            )
            if self.tenant_id is not None:
                rows = tuple({**row, "tenant_id": self.tenant_id} for row in rows)
        self.connection.execute(_insert_into(table), list(rows) if len(rows) > 1 else rows[0])

    def change(self, statement: Update | Delete, **values: object) -> int:
        """Run an update or delete inside the tenant; return the number of rows it hit."""
        self._forget(statement.table)
        return self._run(statement, values).rowcount

    def changed(self, statement: Update, **values: object) -> Row[Any] | None:
        """Run an update with RETURNING inside the tenant; return the first row it hit, or None."""
        self._forget(statement.table)
        return self._run(statement, values).first()

    def lock(self, name: str) -> None:
        """Serialise writers of `name` until commit; SQLite has one writer anyway."""
        if self.dialect == "postgresql":
            self._known.clear()
            self.connection.execute(
                text("SELECT pg_advisory_xact_lock(hashtextextended(:n, 0))"), {"n": name}
            )

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once this transaction is durable; never when it rolls back."""
        self._after_commit.append(callback)

    def wake_after_commit(self, topic: str, key: str, callback: Callable[[], None]) -> None:
        """Call `callback` once for `topic` and `key`, ahead of the others of `after_commit`.

        Who is woken reads what this transaction wrote, while the rest is done here.
        """
        self._wakes[topic, key] = callback

    def run_after_commit(self) -> None:
        """Run the callbacks in order, wake-ups first; the database calls it after its commit."""
        for callback in (*self._wakes.values(), *self._after_commit):
            callback()

    def _read(
        self, statement: Select[Any], values: Mapping[str, object], *, whole: bool
    ) -> Sequence[Row[Any]]:
        """Return all rows, or at most the first; a constant's are remembered until a write."""
        asked = (tuple(one) if isinstance(one, list) else one for one in values.values())
        key = (statement, whole, *values, *asked)
        known = self._known.get(key) if values else None
        if known is None:
            result = self._run(statement, values)
            first = None if whole else result.first()
            known = result.all() if whole else () if first is None else (first,)
            if values and len(known) <= _KNOWN_ROWS_MAX and len(self._known) < _KNOWN_MAX:
                self._known[key] = known
        return known

    def _forget(self, table: object) -> None:
        """Forget what was read of a table that is about to change."""
        if self._known:
            self._known = {
                key: rows for key, rows in self._known.items() if table not in tables_read(key[0])
            }

    def _run(self, statement: Statement, values: Mapping[str, object]) -> CursorResult[Any]:
        if self.tenant_id is None:
            return self.connection.execute(statement, values)
        if values:
            scoped = constant_of_tenant(statement)
            return self.connection.execute(scoped, {**values, TENANT: self.tenant_id})
        return self.connection.execute(of_tenant(statement, self.tenant_id))


class Database:
    """The engine and the two ways to open a transaction: `write` and `read`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = build_engine(url, listened=False)
        self.dialect = self.engine.dialect.name
        self._writer = threading.Lock()

    @contextmanager
    def write(self, tenant_id: str | None) -> Iterator[Db]:
        """Open a writing transaction; it commits at the end of the block, or rolls back.

        SQLite takes its write lock at the start (`BEGIN IMMEDIATE`), and writers of this process
        queue on a lock of their own instead of polling the file.
        Raises `DATABASE_BUSY` and `DATABASE_UNAVAILABLE`.
        """
        if self.dialect == "sqlite":
            with self._writer:
                db = yield from self._transaction(tenant_id, write=True)
        else:
            db = yield from self._transaction(tenant_id, write=True)
        db.run_after_commit()

    @contextmanager
    def read(self, tenant_id: str | None) -> Iterator[Db]:
        """Open a reading transaction: one consistent view, never blocked by writers on SQLite."""
        yield from self._transaction(tenant_id, write=False)

    def _transaction(self, tenant_id: str | None, *, write: bool) -> Generator[Db, None, Db]:
        try:
            with (
                self.engine.connect().execution_options(cornerman_write=write) as connection,
                connection.begin(),
            ):
                if self.dialect == "postgresql":
                    _announce(connection, tenant_id)
                else:
                    _begin_sqlite(connection)
                db = Db(connection, tenant_id)
                yield db
        except OperationalError as error:
            refusal = _database_refusal(error)
            if refusal is None:
                raise
            raise refusal from error
        return db

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _announce(connection: Connection, tenant_id: str | None) -> None:
    connection.execute(
        text(
            "SELECT set_config('app.tenant', :tenant, true), set_config('app.system', :sys, true)"
        ),
        {"tenant": tenant_id or "", "sys": "on" if tenant_id is None else "off"},
    )


_BUSY = ("locked", "busy", "deadlock", "could not serialize")
_UNAVAILABLE = (
    "unable to open",
    "readonly",
    "read-only",
    "disk",
    "i/o error",
    "connection",
    "server closed",
    "terminating",
    "shutting down",
    "starting up",
    "malformed",
)


def _database_refusal(error: OperationalError) -> Refusal | None:
    said = str(error.orig).lower()
    if any(word in said for word in _BUSY):
        return refuse("DATABASE_BUSY")
    if any(word in said for word in _UNAVAILABLE):
        return refuse("DATABASE_UNAVAILABLE", reason=type(error.orig).__name__)
    return None


def build_engine(url: str, *, listened: bool = True) -> Engine:
    """Return an engine with the traps of its dialect closed; see `docs/adr`.

    Not `listened` leaves the BEGIN of SQLite to the caller: a listener on an engine costs every
    statement of it a sixth of its time.

    SQLite: transactions begin when we say so, WAL, synchronous FULL, foreign keys, recursive
    triggers, no trusted schema, 30 s busy timeout. `postgresql://` uses psycopg 3.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed,
            connect_args={"check_same_thread": False, "timeout": 30},
            pool_size=16,
            max_overflow=16,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        if listened:
            event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=8,
        max_overflow=8,
        pool_pre_ping=True,
        connect_args={"options": "-c timezone=UTC -c lock_timeout=30s"},
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (
        "foreign_keys=ON",
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=30000",
        "recursive_triggers=ON",
        "trusted_schema=OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("cornerman_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
