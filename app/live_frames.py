"""Owns how the market's news travels on the event log: frame bytes, made once for every reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.http.ws_frames import Price, Trade, Trades, encode
from services.kit.errors import check
from services.kit.ids import sha256_hex
from services.kit.money import rounded
from services.market.feed import Tick
from services.market.quote import Quote
from services.market.stream_frame import StreamTrade

TRADES_MAX = 500
"""Trades of one symbol in one frame; of more the newest are told, and how many came earlier."""


@dataclass(frozen=True, slots=True)
class News:
    """What is new of one symbol, as the bytes of `/ws` frames; an empty part is not new.

    `tenant_id` names whose market it is; a provider's market is everybody's and has none.
    """

    tenant_id: str = ""
    price: bytes = b""
    trades: bytes = b""
    fault: bytes = b""

    def pack(self) -> bytes:
        """Return the value of a record; JSON bytes hold no line end, so lines part them."""
        return b"\n".join((self.tenant_id.encode(), self.price, self.trades, self.fault))


def unpack(value: bytes) -> News:
    """Return what `News.pack` wrote."""
    parts = value.split(b"\n")
    check(len(parts) == 4, "a record of the market has four lines", found=len(parts))
    return News(parts[0].decode(), *parts[1:])


def price_of(quote: Quote, close_before: Decimal | None = None) -> Price:
    """Return the `price` frame of a quote; `change_pct` is the last trade over the close before.

    A fraction of six decimals, half-even. Worked: 101 over a close of 100 is 0.01.
    """
    change = None
    if close_before is not None and close_before > 0 and quote.last > 0:
        change = rounded(quote.last / close_before - 1, 6)
    return Price(
        symbol=quote.symbol,
        last=quote.last,
        bid=quote.bid,
        ask=quote.ask,
        bid_size=quote.bid_size,
        ask_size=quote.ask_size,
        currency=quote.currency,
        ts=quote.ts,
        provenance=quote.provenance.value,
        source=quote.source,
        change_pct=change,
    )


def trades_bytes(
    symbol: str, trades: Iterable[Tick | StreamTrade], *, provenance: str, source: str
) -> bytes:
    """Return the `trades` frame of a symbol, or nothing without a trade."""
    items = tuple(Trade(ts=one.ts, price=one.price, size=one.size) for one in trades)
    if not items:
        return b""
    return encode(
        Trades(
            symbol=symbol,
            items=items[-TRADES_MAX:],
            left_out=max(0, len(items) - TRADES_MAX),
            provenance=provenance,
            source=source,
        )
    )


def trace_of(text: str) -> str:
    """Return a W3C `traceparent` that is a pure function of `text`.

    Worked: `AAPL|1` begins with `00-` and ends with `-01`, 55 characters in all.
    """
    digest = sha256_hex(text)
    return f"00-{digest[:32]}-{digest[32:48]}-01"
