"""Owns reading the messages that are as nearly all are: trades and quotes stay as they came."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, cast

import msgspec

from services.kit.clock import EPOCH
from services.market.stream_row import EventRow, OtherRow, Unsound, sound_amount, sound_symbol
from services.market.stream_tick import Bid, PriceTexts, Tick, TickPrice

SKEW_S = 2
"""How far a time may lie after the receiver's own before the row is dropped (`clock_skew`)."""
_SYMBOLS_MAX, _SIZES_MAX = 20_000, 32_768
_MS = timedelta(milliseconds=1)
_Ms = Annotated[int, msgspec.Meta(ge=10**12, lt=10**13)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class _Tick(EventRow, tag="T", gc=False, kw_only=True):
    """The members in the order of the wire, where the decoder finds each at once."""

    sym: str
    x: int | None = None
    i: str | int | None = None
    z: Any = None
    p: Any
    s: _Size = 0
    ds: Any = None
    c: tuple[int, ...] | None = ()
    t: _Ms
    q: _Number = 0


class _Bid(EventRow, tag="Q", gc=False, kw_only=True):
    """The members in the order of the wire."""

    sym: str
    bp: Any = None
    bs: _Size | None = None
    ap: Any = None
    as_: _Size | None = msgspec.field(default=None, name="as")
    t: _Ms
    q: int = 0


class Quick(NamedTuple):
    """What a message holds, each kind in the order sent."""

    ticks: list[Tick]
    bids: list[Bid]
    others: list[OtherRow]


class _Sizes(dict[str, "int | Decimal | None"]):
    """The sizes of texts, each read once; None for what is no size. It begins anew when full."""

    def __missing__(self, text: str) -> int | Decimal | None:
        if len(self) >= _SIZES_MAX:
            self.clear()
        found = self[text] = _read_size(text)
        return found


def _read_size(text: str) -> int | Decimal | None:
    try:
        size = sound_amount(msgspec.convert(text, Decimal))
    except (msgspec.ValidationError, Unsound):
        return None
    whole = int(size)
    return whole if whole == size else size


_PRICES, _SIZES = PriceTexts(), _Sizes()
_ROWS = msgspec.json.Decoder(list[_Tick | _Bid | OtherRow], float_hook=_PRICES.__getitem__)
_symbols: set[str] = set()
"""Symbols that were found to be sound."""


def read_quick(body: bytes, received_at: datetime) -> Quick | None:
    """Return the rows of a message whose trades and quotes are all sound; None for any other.

    A text of a price is read once and remembered, a symbol checked once. None says nothing about
    the message but that it has to be read with more care.
    """
    try:
        rows = _ROWS.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    latest = (received_at - EPOCH) // _MS + SKEW_S * 1000
    known = _symbols
    bids: list[Bid] = []
    others: list[OtherRow] = []
    for row in rows:  # each step of this loop is paid for by every trade
        if row.__class__ is _Tick:
            if row.p.__class__ is TickPrice and row.t <= latest and row.sym in known:
                if row.ds is None or _take_size(row):
                    continue
                return None
            if not _mend(row, latest):
                return None
        elif row.__class__ is _Bid:
            if not (
                row.bp.__class__ is row.ap.__class__ is TickPrice
                and row.t <= latest
                and row.sym in known
            ) and not _mend_bid(row, latest):
                return None
            bids.append(cast("Bid", row))
        else:
            others.append(cast("OtherRow", row))
    mixed = bids or others
    ticks = [row for row in rows if row.__class__ is _Tick] if mixed else rows
    return Quick(cast("list[Tick]", ticks), bids, others)


def _mend(row: _Tick, latest: int) -> bool:
    """Make a trade with a whole price, an exact size or a new symbol sound; False if it is not."""
    row.p = _price(row.p)
    if row.ds is not None and not _take_size(row):
        return False
    return row.p.__class__ is TickPrice and row.t <= latest and _is_sound(row.sym)


def _take_size(row: _Tick) -> bool:
    """Take the exact size: a whole one as `s`, one with a fraction as `ds`; False for no size."""
    told = row.ds.exact if row.ds.__class__ is TickPrice else row.ds
    if told.__class__ not in (str, int, Decimal):
        return False
    size = _SIZES[str(told)]
    if size.__class__ is int:
        row.s, row.ds = size, None
    else:
        row.ds = size
    return size is not None


def _mend_bid(row: _Bid, latest: int) -> bool:
    row.bp, row.ap = _price(row.bp), _price(row.ap)
    both = row.bp.__class__ is row.ap.__class__ is TickPrice
    return both and row.t <= latest and _is_sound(row.sym)


def _price(value: object) -> object:
    return _PRICES[str(value)] if value.__class__ is int else value


def _is_sound(symbol: str) -> bool:
    try:
        sound_symbol(symbol)
    except Unsound:
        return False
    if len(_symbols) >= _SYMBOLS_MAX:
        _symbols.clear()
    _symbols.add(symbol)
    return True
