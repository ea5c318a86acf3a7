"""The fault ledger is honest: it names every fault once, and its proofs are the marks in the tests."""

from tests.house import faults

AREAS = {
    "api",
    "auth",
    "broker",
    "confirm",
    "crash",
    "data",
    "discord",
    "ledger",
    "llm",
    "resource",
    "stream",
    "time",
}


def test_marks_name_faults_that_exist():
    assert set(faults.marks()) - set(faults.IDS) == set()


def test_every_fault_stands_in_the_ledger_once_with_its_area():
    rows = faults.load()
    assert tuple(rows) == faults.IDS
    assert {row["area"] for row in rows.values()} == AREAS


def test_the_proofs_of_the_ledger_are_the_marks_of_the_tests():
    listed = {name: row["proved_by"] for name, row in faults.load().items() if "proved_by" in row}
    assert listed == faults.marks(), "run: python -m tests.house.faults"


def test_an_open_fault_says_why():
    rows = faults.load().items()
    assert [name for name, row in rows if "proved_by" not in row and not row.get("open")] == []
    assert [name for name, row in rows if "proved_by" in row and "open" in row] == []


def test_what_endangers_orders_and_books_is_proved():
    rows = faults.load().items()
    open_rows = {
        name for name, row in rows if "open" in row and row["area"] in ("confirm", "ledger")
    }
    assert open_rows == set()
