"""Owns how prices and shares are said in plain English; the exact figure stays in the result."""

from __future__ import annotations

from decimal import Decimal

from services.kit.money import decimal_text, rounded

_CENTS = 2


def price_words(price: Decimal) -> str:
    """Return a price with at least two decimals, none of its digits lost.

    Worked: 409.2 is `409.20`, 26.5713 is `26.5713`, 100 is `100.00`.
    """
    text = decimal_text(price)
    places = len(text.partition(".")[2])
    return text if places >= _CENTS else f"{price:.{_CENTS}f}"


def pct_words(fraction: Decimal) -> str:
    """Return a fraction as a percentage of at most two decimals. Worked: 0.0300098 is `3%`."""
    return f"{decimal_text(rounded(100 * fraction, 2))}%"
