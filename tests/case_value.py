"""Owns how golden values are read and compared, by the rules of the golden interface."""

from __future__ import annotations

import json
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Self

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


class JsonFloat(float):
    """A JSON number with a point or an exponent, which also keeps its text."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number


def load_json(path: Path) -> Any:
    """Return the document of a file; JSON numbers that are no integers keep their text."""
    return json.loads(path.read_text(encoding="utf-8"), parse_float=JsonFloat)


def find_number(value: object) -> Decimal | None:
    """Return the Decimal of a number or a numeric string; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int):
        return Decimal(value)
    text = value.text if isinstance(value, JsonFloat) else value
    text = repr(text) if isinstance(text, float) else text
    return Decimal(text) if isinstance(text, str) and NUMBER.fullmatch(text) else None


def differences(expected: object, actual: object, tolerance: str, path: str = "$") -> list[str]:
    """Return one sentence per place where `actual` does not hold what is expected."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{path}: expected an object, got {actual!r}"]
        found = [f"{path}.{key} is missing" for key in expected if key not in actual]
        for key, item in expected.items():
            if key in actual:
                found += differences(item, actual[key], tolerance, f"{path}.{key}")
        return found
    if isinstance(expected, list):
        if not isinstance(actual, (list, tuple)):
            return [f"{path}: expected a list, got {actual!r}"]
        if len(expected) != len(actual):
            return [f"{path}: expected {len(expected)} elements, got {len(actual)}"]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [
            line for at, (a, b) in pairs for line in differences(a, b, tolerance, f"{path}[{at}]")
        ]
    same = _same_scalar(expected, actual, tolerance)
    shown = expected.text if isinstance(expected, JsonFloat) else expected
    return [] if same else [f"{path}: expected {shown!r}, got {actual!r}"]


def _same_scalar(expected: object, actual: object, tolerance: str) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None:
        return type(expected) is type(actual) and expected == actual
    wanted, got = find_number(expected), find_number(actual)
    if wanted is None or got is None:
        return wanted is None and got is None and expected == actual
    if tolerance == "exact":
        places = min(0, int(wanted.as_tuple().exponent))
        try:
            return got.quantize(Decimal(1).scaleb(places), context=_WIDE) == wanted
        except InvalidOperation:
            return False
    return abs(got - wanted) <= Decimal(tolerance)
