"""Owns making the bundled history from `bokeh_sampledata`; run it as a module, then commit."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from datetime import date
from decimal import Decimal
from importlib.metadata import files

from services.kit.errors import check
from services.market.history.layout import FILE, SCALE, DayRow, find_fault, pack
from services.market.session import session_on

SOURCE = "bokeh_sampledata/_data/stocks.csv.gz"


def read_source() -> dict[str, list[DayRow]]:
    """Return the rows of the installed package by symbol, refused when one can not be true.

    Nothing is repaired: an inexact price, an impossible row, a date without a session or a
    missing session stops the build.
    """
    entry = next(path for path in files("bokeh_sampledata") or [] if str(path) == SOURCE)
    text = gzip.decompress(entry.read_binary()).decode("ascii")
    series: dict[str, list[DayRow]] = {}
    for line in csv.DictReader(io.StringIO(text)):
        series.setdefault(line["Ticker"], []).append(_row(line))
    for symbol, rows in series.items():
        _require_sound(symbol, rows)
    return series


def _row(line: dict[str, str]) -> DayRow:
    prices = [Decimal(line[name]) * SCALE for name in ("Open", "High", "Low", "Close")]
    check(all(price == int(price) for price in prices), "prices have at most 4 decimals", row=line)
    opens, high, low, close = (int(price) for price in prices)
    return DayRow(date.fromisoformat(line["Date"]), opens, high, low, close, int(line["Volume"]))


def _require_sound(symbol: str, rows: list[DayRow]) -> None:
    before = None
    for row in rows:
        fault = find_fault(row)
        check(fault is None, "a row must be possible", symbol=symbol, date=row.date, fault=fault)
        session = session_on("XNYS", row.date)
        check(session is not None, "a row needs a session", symbol=symbol, date=row.date)
        check(before is None or row.date > before, "dates ascend", symbol=symbol, date=row.date)
        before = row.date


def main() -> None:
    """Write the file anew and print its digest for `PROVENANCE.md`."""
    content = pack(read_source())
    FILE.write_bytes(content)
    print(f"{FILE.name} {len(content)} bytes sha256 {hashlib.sha256(content).hexdigest()}")  # noqa: T201


if __name__ == "__main__":
    main()
