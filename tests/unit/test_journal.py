"""The journal keeps executions for ever and lets people edit the notes beside them."""

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from services import audit, journal
from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.errors import Refusal
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from tests.conftest import NOW


@pytest.fixture
def runtime(database_url, clock, settings):
    database = Database(database_url)
    yield Runtime(database, clock, CountedIds(), settings)
    database.close()


def execution(**changes):
    facts = {
        "order_id": "o1",
        "exec_id": "x1",
        "portfolio_id": "pf",
        "symbol": "MSFT",
        "side": "buy",
        "quantity": D(50),
        "price": D("26.43"),
        "commission": D("1.00"),
        "currency": "USD",
        "at": NOW,
        "provenance": "SIMULATED",
        "run_id": "run_1",
    }
    return {**facts, **changes}


def test_an_execution_is_written_once_with_its_locked_facts(runtime, owner):
    first = runtime.write(owner, lambda ctx: journal.record_execution(ctx, **execution()))
    again = runtime.write(owner, lambda ctx: journal.record_execution(ctx, **execution()))
    assert first == again
    assert first.summary == "Bought 50 MSFT at 26.43 USD, commission 1."
    assert first.facts["price"] == "26.43"
    assert first.facts["run_id"] == "run_1"
    sold = execution(exec_id="x2", side="sell", pnl=D("-3.10"))
    entry = runtime.write(owner, lambda ctx: journal.record_execution(ctx, **sold))
    assert entry.summary.endswith("Realised -3.1 USD.")


def test_the_note_beside_an_execution_is_editable_and_the_facts_are_not(runtime, owner):
    entry = runtime.write(owner, lambda ctx: journal.record_execution(ctx, **execution()))
    edited = runtime.write(owner, lambda ctx: journal.edit_note(ctx, entry.id, "late entry"))
    assert (edited.note, edited.note_version, edited.summary) == ("late entry", 2, entry.summary)
    with pytest.raises(Refusal, match="JOURNAL_LOCKED"):
        runtime.write(owner, lambda ctx: journal.delete_note(ctx, entry.id))
    with pytest.raises(DatabaseError):
        runtime.write(
            owner,
            lambda ctx: ctx.db.connection.execute(text("UPDATE journal_entries SET summary = 'x'")),
        )


def test_a_note_keeps_every_version_and_leaves_audit_events(runtime, owner):
    def act(ctx):
        entry = journal.add(ctx, "chased it\r\nagain", symbol="aapl", tags=("fomo", "entry"))
        journal.edit_note(ctx, entry.id, "chased it twice")
        journal.delete_note(ctx, entry.id)
        return entry

    entry = runtime.write(owner, act)
    assert (entry.note, entry.symbol, entry.tags) == ("chased it\nagain", "AAPL", ("entry", "fomo"))
    with pytest.raises(Refusal, match="JOURNAL_UNKNOWN"):
        runtime.read(owner, lambda ctx: journal.get_entry(ctx, entry.id))
    versions = runtime.read(owner, lambda ctx: journal.note_versions(ctx, entry.id))
    assert [(one.text, one.deleted) for one in versions] == [
        ("chased it\nagain", False),
        ("chased it twice", False),
        ("", True),
    ]
    kinds = [event.kind for event in runtime.read(owner, lambda c: audit.trail(c, entry.id))]
    assert kinds == ["journal.added", "journal.edited", "journal.deleted"]


def test_entries_are_found_by_text_symbol_and_days(runtime, owner, clock):
    runtime.write(owner, lambda ctx: journal.add(ctx, "Kept 100% of the plan", symbol="AAPL"))
    clock.advance(days=3)
    runtime.write(owner, lambda ctx: journal.record_execution(ctx, **execution()))

    def found(**how):
        return [e.symbol for e in runtime.read(owner, lambda c: journal.list_entries(c, **how))]

    assert found() == ["MSFT", "AAPL"]
    assert found(query="PLAN") == ["AAPL"]
    assert found(query="bought 50") == ["MSFT"]
    assert found(query="0% of") == ["AAPL"]
    assert found(query="_") == []
    assert found(symbol="msft") == ["MSFT"]
    assert found(days=2) == ["MSFT"]
    assert found(limit=1) == ["MSFT"]


@pytest.mark.parametrize(
    "hostile", ["", "   ", "a\x00b", "\ud800", "x" * 4001, "\u202etxt", "bell\x07"]
)
def test_hostile_notes_are_refused(runtime, owner, hostile):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        runtime.write(owner, lambda ctx: journal.add(ctx, hostile))


def test_text_is_normalised_once(runtime, owner):
    entry = runtime.write(owner, lambda ctx: journal.add(ctx, "  cafe\u0301 "))
    assert entry.note == "caf\u00e9"


@pytest.mark.parametrize(
    "how",
    [
        {"limit": 0},
        {"limit": 201},
        {"days": 0},
        {"days": 4000},
        {"query": "\x00"},
        {"query": "q" * 201},
        {"symbol": "A B"},
    ],
)
def test_search_arguments_have_bounds(runtime, owner, how):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        runtime.read(owner, lambda ctx: journal.list_entries(ctx, **how))


@pytest.mark.parametrize("tags", [("UPPER",), ("a b",), tuple(f"t{n}" for n in range(11))])
def test_tags_have_a_shape_and_a_bound(runtime, owner, tags):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        runtime.write(owner, lambda ctx: journal.add(ctx, "note", tags=tags))


def test_another_tenant_sees_nothing(runtime, owner):
    entry = runtime.write(owner, lambda ctx: journal.add(ctx, "mine"))
    other = system_principal("t_other")
    assert runtime.read(other, journal.list_entries) == []
    with pytest.raises(Refusal, match="JOURNAL_UNKNOWN"):
        runtime.write(other, lambda ctx: journal.edit_note(ctx, entry.id, "theirs"))
    assert entry.at == NOW + timedelta(0)
