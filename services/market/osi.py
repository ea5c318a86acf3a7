"""Owns the 21-character option symbol: reading it from providers' spellings, taking it apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from services.market.param import require

_OPTION = re.compile(
    r"(?:O:)?(?P<root>[A-Z][A-Z0-9.]{0,5}?) *(?P<day>[0-9]{6})(?P<right>[CP])(?P<strike>[0-9]{8})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class OptionName:
    """What an option symbol says; `osi` has the root padded to six with blanks."""

    osi: str
    root: str
    expiry: date
    right: Literal["call", "put"]
    strike: Decimal


def find_option(value: Any) -> OptionName | None:
    """Return the parts of an option symbol, or None when the text is none.

    Reads `AAPL  270115C00182500`, `AAPL270115C00182500` and `O:AAPL270115C00182500`; the first
    form is the 21 characters of the Options Symbology Initiative, the strike times 1000.
    Worked: each of them is AAPL, 2027-01-15, call, 182.5.
    """
    found = _OPTION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    compact = found["day"]
    try:
        expiry = date(2000 + int(compact[:2]), int(compact[2:4]), int(compact[4:]))
    except ValueError:
        return None
    root = found["root"]
    osi = f"{root:<6}{compact}{found['right']}{found['strike']}"
    right: Literal["call", "put"] = "call" if found["right"] == "C" else "put"
    return OptionName(osi, root, expiry, right, Decimal(found["strike"]) / 1000)


def osi_text(value: Any) -> str | None:
    """Return the 21-character form of a provider's option symbol, or None."""
    found = find_option(value)
    return None if found is None else found.osi


def build_osi(root: str, expiry: date, right: Literal["call", "put"], strike: Decimal) -> str:
    """Return the 21-character symbol of an option: padded root, yymmdd, C or P, strike * 1000.

    Raises `PARAM_INVALID` for parts that do not fit. Worked: AAPL, 2027-01-15, call, 182.5 is
    `AAPL  270115C00182500`.
    """
    thousandths = strike * 1000
    whole = thousandths == thousandths.to_integral_value()
    text = f"{root:<6}{expiry:%y%m%d}{right[0].upper()}{int(thousandths):08d}"
    fits = whole and strike > 0 and 2000 <= expiry.year < 2100 and find_option(text) is not None
    require(fits, "option", value=f"{root} {expiry} {right} {strike}", rule="must fit a symbol")
    return text
