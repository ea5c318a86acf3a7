"""The invariants see what can not be: each violation is planted in a real day's rows and reported."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.invariant import CHECKS, check_all
from services.journal import add
from services.kit.context import Principal, system_principal
from services.kit.money import parse_decimal
from services.orders import proposal, propose, switch
from services.orders.draft import OrderDraft
from services.orders.replace import NewTerms, propose_replace
from tests.fakes.trading_day import BUY, PLAN, WHY, TradingDay

TOKEN = "ct_" + "A" * 43


def _draft(**terms) -> OrderDraft:
    prices = {
        name: parse_decimal(value, name)
        for name, value in terms.items()
        if name in ("limit_price", "quantity")
    }
    return OrderDraft(
        **{"symbol": "MSFT", "side": "buy", "type": "limit", "tif": "gtc", **terms, **prices}
    )


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Iterator[TradingDay]:
    """A day with a plan, a filled buy, a part sale, a changed order, a cancel, a declined card."""
    made = TradingDay(tmp_path_factory.mktemp("day"))
    for text in (PLAN, BUY):
        made.say(text)
    made.confirm(made.pending()[0].id, key="k" * 20)
    made.work()
    made.say(WHY)
    for draft in (
        _draft(symbol="AAPL", side="sell", quantity="20", type="market", tif="day"),
        _draft(quantity="5", limit_price="26"),
        _draft(quantity="6", limit_price="26"),
    ):
        made.confirm(made.write(lambda ctx, one=draft: propose.propose(ctx, one)).id)
        made.work()
    made.write(lambda ctx: propose.propose_cancel(ctx, made.orders()[0].id))
    made.confirm(made.pending()[0].id)
    made.work()
    nearer = NewTerms(limit_price=parse_decimal("26.5", "limit_price"))
    made.write(lambda ctx: propose_replace(ctx, made.orders()[1].id, nearer))
    made.confirm(made.pending()[0].id)
    made.work()
    card = made.write(lambda ctx: propose.propose(ctx, _draft(quantity="7", limit_price="26")))
    made.write(lambda ctx: proposal.decline(ctx, card.id))
    made.write(lambda ctx: add(ctx, "The plan held."))
    made.write(lambda ctx: switch.halt(ctx, "lunch"))
    made.work()
    yield made
    made.close()


def test_a_real_day_breaks_no_invariant(day):
    states = {order.state.value for order in day.orders()}
    assert states == {"FILLED", "WORKING", "CANCELLED"}
    assert day.faults() == []


PLANTED = {
    "I1 a second order of one client id": [
        "DROP_UNIQUE paper_orders",
        "COPY paper_orders id='pap_twin' WHERE 1",
    ],
    "I1 an intent that names another order": [
        "UPDATE order_intents SET broker_order_id='pap_else' WHERE state='WORKING'"
    ],
    "I2 an order without an intent": [
        "COPY paper_orders id='pap_lost', client_order_id='cm-lost' WHERE 1"
    ],
    "I2 an execution that was never posted": ["COPY paper_fills exec_id='x-9', number=9 WHERE 1"],
    "I2 a fill without a batch": ["UPDATE fills SET exec_id='x-1' WHERE side='sell'"],
    "I2 a filled order that is not full": [
        "UPDATE order_intents SET filled_quantity=0 WHERE state='FILLED'"
    ],
    "I3 an order without a token": ["UPDATE order_intents SET token_id='tok_none'"],
    "I3 a token of another order": [
        "UPDATE confirm_tokens SET order_hash='sha256:0' WHERE outcome='confirmed'"
    ],
    "I3 a token that was not burned": ["UPDATE confirm_tokens SET used_at=NULL"],
    "I3 an order that the coach confirmed": [
        "UPDATE audit_events SET actor_kind='agent' WHERE kind='order.confirmed'"
    ],
    "I3 a change without a token": ["UPDATE order_changes SET token_id='tok_none'"],
    "I3 a change of another order": [
        "UPDATE order_changes SET order_id=(SELECT id FROM order_intents WHERE state='FILLED')"
    ],
    "I3 a change that the coach confirmed": [
        "UPDATE audit_events SET actor_kind='agent' WHERE kind='order.change_wanted'"
    ],
    "I4 a leg that was changed": [
        "UPDATE ledger_entries SET amount=amount+1 WHERE account='cash:USD' AND seq=2"
    ],
    "I4 a leg without a batch": ["COPY ledger_entries seq=99 WHERE account='cash:USD' AND seq=2"],
    "I5 a cash snapshot that drifted": ["UPDATE cash_snapshots SET posted=posted+10000"],
    "I5 a holding snapshot that drifted": [
        "UPDATE holding_snapshots SET quantity=quantity+100000000 WHERE quantity > 0"
    ],
    "I5 a reservation without an order": [
        "UPDATE order_intents SET state='EXPIRED' WHERE state='WORKING'"
    ],
    "I5 an order without a reservation": ["DELETE FROM reservations"],
    "I6 an event that was altered": ["UPDATE audit_events SET payload=payload || ' ' WHERE seq=9"],
    "I6 a truncated tail": ["DELETE FROM audit_events WHERE seq > 30"],
    "I6 a transition without an event": [
        "COPY order_transitions number=40, event='expire' WHERE number=2"
    ],
    "I6 a status without an event": [
        "UPDATE proposals SET status='expired' WHERE status='declined'"
    ],
    "I6 a change without an event": ["UPDATE order_changes SET state='unseen'"],
    "I7 a proposal on bad data": ["UPDATE dq_snapshots SET green=0"],
    "I7 advice on data that were frozen": [
        (
            "INSERT INTO freezes (tenant_id, id, scope, reason, subject, opened_at, code) SELECT"
            " tenant_id, 'frz_x', 'listing:x', 'x', symbol, 0, 'DQ_JUMP' FROM trade_advice LIMIT 1"
        )
    ],
    "I7 advice on the data of another symbol": ["UPDATE dq_snapshots SET symbols='[\"IBM\"]'"],
    "I8 an order that was changed": [
        "UPDATE order_intents SET order_json=replace(order_json, '\"61\"', '\"610\"')"
    ],
    "I8 terms that nobody confirmed": ["UPDATE order_changes SET state='dropped'"],
    "I8 a change that was forgotten": ["DELETE FROM order_changes"],
    "I8 advice that was changed": [
        "UPDATE trade_advice SET document=replace(document, 'AAPL', 'APPL')"
    ],
    "I8 a batch that was changed": ["UPDATE ledger_batches SET ref='other' WHERE kind='BUY'"],
    "I8 a submit of something else": ["UPDATE submit_attempts SET body_hash='sha256:1'"],
    "I8 a model request that was changed": ["UPDATE coach_requests SET body=:zipped"],
    "I8 a model request that can not be read": ["UPDATE coach_requests SET body=substr(body, 2)"],
    "I9 a row of another tenant's proposal": [
        "UPDATE proposals SET tenant_id='ten_other' WHERE status='declined'",
        (
            "UPDATE confirm_tokens SET proposal_id=(SELECT id FROM proposals WHERE "
            "status='declined') WHERE rowid=1"
        ),
    ],
    "I9 a change of another tenant's order": ["UPDATE order_changes SET order_id='ord_else'"],
    "I9 an order in another tenant's account": ["UPDATE accounts SET tenant_id='ten_other'"],
    "I10 a token in the transcript": [f"UPDATE coach_entries SET text='{TOKEN}' WHERE place=1"],
    "I10 a token in an event": [f"UPDATE coach_events SET body='{TOKEN}' WHERE seq=2"],
    "I10 an API key in a stored answer": [
        'UPDATE idempotency SET body=\'{"key":"ck_0123456789abcdef_' + "s" * 43 + "\"}'"
    ],
    "I10 a token in a model request": ["UPDATE coach_requests SET body=:token"],
    "I11 a gap in a stream": ["DELETE FROM coach_events WHERE stream LIKE 'c_%' AND seq=3"],
    "I11 a lost tail": ["UPDATE coach_streams SET next_seq=next_seq+1"],
    "I11 a run without an end": ["UPDATE coach_runs SET status='running' WHERE rowid=1"],
    "I11 a run with two ends": ["UPDATE coach_events SET type='run.finished' WHERE type='usage'"],
    "I12 an execution posted twice": [
        "DROP_UNIQUE ledger_batches",
        "COPY ledger_batches seq=77, key='fill:again' WHERE kind='BUY'",
    ],
    "I12 two intents of one proposal": [
        "DROP_UNIQUE order_intents",
        "COPY order_intents id='ord_twin', client_order_id='cm-twin' WHERE state='WORKING'",
    ],
    "I12 two answers to one key": [
        "DROP_UNIQUE idempotency",
        "COPY idempotency id='idem_2' WHERE 1",
    ],
    "I12 a message put out twice": ["DROP_UNIQUE outbox", "COPY outbox seq=9999 WHERE seq=1"],
}


def _drop_unique(db: sqlite3.Connection, table: str) -> None:
    """Make the table anew without any constraint, as a careless migration would."""
    names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    db.execute(f"CREATE TABLE bare AS SELECT {', '.join(names)} FROM {table}")
    db.execute(f"DROP TABLE {table}")
    db.execute(f"ALTER TABLE bare RENAME TO {table}")


def _copy(db: sqlite3.Connection, order: str) -> int:
    """`TABLE column=value, ... WHERE condition`: insert a changed copy of one row."""
    table, _, rest = order.partition(" ")
    changes, _, condition = rest.partition(" WHERE ")
    given = dict(part.strip().split("=", 1) for part in changes.split(","))
    names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    chosen = ", ".join(given.get(name, name) for name in names)
    return db.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {chosen} FROM {table} "
        f"WHERE {condition} LIMIT 1"
    ).rowcount


def plant(path: Path, statements: list[str]) -> None:
    """Run statements with every guard of the file taken away; each must hit something."""
    bodies = {
        "zipped": zlib.compress(b'{"messages":[]}'),
        "token": zlib.compress(f'{{"x":"{TOKEN}"}}'.encode()),
    }
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA foreign_keys=OFF")
        db.execute("PRAGMA ignore_check_constraints=ON")
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            verb, _, rest = statement.partition(" ")
            if verb == "DROP_UNIQUE":
                _drop_unique(db, rest)
            elif verb == "COPY":
                assert _copy(db, rest) == 1, statement
            else:
                given = {key: value for key, value in bodies.items() if f":{key}" in statement}
                assert db.execute(statement, given).rowcount > 0, statement
    db.close()


@pytest.fixture
def damaged(day, tmp_path):
    """A copy of the day's rows that a test may damage, and a look at it."""
    target = tmp_path / "cornerman.db"
    with (
        sqlite3.connect(day.product.settings.cornerman_home / "cornerman.db") as source,
        sqlite3.connect(target) as copy,
    ):
        source.backup(copy)
    source.close()
    copy.close()

    def look(statements: list[str]):
        from services.kit.db import Database
        from services.kit.work import Runtime

        plant(target, statements)
        database = Database(f"sqlite:///{target}")
        runtime = Runtime(database, day.clock, day.product.ids, day.product.settings)
        try:
            return runtime.read(day.who, check_all)
        finally:
            runtime.close()

    return look


@pytest.mark.parametrize("name", sorted(PLANTED), ids=lambda name: name.replace(" ", "-"))
def test_a_planted_violation_is_reported(damaged, name):
    found = damaged(PLANTED[name])
    wanted = name.split(" ", 1)[0]
    assert wanted in {one.id for one in found}, found
    assert all(one.refs for one in found if one.id == wanted)


def test_every_invariant_has_a_planted_violation():
    assert {name.split(" ", 1)[0] for name in PLANTED} == set(CHECKS)
    assert list(CHECKS) == [f"I{number}" for number in range(1, 13)]


def test_a_check_can_be_chosen(damaged):
    assert {one.id for one in damaged(["DELETE FROM reservations"])} == {"I5"}


def test_another_tenant_sees_nothing_of_these_rows(day):
    stranger: Principal = system_principal("ten_stranger")
    assert day.runtime.read(stranger, check_all) == []


def test_checking_changes_nothing(day):
    def digest() -> str:
        with sqlite3.connect(day.product.settings.cornerman_home / "cornerman.db") as db:
            text = "\n".join(db.iterdump())
        db.close()
        return hashlib.sha256(text.encode()).hexdigest()

    before = digest()
    assert day.faults() == []
    assert digest() == before
