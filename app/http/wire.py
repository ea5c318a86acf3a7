"""Owns how values go onto the wire: decimals as text, instants as ISO text, and the input types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, StringConstraints

from services.kit.clock import instant_text
from services.kit.money import decimal_text

_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_NON_STR_KEYS
)

Number = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,8})?$", max_length=24)]
"""A decimal of at least 0 as ASCII text."""
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9.:-]{0,14}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Line = Annotated[str, StringConstraints(max_length=300)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=8000)]


class Body(BaseModel):
    """A request body: frozen, strict, without members that the route does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (Decimal, decimal_text),
    (datetime, instant_text),
    (date, date.isoformat),
    (Enum, lambda value: value.value),
    ((BaseModel, Mapping), dict),
    (str, str),
    ((set, frozenset), sorted),
    (tuple, list),
)
"""How each kind that JSON has no form for is written; the first that fits counts."""


def dump(value: object) -> bytes:
    """Return the JSON bytes of dataclasses, models, mappings and plain values."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def document(value: object) -> Any:
    """Return the plain document that `dump` writes."""
    return orjson.loads(dump(value))


def _plain(value: object) -> Any:
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    raise TypeError(f"{type(value).__name__} has no wire form")
