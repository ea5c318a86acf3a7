"""Owns the canonical form of documents (RFC 8785) and their tagged hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any

import rfc8785

from services.kit.clock import instant_text
from services.kit.errors import refuse
from services.kit.money import decimal_text

_SAFE_INTEGER = 2**53
_SURROGATES = "\ud800"
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


class _NoForm(Exception):
    """A value somewhere inside has no canonical form; the slow walk says where."""


def document(value: object, path: str = "$") -> Any:
    """Return `value` as a plain document: Decimals and instants as text, absent fields left out.

    Dataclasses and mappings become objects, in which None means absent. Raises `CANON_FLOAT`
    for a float and for an integer of 2^53 or more, with the path.
    """
    try:
        return _plain(value)
    except _NoForm:
        return _located(value, path)


def _plain(value: object) -> Any:
    """Return the document without keeping track of paths; most of a plan's time is here."""
    write = _WRITERS.get(type(value))
    return _other(value) if write is None else write(value)


def _same(value: Any) -> Any:
    return value


def _whole(value: int) -> int:
    if abs(value) >= _SAFE_INTEGER:
        raise _NoForm
    return value


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        key if type(key) is str else str(key): item if type(item) is str else _plain(item)
        for key, item in value.items()
        if item is not None
    }


def _items(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [item if type(item) is str else _plain(item) for item in value]


def _other(value: object) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {
            name: item if type(item) is str else _plain(item)
            for name in _field_names(type(value))
            if (item := getattr(value, name)) is not None
        }
    if isinstance(value, Mapping):
        return _mapping(value)
    raise _NoForm


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


_WRITERS: dict[type, Callable[[Any], Any]] = {
    str: _same,
    bool: _same,
    type(None): _same,
    Decimal: decimal_text,
    int: _whole,
    dict: _mapping,
    list: _items,
    tuple: _items,
    datetime: instant_text,
    date: date.isoformat,
}


def _located(value: object, path: str) -> Any:
    """Return the document of any value, or refuse with the path of what has none."""
    if value is None or isinstance(value, (bool, str)):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, Enum):
        return _located(value.value, path)
    if isinstance(value, date):
        return instant_text(value) if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= _SAFE_INTEGER):
        raise refuse("CANON_FLOAT", path=path)
    return value if isinstance(value, int) else _container(value, path)


def _container(value: object, path: str) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {
            str(key): item if type(item) is str else _located(item, f"{path}.{key}")
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, (list, tuple)):
        return [_located(item, f"{path}[{at}]") for at, item in enumerate(value)]
    raise TypeError(f"{type(value).__name__} at {path} has no canonical form")


def canonical(value: object) -> bytes:
    """Return the RFC 8785 bytes of the document of `value`.

    A document holds no floats, so the standard encoder writes the same bytes, many times faster,
    as long as no character lies behind U+D7FF: only there does the order of keys by code point
    differ from the order by UTF-16 unit that the RFC asks for.
    """
    return _bytes(document(value))


def _bytes(plain: Any) -> bytes:
    text = _encode(plain)
    if text.isascii() or max(text) < _SURROGATES:
        return text.encode()
    return rfc8785.dumps(plain)


def tagged_hash(tag: str, value: object) -> str:
    r"""Return `sha256:` + hex(SHA256(tag + "\n" + canonical bytes)); `tag` such as `order/v1`."""
    return bytes_hash(tag, canonical(value))


def plain_hash(tag: str, plain: Any) -> str:
    """Return the tagged hash of what `document` has made already; nothing is walked again."""
    return bytes_hash(tag, _bytes(plain))


def bytes_hash(tag: str, canonical_bytes: bytes) -> str:
    """Return the tagged hash of bytes that are canonical already, such as stored ones."""
    return "sha256:" + hashlib.sha256(tag.encode() + b"\n" + canonical_bytes).hexdigest()
