"""Owns the simulator's database: a real SQLite file in memory, copied per run, that can fail."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services import schema
from services.kit.clock import HandClock
from services.kit.db import Database, Db
from services.kit.errors import refuse
from tests import postgres
from tests.sim.adapter import Weather

_SLOW_S = 4
"""Longer than the lease of a claim."""


class SimDatabase(Database):
    """The product's database whose writes fail as the step says: before, at or after the commit."""

    weather: Weather
    clock: HandClock
    changes = 0
    """How many transactions have changed a row; what was read at one count is true at the same."""

    @contextmanager
    def write(self, tenant_id: str | None) -> Iterator[Db]:
        """Open a writing transaction, unless the weather is against it."""
        fault = self.weather.strike("write")
        if fault == "before":
            raise refuse("DATABASE_BUSY")
        with super().write(tenant_id) as db:
            rows = _rows_changed(db)
            try:
                yield db
            finally:
                self.changes += _rows_changed(db) != rows
            if fault == "commit":
                raise refuse("DATABASE_UNAVAILABLE", reason="the commit was refused")
        if fault == "slow":
            self.clock.advance(seconds=_SLOW_S)
        if fault == "after":
            raise refuse("DATABASE_UNAVAILABLE", reason="the answer to the commit was lost")


def _rows_changed(db: Db) -> int:
    """Return how many rows this connection has ever inserted, updated or deleted."""
    opened: sqlite3.Connection = db.connection.connection.driver_connection
    return opened.total_changes


class Storage:
    """One home and one engine per process; `fresh` gives every run an empty migrated database."""

    def __init__(self, template: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sim-", dir=postgres.memory_folder()))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self.home = self._folder / "home"
        self.home.mkdir()
        self._template = self._folder / "template.db"
        if template is None:
            schema.upgrade(f"sqlite:///{self._template}")
        else:
            shutil.copyfile(template, self._template)
        self.database = SimDatabase(f"sqlite:///{self.home / 'cornerman.db'}")

    def fresh(self) -> SimDatabase:
        """Return the engine over a new copy of the template; keys and compiled statements stay."""
        self.database.close()
        for left in sorted(self.home.iterdir()):
            if left.is_dir():
                shutil.rmtree(left)
            elif left.suffix != ".key":
                left.unlink()
        shutil.copyfile(self._template, self.home / "cornerman.db")
        return self.database

    def close(self) -> None:
        """Remove everything."""
        self.database.close()
        shutil.rmtree(self._folder, ignore_errors=True)
