"""Owns the routes of symbols: finding them, their price, their history, their session so far."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.asked import SymbolList, symbols_asked
from app.http.label import label
from app.http.unit import read
from app.http.wire import Symbol
from services.job import followed_symbols
from services.kit.context import Context
from services.market.believable import believable_price
from services.market.feed import Feed
from services.market.instrument import require_symbol
from services.market.last_good import LastGood
from services.market.listing import stored_listings
from services.market.metrics import read_metrics
from services.market.search import search_listings
from services.market.shown_bars import left_out_words, shown_bars

router = APIRouter(prefix="/api/v1")
METRICS_MAX = 50
"""Most symbols of one request for metrics: those of one watchlist."""
_LISTED_MAX = 500
_WINDOWS = {
    "1d": ("5m", 78),
    "5d": ("30m", 65),
    "1mo": ("1d", 22),
    "3mo": ("1d", 65),
    "1y": ("1d", 252),
}
Limit = Annotated[int, Query(ge=1, le=_LISTED_MAX)]


@router.get("/symbols")
async def list_symbols(
    request: Request, query: Annotated[str, Query(max_length=40)] = "", limit: Limit = 100
) -> Response:
    """List the instruments that the feed knows, or those nearest to a query, the best first."""

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        if query.strip():
            items = search_listings(ctx, query, limit)
        else:
            items = list(feed.instruments(ctx))[:limit]
        return {"items": items, **label(feed.as_of(ctx), feed.provenance, feed.name)}

    return await read(request, act)


@router.get("/instruments")
async def list_instruments(
    request: Request, limit: Limit = 100, after: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """List the stored listings by symbol, with their units, ticks, lots and flags."""

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        stored = stored_listings(ctx) or list(feed.instruments(ctx))
        page = [one for one in stored if one.symbol > after.upper()][:limit]
        return {"items": page, **label(feed.as_of(ctx), feed.provenance, feed.name)}

    return await read(request, act)


@router.get("/symbols/metrics")
async def show_metrics(request: Request, symbols: SymbolList = "") -> Response:
    """Return volume, range and volume-weighted price of the newest session, by symbol.

    Without symbols those of what is followed and held.
    """
    asked = symbols_asked(symbols, most=METRICS_MAX)

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        wanted = asked or tuple(followed_symbols(ctx)[:METRICS_MAX])
        found = {name: read_metrics(ctx, feed.instrument(ctx, name)) for name in wanted}
        return {
            "items": [one for one in found.values() if one is not None],
            "missing": [name for name, one in found.items() if one is None],
            **label(feed.as_of(ctx), feed.provenance, feed.name),
        }

    return await read(request, act)


@router.get("/symbols/{symbol}/price")
async def show_price(request: Request, symbol: Symbol) -> Response:
    """Return the quote of a symbol; while its market rests, the last known good one."""
    return await read(request, lambda ctx: _price(ctx, require_symbol(symbol)))


def _price(ctx: Context, symbol: str) -> dict[str, Any]:
    found = believable_price(ctx, symbol)
    shown = {
        "symbol": found.symbol,
        "instrument_id": found.instrument_id,
        "bid": found.bid,
        "ask": found.ask,
        "last": found.last,
        "currency": found.currency,
        "as_of": found.ts,
        "provenance": found.provenance,
        "source": found.source,
    }
    sizes = dict.fromkeys(("bid_size", "ask_size", "mid", "spread_pct"))
    if isinstance(found, LastGood):
        return shown | sizes
    return shown | {
        "bid_size": found.bid_size,
        "ask_size": found.ask_size,
        "mid": found.mid,
        "spread_pct": found.spread_pct,
    }


@router.get("/symbols/{symbol}/history")
async def show_history(
    request: Request,
    symbol: Symbol,
    *,
    timeframe: Annotated[str, Query(pattern=r"^[0-9]{1,3}(m|d|w|mo)$")] = "1d",
    count: Annotated[int, Query(ge=1, le=2000)] = 200,
    window: Literal["1d", "5d", "1mo", "3mo", "1y"] | None = None,
    include_partial: bool = False,
) -> Response:
    """Return the last bars of a symbol, oldest first; `window` chooses timeframe and count.

    `closed_provenance` is that of the closed bars. What can not be true is no bar: `left_out`
    names it with its finding, `note` says it in words, and without any true bar it is `DQ_BLOCK`.
    """
    frame, bars = (timeframe, count) if window is None else _WINDOWS[window]

    def act(ctx: Context) -> dict[str, Any]:
        feed, known = ctx.port(Feed), require_symbol(symbol)
        series = shown_bars(ctx, known, frame, bars, include_partial=include_partial)
        forming = bool(series.bars) and not series.bars[-1].complete
        closed = feed.bars(ctx, known, frame, 1) if forming else series
        return {
            "symbol": series.symbol,
            "timeframe": frame,
            "as_of": series.as_of,
            "provenance": series.provenance,
            "closed_provenance": closed.provenance,
            "source": series.source,
            "left_out": series.left_out,
            "note": left_out_words(series.left_out),
            "bars": [
                {
                    "t": bar.t_open,
                    "o": bar.o,
                    "h": bar.h,
                    "l": bar.l,
                    "c": bar.c,
                    "v": bar.v,
                    "complete": bar.complete,
                }
                for bar in series.bars
            ],
        }

    return await read(request, act)
