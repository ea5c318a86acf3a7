"""The engine factory closes the traps of its dialect, and the tenant predicate is everywhere."""

import threading
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import bindparam, event, exists, func, select, text, update
from sqlalchemy.exc import DatabaseError

from services import audit
from services.kit import guards, outbox
from services.kit.context import system_principal
from services.kit.db import _KNOWN_MAX, Database, Scaled, UtcDateTime
from services.kit.errors import Refusal
from services.kit.scope import sources, tables_of
from services.kit.work import Runtime
from tests.conftest import NOW


@pytest.fixture
def runtime(database_url, clock, settings):
    from services.kit.ids import CountedIds

    database = Database(database_url)
    yield Runtime(database, clock, CountedIds(), settings)
    database.close()


def test_thirty_concurrent_increments_make_thirty(runtime):
    me = system_principal("t_a")
    runtime.write(me, lambda ctx: outbox.put(ctx, "count", "0", {}, dedupe="one"))

    def increment() -> None:
        def act(ctx):
            ctx.db.lock("count")
            key = ctx.db.scalar(select(outbox.outbox_rows.c.key))
            ctx.db.change(update(outbox.outbox_rows).values(key=str(int(key) + 1)))

        runtime.write(me, act)

    threads = [threading.Thread(target=increment) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runtime.read(me, lambda ctx: ctx.db.scalar(select(outbox.outbox_rows.c.key))) == "30"


def test_a_tenant_sees_changes_and_writes_its_own_rows_only(runtime):
    one, two = system_principal("t_one"), system_principal("t_two")
    runtime.write(one, lambda ctx: outbox.put(ctx, "k", "of one", {}, dedupe="d"))
    runtime.write(two, lambda ctx: outbox.put(ctx, "k", "of two", {}, dedupe="d"))
    keys = runtime.read(one, lambda ctx: [m.key for m in outbox.due(ctx)])
    assert keys == ["of one"]
    hit = runtime.write(two, lambda ctx: ctx.db.change(update(outbox.outbox_rows).values(key="x")))
    assert hit == 1
    assert runtime.read(one, lambda ctx: [m.key for m in outbox.due(ctx)]) == ["of one"]


def test_postgres_hides_other_tenants_even_from_raw_sql(runtime):
    if runtime.database.dialect != "postgresql":
        pytest.skip("row-level security is PostgreSQL's; SQLite has the predicate only")
    runtime.write(system_principal("t_one"), lambda ctx: outbox.put(ctx, "k", "1", {}, dedupe="d"))

    def raw(ctx):
        return ctx.db.connection.execute(text("SELECT count(*) FROM outbox")).scalar()

    assert runtime.read(system_principal("t_two"), raw) == 0
    assert runtime.read(system_principal("t_one"), raw) == 1
    with runtime.database.read(None) as db:
        assert db.connection.execute(text("SELECT count(*) FROM outbox")).scalar() == 0

    def forge(ctx):
        ctx.db.connection.execute(
            text(
                "INSERT INTO outbox (tenant_id, kind, key, payload, dedupe_key, at) "
                "VALUES ('t_one', 'k', 'k', '{}', 'x', 0)"
            )
        )

    with pytest.raises(DatabaseError, match="row-level security"):
        runtime.write(system_principal("t_two"), forge)


@pytest.mark.fault("F081")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET kind = 'x'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events",
        (
            "INSERT INTO audit_events SELECT * FROM audit_events WHERE true "
            "ON CONFLICT (seq, chain) DO UPDATE SET kind = 'x'"
        ),
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ],
)
def test_append_only_tables_can_not_be_changed(runtime, statement):
    me = system_principal("t_a")
    runtime.write(me, lambda ctx: audit.record(ctx, "made", "x", n=1))
    with pytest.raises(DatabaseError):
        runtime.write(me, lambda ctx: ctx.db.connection.execute(text(statement)))
    assert runtime.read(me, audit.verify).ok


def test_missing_guards_are_named(runtime):
    with runtime.database.engine.connect() as connection:
        assert guards.missing(connection) == []
    if runtime.database.dialect == "sqlite":
        with runtime.database.write(None) as db:
            db.connection.execute(text("DROP TRIGGER audit_events__no_update"))
        with runtime.database.engine.connect() as connection:
            assert guards.missing(connection) == ["audit_events__no_update"]
            with pytest.raises(Refusal, match="GUARDS_MISSING"):
                guards.require(connection)


def test_a_rolled_back_unit_wakes_nobody_and_leaves_nothing(runtime):
    woken = []

    def act(ctx):
        outbox.put(ctx, "k", "1", {}, dedupe="d")
        ctx.db.after_commit(lambda: woken.append(1))
        raise ValueError

    me = system_principal("t_a")
    with pytest.raises(ValueError):
        runtime.write(me, act)
    assert woken == []
    assert runtime.read(me, outbox.due) == []


def test_scaled_columns_refuse_what_is_not_exact():
    column = Scaled(6)
    assert column.process_bind_param(Decimal("1.25"), None) == 1_250_000
    assert column.process_result_value(1_250_000, None) == Decimal("1.25")
    with pytest.raises(Refusal, match="AMOUNT_INEXACT"):
        column.process_bind_param(Decimal("0.0000001"), None)
    with pytest.raises(Refusal, match="AMOUNT_RANGE"):
        column.process_bind_param(Decimal(10) ** 13, None)


