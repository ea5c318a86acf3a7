"""A disk that is full, closed or busy gives a typed refusal, changes nothing and heals by itself."""

import sqlite3
from contextlib import contextmanager

import pytest
from sqlalchemy import event, func, select

from services import audit
from services.kit.errors import Refusal
from tests.conftest import build_runtime


@contextmanager
def storage(database, wound: str, healed: str):
    """Every connection taken meanwhile is wounded by one pragma, and healed afterwards."""

    def taken(connection, _record, _proxy):
        connection.execute(wound)

    def given_back(connection, _record):
        connection.execute(healed)

    event.listen(database.engine, "checkout", taken)
    event.listen(database.engine, "checkin", given_back)
    yield
    event.remove(database.engine, "checkout", taken)
    event.remove(database.engine, "checkin", given_back)


@pytest.fixture
def runtime(database, clock, settings):
    return build_runtime(database, clock, settings)


def note(runtime, owner, size=10):
    runtime.write(owner, lambda ctx: audit.record(ctx, "noted", "s", text="x" * size))


def events(runtime, owner):
    return runtime.read(
        owner, lambda ctx: ctx.db.scalar(select(func.count()).select_from(audit.audit_events))
    )


@pytest.mark.parametrize(
    ("wound", "healed"),
    [
        pytest.param(
            "PRAGMA max_page_count=1",
            "PRAGMA max_page_count=4294967294",
            marks=pytest.mark.fault("F070"),
        ),
        pytest.param(
            "PRAGMA query_only=ON", "PRAGMA query_only=OFF", marks=pytest.mark.fault("F071")
        ),
    ],
    ids=["full", "read-only"],
)
def test_what_can_not_be_written_is_refused_whole_and_reading_goes_on(
    runtime, database, owner, wound, healed
):
    note(runtime, owner)
    before = events(runtime, owner)

    def several(ctx):
        for _ in range(3):
            audit.record(ctx, "noted", "s", text="x" * 200_000)

    with storage(database, wound, healed):
        with pytest.raises(Refusal) as told:
            runtime.write(owner, several)
        assert told.value.code == "DATABASE_UNAVAILABLE"
        assert events(runtime, owner) == before
    note(runtime, owner)
    assert events(runtime, owner) == before + 1
    assert runtime.read(owner, audit.verify).ok


@pytest.mark.fault("F072")
def test_a_busy_database_is_refused_after_its_wait_and_may_be_tried_again(runtime, database, owner):
    note(runtime, owner)
    before = events(runtime, owner)
    other = sqlite3.connect(database.engine.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with storage(database, "PRAGMA busy_timeout=20", "PRAGMA busy_timeout=30000"):
        with pytest.raises(Refusal) as told:
            note(runtime, owner)
        assert (told.value.code, told.value.retryable) == ("DATABASE_BUSY", True)
        assert events(runtime, owner) == before
        other.execute("ROLLBACK")
        note(runtime, owner)
    other.close()
    assert events(runtime, owner) == before + 1
