"""Owns reading a stored document back into the frozen values it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from services.kit.clock import parse_instant
from services.kit.errors import check

T = TypeVar("T")


def revive(kind: type[T], value: object) -> T:
    """Return `value` of a canonical document as the dataclass `kind`, member by member.

    Decimals and instants come back from their text; what the document left out is None or the
    member's default. A value that does not fit is a broken invariant.
    Worked: `{"last": "1.50", ...}` as `QuoteFacts` has `last == Decimal("1.50")`.
    """
    return cast("T", _revived(kind, value))


def _revived(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return _dataclass(cast("type", kind), value)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        inner = [one for one in get_args(kind) if one is not NoneType]
        return None if value is None else _revived(inner[0], value)
    if origin is tuple:
        return _tuple(get_args(kind), value)
    if origin is Literal or kind in (str, int, bool):
        return value
    plain: dict[Any, Callable[[Any], Any]] = {
        Decimal: Decimal,
        datetime: parse_instant,
        date: date.fromisoformat,
    }
    check(kind in plain, "a stored member has a known type", kind=str(kind))
    return plain[kind](value)


def _tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_revived(kinds[0], one) for one in value or ())
    return tuple(_revived(kind, one) for kind, one in zip(kinds, value, strict=True))


def _dataclass(kind: type, value: Mapping[str, Any]) -> Any:
    hints = _hints(kind)
    given: dict[str, Any] = {}
    for one in fields(kind):
        if value.get(one.name) is not None:
            given[one.name] = _revived(hints[one.name], value[one.name])
        elif one.default is MISSING and one.default_factory is MISSING:
            given[one.name] = None
    return kind(**given)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