def test_instants_come_back_as_the_same_instant_and_naive_ones_are_refused():
    column = UtcDateTime()
    assert column.process_result_value(column.process_bind_param(NOW, None), None) == NOW
    with pytest.raises(ValueError, match="naive"):
        column.process_bind_param(datetime(2027, 1, 1), None)


def test_sqlite_connections_carry_every_pragma(database):
    wanted = {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 2,
        "recursive_triggers": 1,
        "trusted_schema": 0,
        "busy_timeout": 30000,
    }
    with database.read(None) as db:
        for name, value in wanted.items():
            assert db.connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value


def test_the_tenant_predicate_reaches_every_table_of_a_statement():
    from services.ledger.tables import ledger_batches, ledger_entries

    batches, entries = ledger_batches.c, ledger_entries.c
    joined = ledger_batches.join(ledger_entries, batches.seq == entries.seq)
    shapes = [
        select(ledger_batches),
        select(batches.seq),
        select(func.count()).select_from(joined),
        select(func.max(batches.seq)),
        select(batches.seq, entries.asset).select_from(joined),
        select(ledger_batches, entries.asset).join(ledger_entries, batches.seq == entries.seq),
        select(batches.seq).where(batches.seq == entries.seq),
        select(batches.seq).where(exists().where(entries.seq == batches.seq)),
        select(ledger_batches.alias("b")),
        select(batches.kind).group_by(batches.kind),
    ]
    for shape in shapes:
        compiled = {table for source in shape.get_final_froms() for table in tables_of(source)}
        assert set(sources(shape)) == compiled, str(shape)


@pytest.fixture
def statements(runtime):
    """Every statement that reaches the driver from here on."""
    seen = []

    def spy(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    event.listen(runtime.database.engine, "before_cursor_execute", spy)
    return seen


BY_KEY = select(outbox.outbox_rows.c.key).where(outbox.outbox_rows.c.key == bindparam("wanted"))
BY_KEYS = select(outbox.outbox_rows.c.key).where(
    outbox.outbox_rows.c.key.in_(bindparam("wanted", expanding=True))
)


def test_a_constant_statement_is_read_once_until_the_transaction_writes(runtime, statements):
    me = system_principal("t_a")

    def act(ctx):
        db, count = ctx.db, statements.__len__
        assert db.row(BY_KEY, wanted="a") is None
        read = count()
        assert (db.row(BY_KEY, wanted="a"), db.scalar(BY_KEY, wanted="a")) == (None, None)
        assert count() == read
        outbox.put(ctx, "note", "a", {}, dedupe="one")
        assert db.scalar(BY_KEY, wanted="a") == "a"
        db.change(update(outbox.outbox_rows).values(key="b"))
        assert db.rows(BY_KEY, wanted="a") == []
        assert db.rows(BY_KEYS, wanted=["a", "b"]) == db.rows(BY_KEYS, wanted=["b"]) == [("b",)]

    runtime.write(me, act)


def test_what_was_read_is_forgotten_at_a_lock_and_by_the_next_transaction(runtime, statements):
    me = system_principal("t_a")

    def twice(ctx):
        ctx.db.rows(BY_KEY, wanted="a")
        ctx.db.lock("a")
        ctx.db.rows(BY_KEY, wanted="a")

    runtime.write(me, twice)
    locks = runtime.database.dialect == "postgresql"
    assert sum("outbox" in one for one in statements) == (2 if locks else 1)
    runtime.write(me, lambda ctx: outbox.put(ctx, "note", "a", {}, dedupe="one"))
    assert runtime.read(me, lambda ctx: ctx.db.scalar(BY_KEY, wanted="a")) == "a"


def test_a_write_to_another_table_forgets_nothing_and_one_inside_a_subquery_does(
    runtime, statements
):
    me = system_principal("t_a")
    events = audit.audit_events.c
    told = select(events.subject).where(events.kind == bindparam("of_kind"))
    untold = BY_KEY.where(outbox.outbox_rows.c.key.not_in(told))

    def act(ctx):
        db, count = ctx.db, lambda: sum(one.startswith("SELECT outbox.key") for one in statements)
        outbox.put(ctx, "note", "a", {}, dedupe="one")
        assert (
            db.rows(BY_KEY, wanted="a") == db.rows(untold, wanted="a", of_kind="told") == [("a",)]
        )
        audit.record(ctx, "told", "a")
        read = count()
        assert db.rows(BY_KEY, wanted="a") == [("a",)]
        assert count() == read + (db.dialect == "postgresql")  # the chain's lock may have waited
        assert db.rows(untold, wanted="a", of_kind="told") == []

    runtime.write(me, act)


def test_what_was_read_is_the_callers_to_change(runtime):
    me = system_principal("t_a")
    runtime.write(me, lambda ctx: outbox.put(ctx, "note", "a", {}, dedupe="one"))

    def act(ctx):
        ctx.db.rows(BY_KEY, wanted="a").clear()
        return ctx.db.rows(BY_KEY, wanted="a")

    assert runtime.read(me, act) == [("a",)]


def test_a_transaction_remembers_no_more_than_its_bound(runtime, statements):
    me = system_principal("t_a")

    def act(ctx):
        for number in range(_KNOWN_MAX + 1):
            ctx.db.row(BY_KEY, wanted=str(number))
        return len(ctx.db._known)

    assert runtime.read(me, act) == _KNOWN_MAX
