"""Owns the database's own guards: append-only triggers, row-level security, roles, their lint."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, Table, text

from services.kit import planner
from services.kit.db import metadata
from services.kit.errors import refuse

_PG_DENY = """
CREATE OR REPLACE FUNCTION cornerman_deny() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'append-only: %', TG_TABLE_NAME; END $$"""
_PG_GREEN = """
CREATE OR REPLACE FUNCTION cornerman_green() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
IF NEW.kind <> 'cancel' AND NOT EXISTS (
  SELECT 1 FROM dq_snapshots s WHERE s.id = NEW.dq_snapshot_id AND s.green = 1
  AND s.tenant_id = NEW.tenant_id AND position('"' || coalesce(
    to_jsonb(NEW) ->> 'symbol', (to_jsonb(NEW) ->> 'order_json')::jsonb ->> 'symbol', ''
  ) || '"' IN s.symbols) > 0)
THEN RAISE EXCEPTION 'no green data-quality snapshot'; END IF; RETURN NEW; END $$"""

_REST = """substr(NEW.order_json, instr(NEW.order_json, '"symbol":"') + 10)"""
_SYMBOL_OF_ORDER = f"""substr({_REST}, 1, instr({_REST}, '"') - 1)"""
"""The symbol of a canonical order in SQLite, whose JSON functions no trigger may call here."""


def _flagged(flag: str) -> Iterator[Table]:
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        if table.info.get(flag):
            yield table


def install(connection: Connection, runtime_role: str | None = None) -> None:
    """Make every guard anew, and SQLite's figures; called after migrations, safe to repeat.

    `runtime_role` (PostgreSQL) gets the least rights the product runs on; it never owns a table.
    """
    existing = _existing_tables(connection)
    if connection.dialect.name == "sqlite":
        for name, sql in _sqlite_triggers().items():
            if name.rsplit("__", 1)[0] in existing:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
                connection.execute(text(sql))
        planner.install(connection)
        return
    connection.execute(text(_PG_DENY))
    connection.execute(text(_PG_GREEN))
    for statement in _postgres_statements(existing, runtime_role):
        connection.execute(text(statement))


def _sqlite_triggers() -> dict[str, str]:
    triggers: dict[str, str] = {}
    for table in _flagged("append_only"):
        name = table.name
        same_key = " AND ".join(f"{c.name} = NEW.{c.name}" for c in table.primary_key.columns)
        deny = f"BEGIN SELECT RAISE(ABORT, 'append-only: {name}'); END"
        triggers[f"{name}__no_update"] = (
            f"CREATE TRIGGER {name}__no_update BEFORE UPDATE ON {name} {deny}"
        )
        triggers[f"{name}__no_delete"] = (
            f"CREATE TRIGGER {name}__no_delete BEFORE DELETE ON {name} {deny}"
        )
        triggers[f"{name}__no_replace"] = (
            f"CREATE TRIGGER {name}__no_replace BEFORE INSERT ON {name} "  # noqa: S608 - names of our own tables
            f"WHEN EXISTS (SELECT 1 FROM {name} WHERE {same_key}) {deny}"
        )
    for table in _flagged("requires_green"):
        name = table.name
        symbol = "NEW.symbol" if "symbol" in table.c else _SYMBOL_OF_ORDER
        triggers[f"{name}__green"] = (
            f"CREATE TRIGGER {name}__green BEFORE INSERT ON {name} WHEN NEW.kind <> 'cancel' "  # noqa: S608 - names of our own tables
            "AND NOT EXISTS (SELECT 1 FROM dq_snapshots s WHERE s.id = NEW.dq_snapshot_id "
            "AND s.green = 1 AND s.tenant_id = NEW.tenant_id "
            f"AND instr(s.symbols, '\"' || ({symbol}) || '\"') > 0) "
            "BEGIN SELECT RAISE(ABORT, 'no green data-quality snapshot'); END"
        )
    return triggers


def _postgres_triggers() -> dict[str, str]:
    triggers: dict[str, str] = {}
    for table in _flagged("append_only"):
        name = table.name
        triggers[f"{name}__no_change"] = (
            f"CREATE TRIGGER {name}__no_change BEFORE UPDATE OR DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION cornerman_deny()"
        )
        triggers[f"{name}__no_truncate"] = (
            f"CREATE TRIGGER {name}__no_truncate BEFORE TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION cornerman_deny()"
        )
    for table in _flagged("requires_green"):
        name = table.name
        triggers[f"{name}__green"] = (
            f"CREATE TRIGGER {name}__green BEFORE INSERT ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION cornerman_green()"
        )
    return triggers


def _postgres_statements(existing: frozenset[str], runtime_role: str | None) -> Iterator[str]:
    for name, sql in _postgres_triggers().items():
        owner = name.rsplit("__", 1)[0]
        if owner in existing:
            yield f"DROP TRIGGER IF EXISTS {name} ON {owner}"
            yield sql
    for table in _flagged("tenant"):
        if table.name in existing:
            yield from _row_level_security(table)
    if runtime_role:
        yield from _grants(existing, runtime_role)


def _row_level_security(table: Table) -> Iterator[str]:
    name = table.name
    seen = "tenant_id = nullif(current_setting('app.tenant', true), '')"
    if table.info.get("lookup"):
        seen = f"({seen} OR current_setting('app.system', true) = 'on')"
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS {name}__tenant ON {name}"
    yield f"CREATE POLICY {name}__tenant ON {name} USING ({seen}) WITH CHECK ({seen})"


def _grants(existing: frozenset[str], role: str) -> Iterator[str]:
    quoted = '"' + role.replace('"', '""') + '"'
    yield f"GRANT USAGE ON SCHEMA public TO {quoted}"
    yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}"
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        if table.name in existing:
            rights = (
                "SELECT, INSERT"
                if table.info.get("append_only")
                else "SELECT, INSERT, UPDATE, DELETE"
            )
            yield f"REVOKE ALL ON {table.name} FROM {quoted}"
            yield f"GRANT {rights} ON {table.name} TO {quoted}"
    yield f"GRANT SELECT ON alembic_version TO {quoted}"


def _existing_tables(connection: Connection) -> frozenset[str]:
    sql = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if connection.dialect.name == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    return frozenset(row[0] for row in connection.execute(text(sql)))


def missing(connection: Connection) -> list[str]:
    """Return the names of guards that should exist and do not, sorted."""
    if connection.dialect.name == "sqlite":
        present = {
            row[0]
            for row in connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            )
        }
        return sorted(set(_sqlite_triggers()) - present)
    present = {
        row[0]
        for row in connection.execute(
            text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'")
        )
    }
    secured = {
        row[0]
        for row in connection.execute(
            text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        )
    }
    policies = {row[0] for row in connection.execute(text("SELECT policyname FROM pg_policies"))}
    return sorted(
        (set(_postgres_triggers()) - present)
        | {f"rls {t.name}" for t in _flagged("tenant") if t.name not in secured}
        | {f"{t.name}__tenant" for t in _flagged("tenant") if f"{t.name}__tenant" not in policies}
    )


def require(connection: Connection) -> None:
    """Raise `GUARDS_MISSING` unless every guard is in place; the boot's lint."""
    names = missing(connection)
    if names:
        raise refuse("GUARDS_MISSING", names=", ".join(names[:10]))
