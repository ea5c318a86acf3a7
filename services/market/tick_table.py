"""Owns the price steps of exchanges as data: by rule, by date, by price."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

_EVER = date(1, 1, 1)
_RTS11_SINCE = date(2018, 1, 3)
_RTS11_BANDS = 6
_RTS11_ROWS = 19
Steps = tuple[tuple[Decimal, Decimal], ...]


def _steps(*pairs: tuple[str, str]) -> Steps:
    return tuple((Decimal(at_least), Decimal(tick)) for at_least, tick in pairs)


def _one_two_five(at: int) -> Decimal:
    """Return 0.0001, 0.0002, 0.0005, 0.001 ... by index; the first for an index below 0."""
    tens, digit = divmod(max(0, at), 3)
    return Decimal((1, 2, 5)[digit]).scaleb(tens - 4)


def _rts11(band: int) -> Steps:
    """Return the steps of a liquidity band, 1 (fewest trades a day) to 6, highest price first.

    Source: the annex of Delegated Regulation (EU) 2017/588. Its price rows begin at 0.1, 0.2, 0.5
    and so on. Each row steps one place further up the same sequence of steps, each higher band one
    place lower. Worked: band 6 from 50 to 100 steps by 0.01, band 1 by 0.5.
    """
    return tuple(_rts11_rows(band))


def _rts11_rows(band: int) -> Iterator[tuple[Decimal, Decimal]]:
    for row in reversed(range(_RTS11_ROWS)):
        at_least = _one_two_five(row - 1) * 1000 if row else Decimal(0)
        yield at_least, _one_two_five(row + 3 - band)


TICKS: dict[str, tuple[tuple[date, Steps], ...]] = {
    "us_equity": ((_EVER, _steps(("1.00", "0.01"), ("0", "0.0001"))),),
    "us_option_penny": ((_EVER, _steps(("3.00", "0.05"), ("0", "0.01"))),),
    "us_option": ((_EVER, _steps(("3.00", "0.10"), ("0", "0.05"))),),
    **{f"rts11_{n}": ((_RTS11_SINCE, _rts11(n)),) for n in range(1, _RTS11_BANDS + 1)},
}
"""Tick tables: by rule, by the date they begin, pairs of (price from, tick), highest price first.

The amended Rule 612 of the SEC, when it applies, is one more dated row of `us_equity`.
"""
