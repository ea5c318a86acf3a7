"""Owns the form of the bundled history file: packing rows into bytes, and reading them back."""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path

from services.kit.errors import check

FILE = Path(__file__).resolve().parent / "wiki_daily.bin"
SCALE = 10_000
"""Prices are whole numbers of 1/10000 dollar."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class DayRow:
    """One session as the source has it, unadjusted: prices in 1/10000, volume in shares."""

    date: date
    o: int
    h: int
    l: int  # noqa: E741 - the field's own letter, as in every feed
    c: int
    v: int


def find_fault(row: DayRow) -> str | None:
    """Return what can not be true about a row, None when it holds."""
    if min(row.o, row.h, row.l, row.c) <= 0:
        return "price not above 0"
    if row.h < max(row.o, row.c, row.l):
        return "high below another price"
    if row.l > min(row.o, row.c):
        return "low above another price"
    return "volume not above 0" if row.v <= 0 else None


def pack(series: dict[str, list[DayRow]]) -> bytes:
    """Return the file's bytes: one header line of JSON, then the columns, compressed.

    Columns hold differences from row to row, eight bytes each, little-endian.
    """
    header = {
        "format": _FORMAT,
        "scale": SCALE,
        "rows": {symbol: len(rows) for symbol, rows in sorted(series.items())},
    }
    body = b"".join(
        _pack_column([_cell(row, column) for row in rows])
        for _, rows in sorted(series.items())
        for column in range(6)
    )
    return json.dumps(header).encode() + b"\n" + zlib.compress(body, 9)


def unpack(content: bytes) -> dict[str, tuple[DayRow, ...]]:
    """Return the rows of every symbol, ascending by date. A damaged file is a bug."""
    line, _, packed = content.partition(b"\n")
    header = json.loads(line)
    check(header["format"] == _FORMAT and header["scale"] == SCALE, "known history format")
    body, at = zlib.decompress(packed), 0
    series: dict[str, tuple[DayRow, ...]] = {}
    for symbol, count in header["rows"].items():
        columns = [
            _unpack_column(body[at + 8 * count * n : at + 8 * count * (n + 1)]) for n in range(6)
        ]
        at += 48 * count
        series[symbol] = tuple(
            DayRow(date.fromordinal(day), *rest) for day, *rest in zip(*columns, strict=True)
        )
    check(at == len(body), "the history file holds what its header says")
    return series


def _cell(row: DayRow, column: int) -> int:
    return (row.date.toordinal(), row.o, row.h, row.l, row.c, row.v)[column]


def _pack_column(numbers: list[int]) -> bytes:
    steps = [now - before for before, now in zip([0, *numbers], numbers, strict=False)]
    planes = struct.pack(f"<{len(steps)}q", *steps)
    return b"".join(planes[offset::8] for offset in range(8))


def _unpack_column(planes: bytes) -> array[int]:
    count = len(planes) // 8
    content = bytearray(len(planes))
    for offset in range(8):
        content[offset::8] = planes[offset * count : (offset + 1) * count]
    return array("q", accumulate(struct.unpack(f"<{count}q", content)))
