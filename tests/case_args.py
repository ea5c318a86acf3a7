"""Owns reading the input of a golden case: each value by its type, `PARAM_INVALID` otherwise."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.kit.clock import parse_instant
from services.kit.errors import Refusal, refuse
from services.kit.money import rounded
from tests.case_value import find_number

MISSING: Any = object()
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def invalid(name: str, value: object, rule: str) -> Refusal:
    """Return the refusal of one argument."""
    return refuse("PARAM_INVALID", name=name, value=str(value)[:60], rule=rule)


class Args:
    """The input of one case. A null counts as not given; a required value must be there."""

    def __init__(self, given: object, name: str = "input") -> None:
        if not isinstance(given, dict):
            raise invalid(name, given, "must be an object")
        self.given = given

    def raw(self, name: str, default: Any = MISSING) -> Any:
        """Return the value as it stands, or the default."""
        value = self.given.get(name)
        if value is not None:
            return value
        if default is MISSING:
            raise invalid(name, value, "is required")
        return default

    def dec(self, name: str, default: Any = MISSING) -> Any:
        """Return a Decimal."""
        value = self.raw(name, default)
        return value if value is default else as_decimal(name, value)

    def decs(self, name: str, default: Any = MISSING) -> Any:
        """Return a tuple of Decimals."""
        value = self.raw(name, default)
        return (
            value if value is default else tuple(as_decimal(name, x) for x in as_list(name, value))
        )

    def floats(self, name: str) -> list[float]:
        """Return a list of float64."""
        return [float(as_decimal(name, item)) for item in as_list(name, self.raw(name))]

    def real(self, name: str, default: Any = MISSING) -> Any:
        """Return a float64."""
        value = self.raw(name, default)
        return value if value is default else float(as_decimal(name, value))

    def integer(self, name: str, default: Any = MISSING) -> Any:
        """Return a whole number."""
        value = self.raw(name, default)
        return value if value is default else as_whole(name, value)

    def flag(self, name: str, default: Any = MISSING) -> Any:
        """Return true or false."""
        value = self.raw(name, default)
        if not isinstance(value, bool):
            raise invalid(name, value, "must be true or false")
        return value

    def text(self, name: str, default: Any = MISSING) -> Any:
        """Return a text."""
        value = self.raw(name, default)
        if value is not default and not isinstance(value, str):
            raise invalid(name, value, "must be a text")
        return value

    def word(self, name: str, *allowed: str, default: Any = MISSING) -> Any:
        """Return one of the allowed words."""
        value = self.text(name, default)
        if value is not default and value not in allowed:
            raise invalid(name, value, "must be one of " + ", ".join(allowed))
        return value

    def instant(self, name: str) -> datetime:
        """Return a UTC time."""
        text = self.text(name)
        try:
            if INSTANT.fullmatch(text):
                return parse_instant(text)
        except ValueError:
            pass
        raise invalid(name, text, "must be YYYY-MM-DDTHH:MM:SS.mmmZ")

    def day(self, name: str) -> date:
        """Return a date."""
        text = self.text(name)
        try:
            if DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        raise invalid(name, text, "must be YYYY-MM-DD")

    def items(self, name: str) -> list[Args]:
        """Return the objects of a list."""
        return [Args(item, name) for item in as_list(name, self.raw(name))]


def as_list(name: str, value: object) -> list[Any]:
    """Return the value when it is a list."""
    if not isinstance(value, list):
        raise invalid(name, value, "must be a list")
    return value


def as_decimal(name: str, value: object) -> Decimal:
    """Return the Decimal of a number or a numeric string."""
    number = find_number(value)
    if number is None or len(str(value)) > 60 or abs(number.adjusted()) > 40:
        raise invalid(name, value, "must be a decimal number")
    return number


def as_whole(name: str, value: object) -> int:
    """Return the value when it is a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(name, value, "must be a whole number")
    return value


def fixed(value: Decimal | None, places: int) -> str | None:
    """Return the value half-even at `places`, never as minus zero; null stays null."""
    if value is None:
        return None
    number = rounded(value, places)
    return format(number.copy_abs() if number == 0 else number, "f")
