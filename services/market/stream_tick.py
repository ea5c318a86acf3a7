"""Owns trades and quotes as they come off the wire: compared as floats, given exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Generic, Protocol, TypeVar, overload

from services.kit.clock import EPOCH
from services.market.stream_frame import StreamQuote, StreamTrade

R = TypeVar("R")
T = TypeVar("T")
PLACES = 8
VOLUME_BITS = 80
"""Bits of a sum of `weight` that hold the volume: a thousand million of the greatest sizes."""
ROUND_LOT = 100
"""Shares of one unit in the sizes of stock quotes; options are single contracts."""
_DIGITS_MAX = 15
_TEXTS_MAX = 32_768
_MIN, _MAX = Decimal("1e-8"), Decimal("1e15")


@dataclass(frozen=True, slots=True)
class TickPrice:
    """One price in three forms: `units` are whole 10^-8, `exact` is what the text said.

    At most 15 digits, so that each price has a float of its own and comparing them is exact.
    `weight` times a size counts money and volume at once: `units` above 80 bits, a one below.
    """

    number: float
    units: int
    exact: Decimal
    weight: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", self.units << VOLUME_BITS | 1)


class PriceTexts(dict[str, TickPrice | Decimal]):
    """The prices of texts, each text read once; one that has no `TickPrice` is a plain Decimal.

    It begins anew when it is full.
    """

    def __missing__(self, text: str) -> TickPrice | Decimal:
        if len(self) >= _TEXTS_MAX:
            self.clear()
        found = self[text] = _read_price(text)
        return found


class Tick(Protocol):
    """A trade of the wire that was found sound: `t` in ms, `s` in shares, nothing converted.

    A size with a fraction of a share is in `ds`, which is None otherwise.
    """

    sym: str
    p: TickPrice
    t: int
    s: int
    ds: Decimal | None
    c: tuple[int, ...] | None
    i: str | int | None
    x: int | None
    q: int


class Bid(Protocol):
    """A quote of the wire with both sides that was found sound: `bs` and `as_` in round lots."""

    sym: str
    bp: TickPrice
    ap: TickPrice
    bs: int | None
    as_: int | None
    t: int
    q: int


class Unread(Sequence[T], Generic[R, T]):
    """The `rows` of one frame; they are converted when somebody reads them."""

    __slots__ = ("_made", "_make", "rows")

    def __init__(self, rows: Sequence[R], make: Callable[[R], T]) -> None:
        self.rows = rows
        self._make = make
        self._made: tuple[T, ...] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[T]:
        return iter(self._all())

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        return self._all()[at]

    def _all(self) -> tuple[T, ...]:
        if self._made is None:
            self._made = tuple(map(self._make, self.rows))
        return self._made


class Ticks(Unread[Tick, StreamTrade]):
    """The trades of one frame."""

    __slots__ = ()

    def __init__(self, rows: Sequence[Tick]) -> None:
        super().__init__(rows, trade_of)


class Bids(Unread[Bid, StreamQuote]):
    """The quotes of one frame."""

    __slots__ = ()

    def __init__(self, rows: Sequence[Bid]) -> None:
        super().__init__(rows, quote_of)


def trade_of(row: Tick) -> StreamTrade:
    """Return the trade that a row of the wire stands for."""
    return StreamTrade(
        row.sym,
        row.p.exact,
        size_of(row),
        EPOCH + timedelta(milliseconds=row.t),
        tuple(map(str, row.c or ())),
        row.q,
        f"{row.x}:{row.i}",
    )


def size_of(row: Tick) -> Decimal:
    """Return the size of a trade in shares or contracts."""
    return Decimal(row.s) if row.ds is None else row.ds


def quote_of(row: Bid) -> StreamQuote:
    """Return the quote that a row of the wire stands for, its sizes in shares or contracts."""
    lots = 1 if row.sym[1:2] == ":" else ROUND_LOT
    return StreamQuote(
        row.sym,
        row.bp.exact,
        row.ap.exact,
        None if row.bs is None else Decimal(row.bs * lots),
        None if row.as_ is None else Decimal(row.as_ * lots),
        EPOCH + timedelta(milliseconds=row.t),
        row.q,
    )


def _read_price(text: str) -> TickPrice | Decimal:
    exact = Decimal(text)
    if not _MIN <= exact <= _MAX:
        return exact
    _, digits, exponent = exact.as_tuple()
    if len(digits) > _DIGITS_MAX or not -PLACES <= int(exponent) <= 0:
        return exact
    return TickPrice(float(text), int(exact.scaleb(PLACES)), exact)
