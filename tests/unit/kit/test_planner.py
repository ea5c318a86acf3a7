"""SQLite plans its reads by fixed figures, so that no plan depends on what a file holds."""

import pytest
from sqlalchemy import text

from services.kit.planner import index_figures, install


@pytest.mark.parametrize(
    ("columns", "unique", "figures"),
    [
        (("tenant_id",), False, "1000000 1000000"),
        (("tenant_id", "key"), True, "1000000 1000000 1"),
        (("tenant_id", "state"), False, "1000000 1000000 1000"),
        (("portfolio_id", "seq"), True, "1000000 900000 1"),
        (("a", "b", "c", "d"), False, "1000000 1000 1 1 1"),
    ],
)
def test_an_index_is_taken_to_be_as_narrow_as_its_columns(columns, unique, figures):
    assert index_figures(columns, unique=unique) == figures


def _indexes(connection):
    names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'")).all()
    return {row[0] for row in names}


def test_every_index_of_a_migrated_database_has_figures(database):
    with database.write(None) as db:
        known = db.connection.execute(text("SELECT idx, stat FROM sqlite_stat1")).all()
        install(db.connection)
        again = db.connection.execute(text("SELECT idx, stat FROM sqlite_stat1")).all()
        assert {row[0] for row in known} == _indexes(db.connection)
        assert known == again


def test_a_narrow_index_is_taken_before_that_of_the_tenant(database):
    query = "SELECT id FROM confirm_tokens WHERE proposal_id = 'p' AND tenant_id = 't'"
    with database.read(None) as db:
        plan = db.connection.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
    assert [row[3] for row in plan] == [
        "SEARCH confirm_tokens USING INDEX ix_confirm_tokens_proposal_id (proposal_id=?)"
    ]
