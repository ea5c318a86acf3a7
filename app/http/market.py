"""Owns the routes of the market: its state, the replay clock, symbols, prices, history."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.http.unit import read, write
from app.http.wire import Body, Symbol
from services.kit.context import Context
from services.kit.errors import refuse
from services.market import replay
from services.market.feed import Feed
from services.market.instrument import require_symbol
from services.market.replay_clock import SPEED_MAX, STEP_SECONDS_MAX
from services.market.session import market_state

router = APIRouter(prefix="/api/v1")
_CALENDAR = "XNYS"


class ReplayBody(Body):
    """What the replay clock shall do; `seconds` and `speed` are in market time."""

    action: Literal["pause", "resume", "step", "speed"]
    seconds: int = Field(60, ge=1, le=STEP_SECONDS_MAX)
    speed: int = Field(1, ge=1, le=SPEED_MAX)


@router.get("/market/status")
async def show_status(request: Request) -> Response:
    """Return whether the market is open at the feed's own time, and what changes next."""

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        as_of = feed.as_of(ctx)
        state = market_state(_CALENDAR, as_of)
        return {
            "state": state.state,
            "session": state.session,
            "next_open": state.next_open,
            "next_change": state.next_change,
            "calendar": _CALENDAR,
            **_label(feed, as_of),
        }

    return await read(request, act)


@router.get("/market/replay")
async def show_replay(request: Request) -> Response:
    """Return the replay clock: its market time, speed, and whether it is paused."""
    return await read(request, _clock)


@router.post("/market/replay")
async def set_replay(request: Request, body: ReplayBody) -> Response:
    """Pause, resume, step or speed up the replay clock."""

    def act(ctx: Context) -> dict[str, Any]:
        _require_replay(ctx)
        match body.action:
            case "pause":
                replay.pause(ctx)
            case "resume":
                replay.resume(ctx)
            case "step":
                replay.step(ctx, body.seconds)
            case "speed":
                replay.set_speed(ctx, body.speed)
        return _clock(ctx)

    return await write(request, act)


@router.get("/symbols")
async def list_symbols(request: Request) -> Response:
    """List the instruments that the feed knows."""

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        return {"items": feed.instruments(ctx), **_label(feed, feed.as_of(ctx))}

    return await read(request, act)


@router.get("/symbols/{symbol}/price")
async def show_price(request: Request, symbol: Symbol) -> Response:
    """Return the current quote of a symbol, with its provenance."""

    def act(ctx: Context) -> dict[str, Any]:
        quote = ctx.port(Feed).quote(ctx, require_symbol(symbol))
        return {
            "symbol": quote.symbol,
            "instrument_id": quote.instrument_id,
            "bid": quote.bid,
            "ask": quote.ask,
            "last": quote.last,
            "bid_size": quote.bid_size,
            "ask_size": quote.ask_size,
            "mid": quote.mid,
            "spread_pct": quote.spread_pct,
            "currency": quote.currency,
            "as_of": quote.ts,
            "provenance": quote.provenance,
            "source": quote.source,
        }

    return await read(request, act)


@router.get("/symbols/{symbol}/history")
async def show_history(
    request: Request,
    symbol: Symbol,
    *,
    timeframe: Annotated[str, Query(pattern=r"^[0-9]{1,3}(m|d|w|mo)$")] = "1d",
    count: Annotated[int, Query(ge=1, le=2000)] = 200,
    include_partial: bool = False,
) -> Response:
    """Return the last bars of a symbol, oldest first; `closed_provenance` is of the closed ones."""

    def act(ctx: Context) -> dict[str, Any]:
        feed, known = ctx.port(Feed), require_symbol(symbol)
        series = feed.bars(ctx, known, timeframe, count, include_partial=include_partial)
        forming = bool(series.bars) and not series.bars[-1].complete
        closed = feed.bars(ctx, known, timeframe, 1) if forming else series
        return {
            "symbol": series.symbol,
            "timeframe": timeframe,
            "as_of": series.as_of,
            "provenance": series.provenance,
            "closed_provenance": closed.provenance,
            "source": series.source,
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


def _clock(ctx: Context) -> dict[str, Any]:
    feed = _require_replay(ctx)
    state = replay.clock(ctx)
    return {
        "as_of": state.as_of,
        "paused": state.paused,
        "speed": state.speed,
        "session": state.session,
        "provenance": feed.provenance,
        "source": feed.name,
    }


def _require_replay(ctx: Context) -> Feed:
    feed = ctx.port(Feed)
    if not isinstance(feed, replay.ReplayFeed):
        off = feed.capability()
        raise refuse("FEATURE_OFF", feature="replay", reason=off.why, todo=off.todo)
    return feed


def _label(feed: Feed, as_of: object) -> dict[str, Any]:
    return {"as_of": as_of, "provenance": feed.provenance, "source": feed.name}
