"""Owns the reading of numbers in plain text: value, written precision and unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Unit = Literal["plain", "pct", "bps", "r", "money", "ratio"]
_SCALE = {"k": 3, "m": 6, "mn": 6, "b": 9, "bn": 9, "million": 6, "billion": 9, "thousand": 3}
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_#.:/,])(?P<open>\()?(?P<sign>[-+\u2212\u2013](?=[$\u00a3\u20ac]?[0-9.]))?"
    r"(?P<cur>[$\u00a3\u20ac])?(?P<sign2>[-\u2212](?=[0-9.]))?"
    r"(?P<num>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:\s?(?P<scale>k|K|M|mn|B|bn|million|billion|thousand)\b)?"
    r"(?P<unit>\s?%|\s?percent\b|\s?per cent\b|\s?bps?\b|\s?basis points\b|\s?R\b|\s?:\s?1\b"
    r"|\s?(?:USD|GBP|EUR|dollars?|pounds?)\b)?(?P<close>\))?(?![A-WYZa-wyz0-9_]|\.[0-9]|:[0-9])",
    re.ASCII,
)
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_MOMENT = re.compile(
    r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+Z?)?"
    r"|\b[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\.[0-9]+)?"
    r"(?:\s?(?:Z|UTC|ET|am|pm)\b)?(?![0-9])"
    rf"|\b[0-9]{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}(?:,?\s+[0-9]{{4}})?"
    rf"|\b{_MONTH}\s+[0-9]{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+[0-9]{{4}})?|\b{_MONTH}\s+[0-9]{{4}}\b",
    re.ASCII,
)
_WORDS = {
    word: at
    for at, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ]
    )
} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "hundred": 100,
    "a hundred": 100,
    "one hundred": 100,
    "a dozen": 12,
    "a thousand": 1000,
    "one thousand": 1000,
}
_WORD = re.compile(
    r"\b(?:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + r")\b", re.IGNORECASE
)
_MAX_DIGITS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number as written: `places` are its decimals, `step` the unit of its last place."""

    text: str
    value: Decimal
    places: int
    unit: Unit
    start: int
    end: int

    @property
    def step(self) -> Decimal:
        """Return what the last written place stands for; `2.3M` has a step of 100,000."""
        return Decimal(1).scaleb(-self.places)


def figures_in(text: str) -> list[Figure]:
    """Return the ASCII numbers of a text in order; dates, times and ids hold none.

    Worked: `($1,250.50)` is -1250.50 money; `2.3M` is 2300000 with a step of 100000.
    """
    timeless = _MOMENT.sub(lambda found: " " * len(found[0]), text)
    return [
        _figure(found) for found in _NUMBER.finditer(timeless) if len(found["num"]) <= _MAX_DIGITS
    ]


def _figure(found: re.Match[str]) -> Figure:
    digits = found["num"].replace(",", "")
    shift = _SCALE.get((found["scale"] or "").lower(), 0)
    value = Decimal(digits).scaleb(shift)
    minus = found["sign"] in ("-", "\u2212") or found["sign2"]
    wrapped = found["open"] and found["close"] and (found["cur"] or found["unit"])
    if minus or wrapped:
        value = -value
    places = len(digits.partition(".")[2]) - shift
    return Figure(
        text=found[0].strip("()" if not wrapped else ""),
        value=value,
        places=places,
        unit=_unit(found),
        start=found.start(),
        end=found.end(),
    )


def _unit(found: re.Match[str]) -> Unit:
    word = (found["unit"] or "").strip().lower()
    if word in ("%", "percent", "per cent"):
        return "pct"
    if word in ("bp", "bps", "basis points"):
        return "bps"
    if word == "r":
        return "r"
    if word.endswith("1") and ":" in word:
        return "ratio"
    return "money" if found["cur"] or word else "plain"


def word_numbers(text: str) -> list[Decimal]:
    """Return the numbers that are written as words, up to a thousand."""
    return [Decimal(_WORDS[found[0].lower()]) for found in _WORD.finditer(text)]
