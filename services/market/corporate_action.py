"""Owns the splits of the bundled history and the factor that brings old prices to today's terms."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction

from services.market.feed import Split
from services.market.session import get_session

_CALENDAR = "XNYS"
_SPLITS = {
    "AAPL": ((date(2000, 6, 21), 1, 2), (date(2005, 2, 28), 1, 2)),
    "MSFT": ((date(2003, 2, 18), 1, 2),),
}


def splits_of(symbol: str) -> tuple[Split, ...]:
    """Return every split of a bundled symbol, ascending; effective at the open of its ex-date."""
    return tuple(_split(day, before, after) for day, before, after in _SPLITS.get(symbol, ()))


def _split(day: date, ratio_from: int, ratio_to: int) -> Split:
    return Split(day, get_session(_CALENDAR, day).open, ratio_from, ratio_to)


def split_factor(splits: Sequence[Split], day: date, as_of: datetime) -> Fraction:
    """Return new units per unit of `day`, by the splits after it that `as_of` has reached.

    A price of that day is divided by the factor, a volume multiplied. Worked: AAPL of 2000-03-01
    seen in 2012 has 4, seen on 2000-06-20 it has 1.
    """
    factor = Fraction(1)
    for split in splits:
        if day < split.ex_date and split.effective_at <= as_of:
            factor *= Fraction(split.ratio_to, split.ratio_from)
    return factor
