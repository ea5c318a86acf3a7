"""Owns the strict reading of JSON bodies: what a lenient parser would let through is refused."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from services.kit.errors import Refusal, refuse

DEPTH_MAX = 32
_INTEGER_MAX = 2**53 - 1
_INTEGER_DIGITS_MAX = 17
_KEYS_MAX = 256
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_BAD_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def parse_json(body: bytes) -> Any:
    """Return the document of a JSON body.

    Refused with `BODY_INVALID`: bad UTF-8 or JSON, NaN and Infinity, numbers with a fraction or an
    exponent (decimals travel as text), integers of 2^53 or more, duplicate keys, nesting deeper
    than 32, lone surrogates, NUL and control characters other than tab and line ends.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid("the body is not UTF-8") from None
    _require_shallow(body)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except (json.JSONDecodeError, RecursionError):
        raise _invalid("the body is not JSON") from None
    _require_plain_text(document)
    return document


def require_plain(text: str, name: str) -> str:
    """Return `text` unless it holds control characters or surrogates. Raises `PARAM_INVALID`."""
    if _BAD_CHARACTER.search(text):
        raise refuse(
            "PARAM_INVALID",
            field=name,
            name=name,
            value="(not shown)",
            rule="no control characters",
        )
    return text


def _invalid(reason: str, field: str | None = None) -> Refusal:
    return refuse("BODY_INVALID", field=field, reason=reason)


def _require_shallow(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEPTH_MAX:
            raise _invalid(f"the body is nested deeper than {DEPTH_MAX}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _KEYS_MAX:
        raise _invalid(f"an object has more than {_KEYS_MAX} members")
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _invalid("an object names a member twice")
    return made


def _constant(_word: str) -> NoReturn:
    raise _invalid("NaN and Infinity are not numbers here")


def _float(_digits: str) -> NoReturn:
    raise _invalid('send decimal numbers as text, such as "1.25"')


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS_MAX or abs(int(digits)) > _INTEGER_MAX:
        raise _invalid("a whole number is too large; send it as text")
    return int(digits)


def _require_plain_text(value: Any) -> None:
    """Walk without recursion: the depth is bounded, the width is bounded by the body limit."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if _BAD_CHARACTER.search(item):
                raise _invalid("text holds a control character or a lone surrogate")
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
