"""The bundled history: what the source holds, nothing invented, and its splits."""

import hashlib
from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from services.kit.errors import InvariantBroken
from services.market.corporate_action import split_factor, splits_of
from services.market.history.build import read_source
from services.market.history.bundle import last_day, load_history
from services.market.history.layout import FILE, DayRow, find_fault, pack, unpack
from services.market.session import session_on, sessions_between

ROW = DayRow(date(2012, 1, 3), 100, 120, 90, 110, 5)


def test_the_file_holds_exactly_the_rows_of_its_source():
    try:
        source = read_source()
    except (StopIteration, ModuleNotFoundError):
        pytest.skip("bokeh_sampledata is absent: the bundled file was not compared")
    assert {symbol: tuple(rows) for symbol, rows in source.items()} == unpack(FILE.read_bytes())


def test_the_file_is_the_one_its_provenance_describes():
    text = (FILE.parent / "PROVENANCE.md").read_text()
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() in text
    assert sum(len(one.rows) for one in load_history().values()) == 12154
    assert FILE.stat().st_size < 300_000


def test_every_row_is_possible_and_no_session_is_missing():
    for history in load_history().values():
        assert [row for row in history.rows if find_fault(row)] == []
        expected = [one.date for one in sessions_between("XNYS", history.days[0], history.days[-1])]
        assert list(history.days) == expected
    assert last_day() == date(2013, 3, 1)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (ROW, None),
        (DayRow(date(2012, 1, 3), 0, 120, 90, 110, 5), "price not above 0"),
        (DayRow(date(2012, 1, 3), 100, 109, 90, 110, 5), "high below another price"),
        (DayRow(date(2012, 1, 3), 100, 120, 101, 110, 5), "low above another price"),
        (DayRow(date(2012, 1, 3), 100, 120, 90, 110, 0), "volume not above 0"),
    ],
)
def test_an_impossible_row_is_found(row, fault):
    assert find_fault(row) == fault


def test_packing_gives_the_rows_back():
    rows = [ROW, DayRow(date(2012, 1, 4), 2**40, 2**41, 1, 7, 2**50)]
    assert unpack(pack({"A": rows, "B": rows[:1]})) == {"A": tuple(rows), "B": tuple(rows[:1])}


def test_a_file_of_another_format_is_a_bug():
    content = pack({"A": [ROW]}).replace(b'"format": 1', b'"format": 2')
    with pytest.raises(InvariantBroken):
        unpack(content)


def test_rows_are_found_by_date():
    history = load_history()["AAPL"]
    row = history.find_row(date(2012, 1, 3))
    assert row is not None
    assert row.c == 4_112_300
    assert history.find_row(date(2012, 1, 2)) is None
    assert history.until(date(1999, 1, 1)) == 0


def test_the_only_overnight_halvings_are_the_splits_and_the_fall_of_2000():
    found = []
    for symbol, history in load_history().items():
        for before, row in zip(history.rows, history.rows[1:], strict=False):
            if not Fraction(3, 4) < Fraction(row.o, before.c) < Fraction(4, 3):
                found.append((symbol, row.date.isoformat()))
    assert found == [
        ("AAPL", "2000-06-21"),
        ("AAPL", "2000-09-29"),
        ("AAPL", "2005-02-28"),
        ("MSFT", "2003-02-18"),
    ]
    split_days = [
        (symbol, split.ex_date.isoformat())
        for symbol in ("AAPL", "MSFT")
        for split in splits_of(symbol)
    ]
    assert [one for one in found if one not in split_days] == [("AAPL", "2000-09-29")]
    assert len(split_days) == 3


@pytest.mark.parametrize(
    ("day", "as_of", "factor"),
    [
        (date(2000, 3, 1), datetime(2012, 1, 3, 15, tzinfo=UTC), 4),
        (date(2000, 6, 21), datetime(2012, 1, 3, 15, tzinfo=UTC), 2),
        (date(2005, 2, 28), datetime(2012, 1, 3, 15, tzinfo=UTC), 1),
        (date(2000, 3, 1), datetime(2000, 6, 20, 15, tzinfo=UTC), 1),
        (date(2000, 3, 1), datetime(2000, 6, 21, 13, 29, 59, tzinfo=UTC), 1),
        (date(2000, 3, 1), datetime(2000, 6, 21, 13, 30, tzinfo=UTC), 2),
    ],
)
def test_old_prices_are_brought_to_the_terms_of_the_asking_day(day, as_of, factor):
    assert split_factor(splits_of("AAPL"), day, as_of) == factor


def test_a_split_takes_effect_at_the_open_of_its_date():
    for split in splits_of("AAPL"):
        session = session_on("XNYS", split.ex_date)
        assert session is not None
        assert split.effective_at == session.open
        assert (split.ratio_from, split.ratio_to) == (1, 2)
    assert splits_of("IBM") == ()
