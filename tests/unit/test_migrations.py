"""Migrations: up, down and up again on both engines, guards after each, one head, models equal."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from services import schema
from services.kit import guards
from services.kit.db import Database, build_engine, metadata
from services.kit.errors import Refusal
from tests import postgres

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"m{os.getpid()}_{abs(hash(request.node.name)) % 10**8}"
    with psycopg.connect(server.admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER {postgres.OWNER}")
    yield server.url(name, postgres.OWNER)
    postgres.drop_database(server, name)


def role_of(url):
    return postgres.RUNTIME if url.startswith("postgresql") else None


def missing_guards(url):
    engine = build_engine(url)
    try:
        with engine.connect() as connection:
            return guards.missing(connection)
    finally:
        engine.dispose()


def tables(url):
    engine = build_engine(url)
    try:
        return set(inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def test_up_down_and_up_again_leaves_every_table_and_guard(empty_url):
    schema.upgrade(empty_url, runtime_role=role_of(empty_url))
    assert tables(empty_url) == set(metadata.tables)
    assert missing_guards(empty_url) == []
    schema.downgrade(empty_url, "base")
    assert tables(empty_url) == set()
    schema.upgrade(empty_url, runtime_role=role_of(empty_url))
    assert tables(empty_url) == set(metadata.tables)
    assert missing_guards(empty_url) == []


def test_the_migrated_database_equals_the_tables_in_code(empty_url):
    schema.upgrade(empty_url)
    schema.check_models(empty_url)


@pytest.mark.fault("F077")
def test_a_second_upgrade_is_harmless_and_repairs_guards(empty_url):
    schema.upgrade(empty_url)
    if empty_url.startswith("sqlite"):
        engine = build_engine(empty_url)
        with engine.begin() as connection:
            connection.execute(text("DROP TRIGGER ledger_entries__no_update"))
        engine.dispose()
        assert missing_guards(empty_url) == ["ledger_entries__no_update"]
    schema.upgrade(empty_url)
    assert missing_guards(empty_url) == []


@pytest.mark.fault("F078")
def test_every_revision_leaves_the_guards_of_its_tables(empty_url):
    script = ScriptDirectory(str(schema.MIGRATIONS))
    for revision in reversed(list(script.walk_revisions())):
        schema.upgrade(empty_url, revision=revision.revision)
        assert not [
            name
            for name in missing_guards(empty_url)
            if name.split("__")[0].removeprefix("rls ") in tables(empty_url)
        ]


def test_there_is_one_head_and_every_revision_can_go_back():
    script = ScriptDirectory.from_config(_config())
    assert script.get_heads() == [schema.head()]
    for revision in script.walk_revisions():
        assert callable(revision.module.downgrade)


def _config():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    return config


def test_a_program_refuses_an_empty_or_older_database(tmp_path):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    database = Database(url)
    with pytest.raises(Refusal, match="SCHEMA_WRONG"):
        schema.require_current(database)
    schema.upgrade(url)
    schema.require_current(database)
    with database.write(None) as db:
        db.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refusal, match="SCHEMA_WRONG"):
        schema.require_current(database)
    database.close()


def test_a_bare_alembic_upgrade_head_works_from_the_checkout(tmp_path):
    environment = {**os.environ, "CORNERMAN_HOME": str(tmp_path)}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("alembic")), "upgrade", "head"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert tables(f"sqlite:///{tmp_path / 'cornerman.db'}") == set(metadata.tables)


def test_the_runtime_role_owns_nothing_and_may_only_insert_into_append_only_tables(postgres_server):
    name = f"g{os.getpid()}"
    runtime_url, _ = postgres.fresh_database(postgres_server, name)
    with psycopg.connect(runtime_url) as connection:
        owned = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE tableowner = current_user"
        ).fetchone()
        assert owned == (0,)
        for table in metadata.tables.values():
            rights = connection.execute(
                "SELECT has_table_privilege(%s, 'UPDATE'), has_table_privilege(%s, 'TRUNCATE')",
                (table.name, table.name),
            ).fetchone()
            assert rights == (not table.info.get("append_only", False), False), table.name
    postgres.drop_database(postgres_server, name)
