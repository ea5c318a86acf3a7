"""Owns the typed decoder of Massive's stream: one message becomes a frame, prices stay Decimals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from services.market.stream_quick import SKEW_S, Quick, read_quick
from services.market.stream_row import (
    BandRow,
    FairRow,
    MinuteRow,
    QuoteRow,
    Row,
    SecondRow,
    StatusRow,
    TradeRow,
    Unsound,
    ValueRow,
    sound_amount,
    sound_price,
    sound_symbol,
)
from services.market.stream_tick import ROUND_LOT, Bids, Ticks

_NOTHING = Decimal(0)
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(seconds=60)
_UNITS = ((10**12, 10**13, 1000, 1), (10**15, 10**16, 1, 1), (10**18, 10**19, 1, 1000))
"""Ranges of an epoch in ms, us and ns (2001 to 2286), times and divided by, to microseconds.

Seconds are no unit of this provider: such a time is invalid, never guessed.
"""


class _Named(msgspec.Struct):
    ev: str


_TAGS = frozenset({"T", "Q", "A", "AM", "V", "FMV", "LULD", "status"})
_ROWS = msgspec.json.Decoder(list[Row])
_ROW = msgspec.json.Decoder(Row)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_NAME = msgspec.json.Decoder(_Named)


def decode_frame(body: bytes, received_at: datetime, *, lots: int = ROUND_LOT) -> Frame:
    """Return the frame of one message. Events not read, or not true, are dropped and counted.

    `lots` turns the sizes of stock quotes into shares (options are always single contracts).
    Times are ms, us or ns by their magnitude. Raises `PROVIDER_BODY_INVALID` for a message that
    is no JSON list. Worked: an `ask size` of 4 lots of `MSFT` is 400 shares.
    """
    if body[:1] == b"{":
        body = b"[" + body + b"]"
    quick = read_quick(body, received_at) if lots == ROUND_LOT else None
    if quick is not None and not quick.others:
        return Frame(received_at=received_at, trades=_ticks(quick), quotes=_bids(quick))
    made = _Frames(received_at, lots)
    for row in _read_rows(body, made) if quick is None else quick.others:
        try:
            made.add(row)
        except Unsound as reason:
            made.drop(str(reason))
    return made.frame(quick)


def _ticks(quick: Quick) -> Sequence[StreamTrade]:
    return Ticks(quick.ticks) if quick.ticks else ()


def _bids(quick: Quick) -> Sequence[StreamQuote]:
    return Bids(quick.bids) if quick.bids else ()


def _read_rows(body: bytes, made: _Frames) -> list[Row]:
    """Decode the whole message at once; row by row only when a row is not as expected."""
    try:
        return _ROWS.decode(body)
    except msgspec.ValidationError:
        return _read_each(body, made)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        refuse_body(PROVIDER, "not a JSON document")


def _read_each(body: bytes, made: _Frames) -> list[Row]:
    try:
        raws = _RAWS.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        refuse_body(PROVIDER, "no list of events")
    rows: list[Row] = []
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

    def add(self, row: Row) -> None:
        _ADDERS[type(row)](self, row)

    def frame(self, quick: Quick | None) -> Frame:
        return Frame(
            received_at=self.received_at,
            trades=tuple(self.trades) if quick is None else _ticks(quick),
            quotes=tuple(self.quotes) if quick is None else _bids(quick),
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
                    raise Unsound("clock_skew")
                return found
        raise Unsound("invalid")

    def add_trade(self, row: TradeRow) -> None:
        size = row.s if row.ds is None else row.ds
        trade = StreamTrade(
            sound_symbol(row.sym),
            sound_price(row.p),
            _NOTHING if size is None else sound_amount(size),
            self.moment(row.t),
            _texts(row.c),
            row.q,
            f"{row.x}:{row.i}",
        )
        self.trades.append(trade)

    def add_quote(self, row: QuoteRow) -> None:
        lots = 1 if row.sym[1:2] == ":" else self.lots
        bid, bid_size = _side(row.bp, row.bs, lots)
        ask, ask_size = _side(row.ap, row.as_, lots)
        if bid is None and ask is None:
            raise Unsound("invalid")
        ts = self.moment(row.t)
        self.quotes.append(
            StreamQuote(sound_symbol(row.sym), bid, ask, bid_size, ask_size, ts, row.q)
        )

    def add_bar(self, row: SecondRow) -> None:
        opens = self.moment(row.s)
        closes = opens if row.e is None else self.moment(row.e)
        span = closes - opens
        if span <= timedelta(0):
            span = _MINUTE if isinstance(row, MinuteRow) else _SECOND
        if span > _MINUTE or opens + span > self.latest:
            raise Unsound("clock_skew" if span <= _MINUTE else "invalid")
        volume = row.v if row.dv is None else row.dv
        bar = StreamBar(
            symbol=sound_symbol(row.sym),
            t_open=opens,
            t_close=opens + span,
            o=sound_price(row.o),
            h=sound_price(row.h),
            l=sound_price(row.l),
            c=sound_price(row.c),
            v=_NOTHING if volume is None else sound_amount(volume),
            vw=sound_price(row.vw) if row.vw else None,
            span="second" if span <= _SECOND else "minute",
        )
        if bar.h < max(bar.o, bar.c, bar.l) or bar.l > min(bar.o, bar.c):
            raise Unsound("invalid")
        self.bars.append(bar)

    def add_value(self, row: ValueRow) -> None:
        self.values.append(
            StreamValue(sound_symbol(row.T), sound_price(row.val), self.moment(row.t))
        )

    def add_fair(self, row: FairRow) -> None:
        ts = self.moment(row.t)
        self.values.append(StreamValue(sound_symbol(row.sym), sound_price(row.fmv), ts, "fair"))

    def add_band(self, row: BandRow) -> None:
        high, low, ts = sound_price(row.h), sound_price(row.l), self.moment(row.t)
        self.bands.append(StreamBand(sound_symbol(row.T), high, low, ts, _texts(row.i)))

    def add_status(self, row: StatusRow) -> None:
        self.statuses.append(StreamStatus(row.status[:40], (row.message or "")[:400]))


_ADDERS: dict[type, Callable[..., None]] = {
    TradeRow: _Frames.add_trade,
    QuoteRow: _Frames.add_quote,
    SecondRow: _Frames.add_bar,
    MinuteRow: _Frames.add_bar,
    ValueRow: _Frames.add_value,
    FairRow: _Frames.add_fair,
    BandRow: _Frames.add_band,
    StatusRow: _Frames.add_status,
}


def _side(
    price: Decimal | None, size: Decimal | None, lots: int
) -> tuple[Decimal | None, Decimal | None]:
    """Return price and size in shares; a price of 0 means that nobody quotes there."""
    if price is None or (price.is_finite() and price == 0):
        return None, None
    return sound_price(price), None if size is None else sound_amount(size) * lots


def _texts(value: list[int] | int | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (str(value),) if isinstance(value, int) else tuple(map(str, value))
