"""No read on the way of an order grows with what the database holds of before."""

import sqlite3

import pytest
from sqlalchemy import event

SMALL = ("disputed_fills", "freezes", "order_desks", "portfolios", "position_stops", "switches")
"""Tables that stay small, or whose rows of one tenant are read as a whole."""


@pytest.fixture
def reads(desk):
    """Every read of a purchase and a sale, from the card to the fill, with its values."""
    found = {}

    def spy(_connection, _cursor, statement, parameters, *_rest):
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            found[statement] = parameters

    desk.buy(quantity="3")
    desk.work()
    event.listen(desk.runtime.database.engine, "before_cursor_execute", spy)
    desk.buy(quantity="2", protective_stop="180.00")
    desk.work()
    desk.buy("AAPL", "sell", "1")
    desk.work(2)
    return found


def _plan(desk, statement, parameters):
    path = desk.runtime.database.engine.url.database
    with sqlite3.connect(path) as db:
        return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def test_no_read_of_the_order_path_goes_through_a_whole_table(desk, reads):
    assert len(reads) > 60
    bad = {}
    for statement, parameters in reads.items():
        for step in _plan(desk, statement, parameters):
            words = step.split()
            whole = words[0] == "SCAN" and not ("USING" in words and "LIMIT" in statement)
            by_tenant = step.endswith("_tenant_id (tenant_id=?)")
            if (whole or by_tenant) and words[1] not in (*SMALL, "CONSTANT"):
                bad[statement] = step
    assert bad == {}
