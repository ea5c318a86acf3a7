"""Owns the typed decoder of Massive's stream: one message becomes a frame, prices stay Decimals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from services.kit.clock import EPOCH
from services.market.decode import refuse_body
from services.market.massive_refusal import PROVIDER
from services.market.stream_frame import (
    Frame,
    StreamBand,
    StreamBar,
    StreamQuote,
    StreamStatus,
    StreamTrade,
    StreamValue,
)

SKEW_S = 2
"""How far a time may lie after the receiver's own before the row is dropped (`clock_skew`)."""
_ROUND_LOT = 100
_NOTHING = Decimal(0)
_PRICE_MIN, _AMOUNT_MAX = Decimal("1e-12"), Decimal("1e15")
_SYMBOL_MAX = 40
_OUTSIDE = ("X:", "C:")
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(seconds=60)
_UNITS = ((10**12, 10**13, 1000, 1), (10**15, 10**16, 1, 1), (10**18, 10**19, 1, 1000))
"""Ranges of an epoch in ms, us and ns (2001 to 2286), times and divided by, to microseconds.

Seconds are no unit of this provider: such a time is invalid, never guessed.
"""


class _Event(msgspec.Struct, tag_field="ev", gc=False): ...


class _Trade(_Event, tag="T", gc=False):
    sym: str
    p: Decimal
    t: int
    s: Decimal | None = None
    ds: Decimal | None = None
    c: list[int] | int | None = None
    i: str | int | None = None
    x: int | None = None
    q: int = 0


class _Quote(_Event, tag="Q", gc=False):
    sym: str
    t: int
    bp: Decimal | None = None
    ap: Decimal | None = None
    bs: Decimal | None = None
    as_: Decimal | None = msgspec.field(default=None, name="as")
    q: int = 0


class _Second(_Event, tag="A", gc=False):
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


class _Minute(_Second, tag="AM", gc=False): ...


class _Value(_Event, tag="V", gc=False):
    T: str
    val: Decimal
    t: int


class _Fair(_Event, tag="FMV", gc=False):
    sym: str
    fmv: Decimal
    t: int


class _Band(_Event, tag="LULD", gc=False):
    T: str
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own letter
    t: int
    i: list[int] | int | None = None


class _Status(_Event, tag="status", gc=False):
    status: str
    message: str | None = None


class _Named(msgspec.Struct):
    ev: str


_Row = _Trade | _Quote | _Second | _Minute | _Value | _Fair | _Band | _Status
_TAGS = frozenset({"T", "Q", "A", "AM", "V", "FMV", "LULD", "status"})
_ROWS = msgspec.json.Decoder(list[_Row])
_ROW = msgspec.json.Decoder(_Row)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_NAME = msgspec.json.Decoder(_Named)


class _Invalid(ValueError):
    """A row that decodes and can not be true; its text is the reason."""


def decode_frame(body: bytes, received_at: datetime, *, lots: int = _ROUND_LOT) -> Frame:
    """Return the frame of one message. Events not read, or not true, are dropped and counted.

    `lots` turns the sizes of stock quotes into shares (options are always single contracts).
    Times are ms, us or ns by their magnitude. Raises `PROVIDER_BODY_INVALID` for a message that
    is no JSON list. Worked: an `ask size` of 4 lots of `MSFT` is 400 shares.
    """
    made = _Frames(received_at, lots)
    for row in _read_rows(body, made):
        try:
            made.add(row)
        except _Invalid as reason:
            made.drop(str(reason))
    return made.frame()


def _read_rows(body: bytes, made: _Frames) -> list[_Row]:
    """Decode the whole message at once; row by row only when a row is not as expected."""
    if body[:1] == b"{":
        body = b"[" + body + b"]"
    try:
        return _ROWS.decode(body)
    except msgspec.ValidationError:
        return _read_each(body, made)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        refuse_body(PROVIDER, "not a JSON document")


def _read_each(body: bytes, made: _Frames) -> list[_Row]:
    try:
        raws = _RAWS.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        refuse_body(PROVIDER, "no list of events")
    rows: list[_Row] = []
    for raw in raws:
        try:
            rows.append(_ROW.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError):
            made.drop("invalid" if _is_known(raw) else "unknown")
    return rows


def _is_known(raw: msgspec.Raw) -> bool:
    try:
        return _NAME.decode(raw).ev in _TAGS
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True


