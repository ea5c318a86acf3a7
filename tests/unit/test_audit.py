"""The audit chain: every alteration is found, also of the newest event, by anchor and head."""

import json
import sqlite3
from dataclasses import replace
from threading import Thread
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text, update

from services import audit, audit_anchor, receipt
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
        kind = "order.made" if number % 2 else "made"
        runtime.write(
            ME,
            lambda ctx, kind=kind, number=number: audit.record(ctx, kind, f"x{number}", n=number),
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


def test_a_transaction_looks_for_the_end_of_its_chain_once(bare):
    fill(bare, 2)
    asked = []
    event.listen(
        bare.database.engine,
        "before_cursor_execute",
        lambda *seen: asked.append(seen[2]) if "SELECT audit_events.seq" in seen[2] else None,
    )
    bare.write(ME, lambda ctx: [audit.record(ctx, "made", f"y{number}") for number in range(3)])
    assert len(asked) == 1
    assert bare.read(ME, audit.verify).count == 5


def test_writers_at_once_make_one_chain(bare):
    def three(ctx):
        for number in range(3):
            audit.record(ctx, "made", f"y{number}")

    writers = [Thread(target=lambda: [bare.write(ME, three) for _ in range(5)]) for _ in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    verdict = bare.read(ME, audit.verify)
    assert (verdict.ok, verdict.count) == (True, 60)


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
    return rows, audit_anchor.find_head(folder, "t_a"), receipt.public_key(folder)


@pytest.mark.fault("F089")
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_every_mutation_of_the_chain_is_found(genuine, data):
    kept, head, key = genuine
    rows = [SimpleNamespace(**vars(row)) for row in kept]
    at = data.draw(st.integers(0, len(rows) - 1))
    how = data.draw(
        st.sampled_from(["byte", "column", "remove", "cut", "swap", "insert", "receipt", "relink"])
    )
    if how == "byte":
        body = rows[at].payload
        where = data.draw(st.integers(0, len(body) - 1))
        other = "a" if body[where] != "a" else "b"
        rows[at].payload = body[:where] + other + body[where + 1 :]
    elif how == "column":
        rows[at].kind = "forged"
    elif how == "remove":
        del rows[at]
    elif how == "cut":
        del rows[at:]
    elif how == "swap":
        other = (at + 1) % len(rows)
        rows[at], rows[other] = rows[other], rows[at]
    elif how == "receipt":
        others = [None if rows[at].receipt else "0" * 128, "00", rows[at - 2].receipt or "0" * 128]
        rows[at].receipt = data.draw(st.sampled_from(others))
    elif how == "insert":
        rows.insert(at, SimpleNamespace(**vars(rows[at])))
    else:
        body = json.loads(rows[at].payload)
        body["facts"] = {"n": 999}
        rows[at].payload = json.dumps(body, sort_keys=True, separators=(",", ":"))
        rows[at].hash = audit.bytes_hash("audit/v1", rows[at].payload.encode())
    assert audit.judge(kept, [], head, key=key).ok
    assert not audit.judge(rows, [], head, key=key).ok


def tamper(runtime, *statements):
    if runtime.database.dialect != "sqlite":
        pytest.skip("the runtime role can not even disable the trigger on PostgreSQL")
    with runtime.database.write(None) as db:
        for guard in ("no_delete", "no_update"):
            db.connection.execute(text(f"DROP TRIGGER IF EXISTS audit_events__{guard}"))
        for statement in statements:
            db.connection.execute(text(statement) if isinstance(statement, str) else statement)


def test_a_truncated_tail_is_found_by_its_anchor(bare):
    fill(bare, 55)
    assert bare.read(ME, audit.verify).ok
    tamper(bare, "DELETE FROM audit_events WHERE seq > 45")
    verdict = bare.read(ME, audit.verify)
    assert (verdict.broken_at, verdict.reason) == (50, "an anchor says otherwise")


@pytest.mark.fault("F089")
@pytest.mark.parametrize("look", [audit.verify, audit.verify_tail])
@pytest.mark.parametrize("kept", [0, 1, 216, 218])
def test_any_cut_tail_is_found_by_the_head(bare, look, kept):
    bare.write(ME, lambda ctx: [audit.record(ctx, "made", f"x{n}", n=n) for n in range(219)])
    assert bare.read(ME, look).ok
    (bare.settings.cornerman_home / "anchors.txt").unlink()
    tamper(bare, f"DELETE FROM audit_events WHERE seq > {kept}")
    verdict = bare.read(ME, look)
    assert (verdict.broken_at, verdict.count) == (kept + 1, kept)
    assert "there were 219 events" in verdict.reason


@pytest.mark.fault("F089")
def test_a_rewritten_last_event_is_found_by_the_head(bare):
    fill(bare, 3)
    last = rows_of(bare)[-1]
    payload = last.payload.replace('"n":2', '"n":7')
    digest = audit.bytes_hash("audit/v1", payload.encode())
    tamper(
        bare,
        update(audit.audit_events)
        .where(audit.audit_events.c.seq == 3)
        .values(payload=payload, hash=digest),
    )
    key = receipt.public_key(bare.settings.cornerman_home)
    assert audit.verify_rows(rows_of(bare), key=key).ok
    for look in (audit.verify, audit.verify_tail):
        verdict = bare.read(ME, look)
        assert (verdict.broken_at, verdict.reason) == (3, "the head says otherwise")


def test_events_after_a_cut_do_not_heal_the_chain(bare):
    fill(bare, 5)
    tamper(bare, "DELETE FROM audit_events WHERE seq > 3")
    fill(bare, 1)
    assert bare.read(ME, audit.verify).broken_at == 5
    fill(bare, 230)
    assert bare.read(ME, audit.verify).broken_at == 5
    assert bare.read(ME, audit.verify_tail).broken_at == 5


@pytest.mark.fault("F079")
def test_an_older_copy_of_the_database_is_a_break(bare, clock):
    if bare.database.dialect != "sqlite":
        pytest.skip("a copy of the file is SQLite's way to an older database")
    fill(bare, 4)
    older = bare.settings.cornerman_home / "older.db"
    file = sqlite3.connect(bare.database.url.removeprefix("sqlite:///"))
    file.execute(f"VACUUM INTO '{older}'")
    file.close()
    fill(bare, 2)
    restored = Runtime(Database(f"sqlite:///{older}"), clock, CountedIds(), bare.settings)
    verdict = restored.read(ME, audit.verify)
    restored.close()
    assert (verdict.broken_at, verdict.count) == (5, 4)


def test_a_head_behind_the_chain_is_fine_and_catches_up(bare):
    fill(bare, 2)
    home = bare.settings.cornerman_home
    path = home / "heads" / "t_a.txt"
    behind = path.read_bytes()
    fill(bare, 4)
    path.write_bytes(behind)
    assert bare.read(ME, audit.verify).ok
    assert bare.read(ME, audit.verify_tail).ok
    fill(bare, 1)
    assert audit_anchor.find_head(home, "t_a").seq == 7


def test_a_later_head_is_never_replaced_by_an_earlier_one(tmp_path):
    later = audit_anchor.Head("t_a", 7, "sha256:7")
    audit_anchor.write_head(tmp_path, later)
    audit_anchor.write_head(tmp_path, replace(later, seq=6, digest="sha256:6"))
    assert audit_anchor.find_head(tmp_path, "t_a") == later


@pytest.mark.parametrize("damage", ["", "t_a 9", "t_a 1 sha256:0 00", "\udcff"])
def test_a_damaged_head_is_a_break_and_stays_as_evidence(bare, damage):
    fill(bare, 2)
    path = bare.settings.cornerman_home / "heads" / "t_a.txt"
    path.write_bytes(damage.encode(errors="surrogateescape"))
    fill(bare, 1)
    assert bare.read(ME, audit.verify).reason == "the head file is damaged or forged"


def test_a_unit_of_work_that_rolls_back_moves_no_head(bare):
    fill(bare, 2)

    def act(ctx):
        audit.record(ctx, "made", "x")
        raise KeyError("rolled back")

    with pytest.raises(KeyError):
        bare.write(ME, act)
    assert audit_anchor.find_head(bare.settings.cornerman_home, "t_a").seq == 2
    assert bare.read(ME, audit.verify).ok


def test_a_forged_anchor_does_not_help(bare):
    fill(bare, 50)
    path = bare.settings.cornerman_home / "anchors.txt"
    path.write_text(path.read_text().replace("sha256:", "sha256:0", 1))
    assert not bare.read(ME, audit.verify).ok


def test_the_signing_key_is_readable_by_its_owner_only(bare):
    fill(bare, 50)
    assert (bare.settings.cornerman_home / "signing.key").stat().st_mode & 0o077 == 0
