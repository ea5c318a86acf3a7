"""Owns the whole schema: every room's tables in one place, migrating to it, and the boot check."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from services.kit import guards
from services.kit.db import Database, build_engine, metadata
from services.kit.errors import refuse

if TYPE_CHECKING:
    from alembic.config import Config

ROOMS_WITH_TABLES = (
    "services.alerts.tables",
    "services.audit",
    "services.identity.tables",
    "services.journal",
    "services.preference",
    "services.chat",
    "services.kit.idempotency",
    "services.kit.lease",
    "services.kit.outbox",
    "services.ledger.tables",
    "services.market.quality_tables",
    "services.market.store_tables",
    "services.market.tables",
    "services.orders.account_tables",
    "services.orders.change_tables",
    "services.orders.preview_tables",
    "services.orders.tables",
    "services.research.suggestion_tables",
    "services.research.tables",
    "services.strategy.document_tables",
    "services.task_run",
    "services.trade.plan_tables",
    "services.trade.position_stop_tables",
    "services.trade.risk_tables",
    "services.trade.tables",
    "services.watchlist",
)
for _room in ROOMS_WITH_TABLES:
    importlib.import_module(_room)

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def upgrade(url: str, *, runtime_role: str | None = None, revision: str = "head") -> None:
    """Bring the database at `url` (the owner's URL) to `revision` and make its guards anew."""
    from alembic import command

    command.upgrade(_config(url, runtime_role), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision`; for development and the migration tests."""
    from alembic import command

    command.downgrade(_config(url, None), revision)


def check_models(url: str) -> None:
    """Raise when the migrated database differs from the tables in code (`alembic check`)."""
    from alembic import command

    command.check(_config(url, None))


def _config(url: str, runtime_role: str | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(url=url, runtime_role=runtime_role)
    return config


def run_migrations(config_attributes: dict[str, object], url: str) -> None:
    """Run the pending migrations on one connection, then the guards; called by `env.py`."""
    from alembic import context

    engine = build_engine(str(config_attributes.get("url") or url))
    role = config_attributes.get("runtime_role")
    try:
        with engine.connect() as connection, connection.begin():
            context.configure(
                connection=connection,
                target_metadata=metadata,
                render_as_batch=True,
                compare_type=False,
            )
            with context.begin_transaction():
                context.run_migrations()
                guards.install(connection, str(role) if role else None)
    finally:
        engine.dispose()


def head() -> str:
    """Return the newest revision, read from the file names: `NNNN_title.py`."""
    return max(path.stem.split("_", 1)[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current(connection: Connection) -> str:
    """Return the database's revision, or `empty`."""
    try:
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    except SQLAlchemyError:
        return "empty"
    return str(row[0]) if row else "empty"


def require_current(database: Database) -> None:
    """Refuse to start on another schema than this program's, or without its guards.

    Raises `SCHEMA_WRONG` and `GUARDS_MISSING`.
    """
    with database.engine.connect() as connection:
        have = current(connection)
    if have != head():
        raise refuse("SCHEMA_WRONG", have=have, need=head())
    with database.engine.connect() as connection:
        guards.require(connection)


def runtime_role_of(runtime_url: str, owner_url: str) -> str | None:
    """Return the runtime role's name when it differs from the owner's, else None."""
    runtime, owner = make_url(runtime_url), make_url(owner_url)
    return runtime.username if runtime.username != owner.username else None