class _Frames:
    """The parts of one frame while its rows are read."""

    def __init__(self, received_at: datetime, lots: int) -> None:
        self.received_at = received_at
        self.latest = received_at + timedelta(seconds=SKEW_S)
        self.lots = lots
        self.trades: list[StreamTrade] = []
        self.quotes: list[StreamQuote] = []
        self.bars: list[StreamBar] = []
        self.values: list[StreamValue] = []
        self.bands: list[StreamBand] = []
        self.statuses: list[StreamStatus] = []
        self.dropped: dict[str, int] = {}

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def add(self, row: _Row) -> None:
        _ADDERS[type(row)](self, row)

    def frame(self) -> Frame:
        return Frame(
            received_at=self.received_at,
            trades=tuple(self.trades),
            quotes=tuple(self.quotes),
            bars=tuple(self.bars),
            values=tuple(self.values),
            bands=tuple(self.bands),
            statuses=tuple(self.statuses),
            dropped=self.dropped,
        )

    def moment(self, epoch: int) -> datetime:
        """Return the instant of an epoch; a time to come is `clock_skew`."""
        for low, high, times, by in _UNITS:
            if low <= epoch < high:
                found = EPOCH + timedelta(microseconds=epoch * times // by)
                if found > self.latest:
                    raise _Invalid("clock_skew")
                return found
        raise _Invalid("invalid")

    def add_trade(self, row: _Trade) -> None:
        size = row.s if row.ds is None else row.ds
        trade = StreamTrade(
            _symbol(row.sym),
            _price(row.p),
            _NOTHING if size is None else _amount(size),
            self.moment(row.t),
            _texts(row.c),
            row.q,
            f"{row.x}:{row.i}",
        )
        self.trades.append(trade)

    def add_quote(self, row: _Quote) -> None:
        lots = 1 if row.sym[1:2] == ":" else self.lots
        bid, bid_size = _side(row.bp, row.bs, lots)
        ask, ask_size = _side(row.ap, row.as_, lots)
        if bid is None and ask is None:
            raise _Invalid("invalid")
        ts = self.moment(row.t)
        self.quotes.append(StreamQuote(_symbol(row.sym), bid, ask, bid_size, ask_size, ts, row.q))

    def add_bar(self, row: _Second) -> None:
        opens = self.moment(row.s)
        closes = opens if row.e is None else self.moment(row.e)
        span = closes - opens
        if span <= timedelta(0):
            span = _MINUTE if isinstance(row, _Minute) else _SECOND
        if span > _MINUTE or opens + span > self.latest:
            raise _Invalid("clock_skew" if span <= _MINUTE else "invalid")
        volume = row.v if row.dv is None else row.dv
        bar = StreamBar(
            symbol=_symbol(row.sym),
            t_open=opens,
            t_close=opens + span,
            o=_price(row.o),
            h=_price(row.h),
            l=_price(row.l),
            c=_price(row.c),
            v=_NOTHING if volume is None else _amount(volume),
            vw=_price(row.vw) if row.vw else None,
            span="second" if span <= _SECOND else "minute",
        )
        if bar.h < max(bar.o, bar.c, bar.l) or bar.l > min(bar.o, bar.c):
            raise _Invalid("invalid")
        self.bars.append(bar)

    def add_value(self, row: _Value) -> None:
        self.values.append(StreamValue(_symbol(row.T), _price(row.val), self.moment(row.t)))

    def add_fair(self, row: _Fair) -> None:
        ts = self.moment(row.t)
        self.values.append(StreamValue(_symbol(row.sym), _price(row.fmv), ts, "fair"))

    def add_band(self, row: _Band) -> None:
        high, low, ts = _price(row.h), _price(row.l), self.moment(row.t)
        self.bands.append(StreamBand(_symbol(row.T), high, low, ts, _texts(row.i)))

    def add_status(self, row: _Status) -> None:
        self.statuses.append(StreamStatus(row.status[:40], (row.message or "")[:400]))


_ADDERS: dict[type, Callable[..., None]] = {
    _Trade: _Frames.add_trade,
    _Quote: _Frames.add_quote,
    _Second: _Frames.add_bar,
    _Minute: _Frames.add_bar,
    _Value: _Frames.add_value,
    _Fair: _Frames.add_fair,
    _Band: _Frames.add_band,
    _Status: _Frames.add_status,
}


def _symbol(text: str) -> str:
    if not text or len(text) > _SYMBOL_MAX or not text.isascii() or not text.isprintable():
        raise _Invalid("invalid")
    if text.startswith(_OUTSIDE):
        raise _Invalid("unknown")
    return text


def _price(value: Decimal) -> Decimal:
    if not (value.is_finite() and _PRICE_MIN <= value <= _AMOUNT_MAX):
        raise _Invalid("invalid")
    return value


def _amount(value: Decimal) -> Decimal:
    if not (value.is_finite() and 0 <= value <= _AMOUNT_MAX):
        raise _Invalid("invalid")
    return value


def _side(
    price: Decimal | None, size: Decimal | None, lots: int
) -> tuple[Decimal | None, Decimal | None]:
    """Return price and size in shares; a price of 0 means that nobody quotes there."""
    if price is None or (price.is_finite() and price == 0):
        return None, None
    return _price(price), None if size is None else _amount(size) * lots


def _texts(value: list[int] | int | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (str(value),) if isinstance(value, int) else tuple(map(str, value))
