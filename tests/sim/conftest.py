"""Owns the one database file per process that every simulated run starts anew in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.storage import Storage


@pytest.fixture(scope="session")
def storage(migrated_file) -> Iterator[Storage]:
    made = Storage(migrated_file)
    yield made
    made.close()
