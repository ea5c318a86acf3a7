"""Owns many bars at once: whether they can be true, and their text in a hashed document."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from operator import attrgetter

from services.kit.clock import instant_text
from services.kit.errors import refuse
from services.kit.money import decimal_text
from services.market.bar import Bar, validate_bars

_ZERO, _INFINITY = Decimal(0), Decimal("Infinity")
_INSTANTS = 16_384
"""Texts of bars' starts that are kept: symbols of one market share them."""


def require_sound(bars: Sequence[Bar]) -> None:
    """Refuse NaN and prices that can not be true; nothing is computed from them."""
    if _are_sound(bars):
        return
    for bar in bars:
        if not all(value.is_finite() for value in (bar.o, bar.h, bar.l, bar.c, bar.v)):
            raise refuse("BAR_INVALID", ts=instant_text(bar.t_open), check="not a number")
    validate_bars(bars)


def _are_sound(bars: Sequence[Bar]) -> bool:
    """Return whether every bar is as `validate_bars` wants it, in one pass without a message."""
    last = None
    try:
        for bar in bars:
            low, high = bar.l, bar.h
            if not (_ZERO < low <= bar.o <= high < _INFINITY and low <= bar.c <= high):
                return False
            if not _ZERO <= bar.v < _INFINITY or (last is not None and bar.t_open <= last):
                return False
            last = bar.t_open
    except InvalidOperation:
        return False
    return True


_instant = lru_cache(maxsize=_INSTANTS)(instant_text)
_numbers = attrgetter("o", "h", "l", "c", "v")
_t_open = attrgetter("t_open")


def bar_rows(bars: Sequence[Bar]) -> list[str]:
    """Return the bars as they stand in the document `bars/v1`."""
    texts = [
        text if text[-1] in "123456789" and "E" not in text else _tidy(text)
        for text in map(str, chain.from_iterable(map(_numbers, bars)))
    ]
    by_five = [iter(texts)] * 5
    return [
        f'["{begun}","{o}","{h}","{low}","{c}","{v}"]'
        for begun, o, h, low, c, v in zip(map(_instant, map(_t_open, bars)), *by_five, strict=True)
    ]


def vwap_rows(bars: Sequence[Bar]) -> list[str]:
    """Return the start and the provider's own average of the bars that have one."""
    return [f"{_instant(bar.t_open)} {decimal_text(bar.vw)};" for bar in bars if bar.vw is not None]


def _tidy(text: str) -> str:
    """Return `decimal_text` of the number that a text of `str` stands for."""
    if text.isdigit():
        return text
    whole, _, rest = text.partition(".")
    if whole.isdigit() and rest.isdigit():
        rest = rest.rstrip("0")
        return f"{whole}.{rest}" if rest else whole
    return decimal_text(Decimal(text))
