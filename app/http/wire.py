"""Owns how values go onto the wire: decimals as text, instants as ISO text, and the input types."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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


def dump(value: object) -> bytes:
    """Return the JSON bytes of dataclasses, models, mappings and plain values."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def document(value: object) -> Any:
    """Return the plain document that `dump` writes."""
    return orjson.loads(dump(value))


def _plain(value: object) -> Any:
    match value:
        case Decimal():
            return decimal_text(value)
        case datetime():
            return instant_text(value)
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case BaseModel():
            return dict(value)
        case str():
            return str(value)
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return sorted(value)
        case tuple():
            return list(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no wire form")
