"""Owns the rows of Massive's stream as they are on the wire, and what of them can be true."""

from __future__ import annotations

from decimal import Decimal

import msgspec

_PRICE_MIN, _AMOUNT_MAX = Decimal("1e-12"), Decimal("1e15")
_SYMBOL_MAX = 40
_OUTSIDE = ("X:", "C:")


class EventRow(msgspec.Struct, tag_field="ev", gc=False):
    """One event; `ev` says which."""


class TradeRow(EventRow, tag="T", gc=False):
    """A trade."""

    sym: str
    p: Decimal
    t: int
    s: Decimal | None = None
    ds: Decimal | None = None
    c: list[int] | int | None = None
    i: str | int | None = None
    x: int | None = None
    q: int = 0


class QuoteRow(EventRow, tag="Q", gc=False):
    """The best bid and ask."""

    sym: str
    t: int
    bp: Decimal | None = None
    ap: Decimal | None = None
    bs: Decimal | None = None
    as_: Decimal | None = msgspec.field(default=None, name="as")
    q: int = 0


class SecondRow(EventRow, tag="A", gc=False):
    """A bar of a second."""

    sym: str
    s: int
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter
    c: Decimal
    e: int | None = None
    v: Decimal | None = None
    dv: Decimal | None = None
    vw: Decimal | None = None


class MinuteRow(SecondRow, tag="AM", gc=False):
    """A bar of a minute."""


class ValueRow(EventRow, tag="V", gc=False):
    """The value of an index."""

    T: str
    val: Decimal
    t: int


class FairRow(EventRow, tag="FMV", gc=False):
    """The fair value of a contract."""

    sym: str
    fmv: Decimal
    t: int


class BandRow(EventRow, tag="LULD", gc=False):
    """The limits of a stock."""

    T: str
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter
    t: int
    i: list[int] | int | None = None


class StatusRow(EventRow, tag="status", gc=False):
    """A word about the connection itself."""

    status: str
    message: str | None = None


OtherRow = SecondRow | MinuteRow | ValueRow | FairRow | BandRow | StatusRow
Row = TradeRow | QuoteRow | OtherRow


class Unsound(ValueError):
    """A row that decodes and can not be true; its text is the reason."""


def sound_symbol(text: str) -> str:
    """Return the symbol of a stock, option or index; raises `Unsound` for any other text."""
    if not text or len(text) > _SYMBOL_MAX or not text.isascii() or not text.isprintable():
        raise Unsound("invalid")
    if text.startswith(_OUTSIDE):
        raise Unsound("unknown")
    return text


def sound_price(value: Decimal) -> Decimal:
    """Return a price from 1e-12 to 1e15; raises `Unsound` for any other number."""
    if not (value.is_finite() and _PRICE_MIN <= value <= _AMOUNT_MAX):
        raise Unsound("invalid")
    return value


def sound_amount(value: Decimal) -> Decimal:
    """Return a size from 0 to 1e15; raises `Unsound` for any other number."""
    if not (value.is_finite() and 0 <= value <= _AMOUNT_MAX):
        raise Unsound("invalid")
    return value
