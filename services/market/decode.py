"""Owns how bodies of market-data providers become records: tolerant fields, strict form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from services.kit.clock import EPOCH
from services.kit.errors import refuse

Record = dict[str, Any]
"""One decoded row: Decimals, texts, flags, aware UTC instants, dates, lists; absent is None."""

EASTERN = ZoneInfo("America/New_York")
_NUMBER = re.compile(
    r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?", re.ASCII
)
_MAGNITUDE_MAX = 30
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?![0-9])", re.ASCII)
_FRACTION = re.compile(r"(\.[0-9]{6})[0-9]+", re.ASCII)
_YEARS = (1900, 2200)
_EPOCH_SCALES = ((11, 6), (14, 3), (17, 0))
"""Most digits of an epoch in seconds, ms and us, and the power of ten to microseconds."""
_NANOS = -3


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the caller knows and a body does not say."""

    http_status: int = 200
    content_type: str = "application/json"
    feed: str = ""
    symbol: str = ""
    timeframe: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its records, where the next page is, and what it says about itself.

    `delayed` means that the plan gives no real-time data; `is_null` that the results were an
    explicit null, which the vendor has also sent for symbols that did trade.
    """

    records: list[Record]
    next_path: str | None = None
    delayed: bool = False
    is_null: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: the dotted places it may stand in, first found wins."""

    name: str
    places: tuple[str, ...]
    read: Callable[[Any], Any]
    required: bool = False


def field(name: str, places: str, read: Callable[[Any], Any], *, required: bool = False) -> Field:
    """Return a field whose `places` are given as one text, separated by blanks."""
    return Field(name, tuple(places.split()), read, required)


def refuse_body(provider: str, reason: str) -> NoReturn:
    """Raise `PROVIDER_BODY_INVALID` with the reason as a fact."""
    raise refuse("PROVIDER_BODY_INVALID", provider=provider, reason=reason)


def read_json(body: bytes, provider: str) -> Any:
    """Return the document of `body`; numbers with a point are Decimals, integers stay whole.

    Raises `PROVIDER_UNAVAILABLE` for a page where JSON was due and `PROVIDER_BODY_INVALID` for
    everything else that is no JSON document: half a body, NaN, absurd numbers, deep nesting.
    """
    if is_page(body):
        raise refuse("PROVIDER_UNAVAILABLE", provider=provider, reason="a page, not JSON")
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            parse_float=_json_number,
            parse_int=_json_whole,
            parse_constant=_json_constant,
        )
    except (ValueError, RecursionError, InvalidOperation):
        refuse_body(provider, "not a JSON document")


def is_page(body: bytes) -> bool:
    """Return whether the bytes start like HTML."""
    start = body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<center", b"<title"))


def _json_number(text: str) -> Decimal:
    value = Decimal(text)
    if abs(value.adjusted()) > _MAGNITUDE_MAX and value != 0:
        raise ValueError("a number out of all proportion")
    return value


def _json_whole(text: str) -> int:
    if len(text) > _MAGNITUDE_MAX:
        raise ValueError("an integer out of all proportion")
    return int(text)


def _json_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def as_list(value: Any) -> list[Any]:
    """Return one-or-many as a list: null, `"null"`, `""` and null elements are nothing."""
    if _is_null(value):
        return []
    if isinstance(value, list):
        return [item for item in value if not _is_null(item)]
    return [value]


def rows_of(value: Any, provider: str) -> list[Mapping[str, Any]]:
    """Return one-or-many objects; anything else in their place is `PROVIDER_BODY_INVALID`."""
    found = as_list(value)
    if not all(isinstance(row, dict) for row in found):
        refuse_body(provider, "a row that is no object")
    return found


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in ("", "null"))


def find_at(row: Any, place: str) -> Any:
    """Return what stands at a dotted place, or None."""
    for part in place.split("."):
        if not isinstance(row, dict):
            return None
        row = row.get(part)
    return None if _is_null(row) else row


def build_record(row: Any, fields: Sequence[Field], provider: str) -> Record:
    """Return the record of one row; a required field missing is `PROVIDER_BODY_INVALID`."""
    record: Record = {}
    for one in fields:
        value = None
        for place in one.places:
            value = one.read(find_at(row, place))
            if value is not None:
                break
        if value is None and one.required:
            refuse_body(provider, f"{one.name} is missing")
        record[one.name] = value
    return record


def number(value: Any) -> Decimal | None:
    """Return the Decimal of a JSON number or a numeric text; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        found = Decimal(value.strip())
        return found if found == 0 or abs(found.adjusted()) <= _MAGNITUDE_MAX else None
    return None


def text(value: Any) -> str | None:
    """Return a text or the text of an integer; blanks around it are cut, empty is None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or _is_null(value):
        return None
    return value.strip()


def upper(value: Any) -> str | None:
    """Return a text in capitals."""
    found = text(value)
    return None if found is None else found.upper()


def currency(value: Any) -> str | None:
    """Return a three-letter currency in capitals; every other text is None."""
    found = upper(value)
    return found if found is not None and re.fullmatch(r"[A-Z]{3}", found, re.ASCII) else None


def flag(value: Any) -> bool | None:
    """Return a JSON flag, or the flag that a text spells."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    return {"true": True, "false": False}.get(word)


def words(value: Any) -> list[str]:
    """Return one-or-many texts."""
    return [found for found in map(text, as_list(value)) if found is not None]


def numbers(value: Any) -> list[Decimal]:
    """Return one-or-many numbers."""
    return [found for found in map(number, as_list(value)) if found is not None]


def day(value: Any) -> date | None:
    """Return the date that an ISO text starts with."""
    found = _DAY.match(value.strip()) if isinstance(value, str) else None
    try:
        return None if found is None else date.fromisoformat(found[1])
    except ValueError:
        return None


def instant(value: Any) -> datetime | None:
    """Return the UTC instant of an epoch in s, ms, us or ns (by magnitude), or of an ISO text.

    Nanoseconds are cut to microseconds. A text without a zone is Eastern wall time, which is how
    Tradier writes it. Worked: 1601316752683746 and 1601316752683 are the same second.
    """
    found = number(value)
    moment = _from_text(value) if found is None else _from_epoch(found)
    return moment if moment is not None and _YEARS[0] <= moment.year <= _YEARS[1] else None


def _from_epoch(value: Decimal) -> datetime | None:
    if value <= 0:
        return None
    digits = value.adjusted() + 1
    scale = next((scale for most, scale in _EPOCH_SCALES if digits <= most), _NANOS)
    micros = int(value.scaleb(scale))
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None


def _from_text(value: Any) -> datetime | None:
    if not isinstance(value, str) or _DAY.match(value.strip()) is None:
        return None
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", value.strip()))
    except ValueError:
        return None
    return (moment.replace(tzinfo=EASTERN) if moment.tzinfo is None else moment).astimezone(UTC)


def word_of(table: Mapping[str, str]) -> Callable[[Any], str | None]:
    """Return a reader of a closed set: unlisted words become `unknown`, absent stays None."""

    def read(value: Any) -> str | None:
        found = text(value)
        return None if found is None else table.get(found.lower(), "unknown")

    return read


def drop_empty_side(record: Record) -> None:
    """Make a side with price 0 and size 0 absent: nobody quotes there."""
    for side in ("bid", "ask"):
        size = f"{side}_size"
        if record[side] == 0 and record.get(size) == 0:
            record[side] = record[size] = None
