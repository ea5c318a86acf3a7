"""The audit chain: every alteration is found, a truncated tail by its anchor."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from services import audit
from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.ids import CountedIds
from services.kit.work import Runtime

ME = system_principal("t_a")


@pytest.fixture
def bare(database_url, clock, settings):
    database = Database(database_url)
    yield Runtime(database, clock, CountedIds(), settings)
    database.close()


def fill(runtime, count):
    for number in range(count):
        runtime.write(
            ME, lambda ctx, number=number: audit.record(ctx, "made", f"x{number}", n=number)
        )


def rows_of(runtime):
    rows = runtime.read(
        ME, lambda ctx: ctx.db.rows(select(audit.audit_events).order_by(audit.audit_events.c.seq))
    )
    return [SimpleNamespace(**row._mapping) for row in rows]


def test_a_chain_verifies_and_links_every_event(bare):
    fill(bare, 12)
    verdict = bare.read(ME, audit.verify)
    assert (verdict.ok, verdict.count) == (True, 12)


def test_chains_of_tenants_are_separate(bare):
    fill(bare, 3)
    bare.write(system_principal("t_b"), lambda ctx: audit.record(ctx, "made", "y"))
    assert bare.read(system_principal("t_b"), audit.verify).count == 1


@pytest.fixture(scope="module")
def genuine(tmp_path_factory):
    from services import schema
    from services.kit.clock import HandClock
    from services.kit.environment import load_settings
    from tests.conftest import NOW

    folder = tmp_path_factory.mktemp("chain")
    url = f"sqlite:///{folder / 'chain.db'}"
    schema.upgrade(url)
    runtime = Runtime(
        Database(url), HandClock(NOW), CountedIds(), load_settings({"CORNERMAN_HOME": str(folder)})
    )
    fill(runtime, 30)
    rows = rows_of(runtime)
    runtime.close()
    return rows


@pytest.mark.fault("F089")
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_every_mutation_of_the_chain_is_found(genuine, data):
    rows = [SimpleNamespace(**vars(row)) for row in genuine]
    at = data.draw(st.integers(0, len(rows) - 1))
    how = data.draw(st.sampled_from(["byte", "column", "remove", "swap", "insert", "relink"]))
    if how == "byte":
        body = rows[at].payload
        where = data.draw(st.integers(0, len(body) - 1))
        other = "a" if body[where] != "a" else "b"
        rows[at].payload = body[:where] + other + body[where + 1 :]
    elif how == "column":
        rows[at].kind = "forged"
    elif how == "remove":
        if at == len(rows) - 1:
            at -= 1
        del rows[at]
    elif how == "swap":
        other = (at + 1) % len(rows)
        rows[at], rows[other] = rows[other], rows[at]
    elif how == "insert":
        rows.insert(at, SimpleNamespace(**vars(rows[at])))
    else:
        body = json.loads(rows[at].payload)
        body["facts"] = {"n": 999}
        rows[at].payload = json.dumps(body, sort_keys=True, separators=(",", ":"))
        rows[at].hash = audit.bytes_hash("audit/v1", rows[at].payload.encode())
        if at == len(rows) - 1:
            return
    assert not audit.verify_rows(rows).ok


def test_a_truncated_tail_is_found_by_its_anchor(bare):
    if bare.database.dialect != "sqlite":
        pytest.skip("the runtime role can not even disable the trigger on PostgreSQL")
    fill(bare, 55)
    assert bare.read(ME, audit.verify).ok
    with bare.database.write(None) as db:
        db.connection.execute(text("DROP TRIGGER audit_events__no_delete"))
        db.connection.execute(text("DELETE FROM audit_events WHERE seq > 45"))
    verdict = bare.read(ME, audit.verify)
    assert (verdict.broken_at, verdict.reason) == (50, "an anchor says otherwise")


def test_a_forged_anchor_does_not_help(bare):
    fill(bare, 50)
    path = bare.settings.cornerman_home / "anchors.txt"
    path.write_text(path.read_text().replace("sha256:", "sha256:0", 1))
    assert not bare.read(ME, audit.verify).ok


def test_the_signing_key_is_readable_by_its_owner_only(bare):
    fill(bare, 50)
    assert (bare.settings.cornerman_home / "signing.key").stat().st_mode & 0o077 == 0
