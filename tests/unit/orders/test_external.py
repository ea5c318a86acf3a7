"""Orders that nobody confirmed here are told once each, however many the broker lists."""

import sqlite3
from dataclasses import replace

import pytest

from services.orders.broker import Desk
from services.orders.external import _untold, tell_external
from services.orders.order import State
from tests.bench.order_book import ACCOUNT, build_book, set_state

USUAL = 32_766
"""Values that a statement may hold where SQLite was built as usual."""


@pytest.fixture
def book(sqlite_url, tmp_path):
    book = build_book(sqlite_url, tmp_path, 40)
    yield book
    book.runtime.close()


def _add_foreign(book, count):
    for number in range(count):
        book.broker.hold(f"by-hand-{number}", f"hand-{number}", foreign=True)


def _asked(book):
    facts = book.broker.orders()
    return book.desk.read(lambda ctx: _untold(ctx, ACCOUNT, facts))


def test_each_foreign_order_is_told_once_among_many_of_ours(book, monkeypatch):
    monkeypatch.setattr("services.orders.external._PART", 7)
    _add_foreign(book, 10)
    desk = Desk(book.runtime, book.desk.who.tenant_id)
    assert [tell_external(desk, book.broker) for _ in range(3)] == [10, 0, 0]
    book.broker.hold("by-hand-late", "hand-late", foreign=True)
    assert tell_external(desk, book.broker) == 1
    told = [one["facts"]["broker_order_id"] for one in book.desk.audited("order.external")]
    assert told == [*(f"hand-{number}" for number in range(10)), "hand-late"]


def test_an_order_of_ours_that_was_refused_in_words_and_stands_there_is_told(book):
    tag = book.tags[3]
    set_state(book, [tag], State.REJECTED)
    book.desk.sql(
        f"UPDATE order_intents SET broker_order_id = NULL WHERE client_order_id = '{tag}'"
    )
    assert [one.tag for one in _asked(book)] == [tag]


def test_one_order_on_two_pages_is_told_once(book):
    _add_foreign(book, 1)
    facts = [*book.broker.orders(), replace(book.broker.facts["hand-0"], status="filled")]
    found = book.desk.read(lambda ctx: _untold(ctx, ACCOUNT, facts))
    assert [one.broker_order_id for one in found] == ["hand-0"]


def test_a_list_longer_than_a_statement_can_hold_is_looked_through(book):
    _add_foreign(book, 20_000)
    facts = book.broker.orders()

    def act(ctx):
        driver = ctx.db.connection.connection.dbapi_connection
        driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, USUAL)
        return _untold(ctx, ACCOUNT, facts)

    assert len(book.desk.read(act)) == 20_000
