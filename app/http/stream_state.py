"""Owns the route of the whole live state: what `/ws` tells a new reader, in one answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from agent.log import desk_stream, head
from app.http.desk_frames import failed, snapshot
from app.http.label import label
from app.http.unit import read
from app.http.ws_frames import DESK_CHANNELS, Failed, Price, fields_of
from app.live_frames import price_of
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.ledger import portfolio
from services.ledger.holding import positions
from services.market.believable import require_believable
from services.market.feed import Feed
from services.market.instrument import require_symbol
from services.watchlist import symbols_watched

router = APIRouter(prefix="/api/v1/stream")
SYMBOLS_MAX = 50
_TEXT_MAX = 1000


@router.get("/state")
async def show_state(
    request: Request, symbols: Annotated[str, Query(max_length=_TEXT_MAX)] = ""
) -> Response:
    """Return risk, alerts, positions, orders and prices at once, and the desk's cursor.

    `symbols` are comma-separated; without them it is what is watched and held. A symbol without a
    price is under `missing` with the reason.
    """

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        found = [_price(ctx, symbol) for symbol in _wanted(ctx, symbols)]
        desk: dict[str, Any] = {name: fields_of(snapshot(ctx, name)) for name in DESK_CHANNELS}
        return {
            "cursor": head(ctx, desk_stream(ctx.principal.tenant_id)).text,
            **desk,
            "prices": [fields_of(one) for one in found if isinstance(one, Price)],
            "missing": [fields_of(one) for one in found if isinstance(one, Failed)],
            **label(feed.as_of(ctx), feed.provenance, feed.name),
        }

    return await read(request, act)


def _wanted(ctx: Context, text: str) -> list[str]:
    given = {require_symbol(one) for one in text.split(",") if one.strip()}
    if len(given) > SYMBOLS_MAX:
        raise refuse(
            "PARAM_INVALID", name="symbols", value=len(given), rule=f"at most {SYMBOLS_MAX}"
        )
    if given:
        return sorted(given)
    books = portfolio.list_portfolios(ctx)
    held = {one.symbol for book in books for one in positions(ctx, book.id)}
    return sorted(held | symbols_watched(ctx))[:SYMBOLS_MAX]


def _price(ctx: Context, symbol: str) -> Price | Failed:
    try:
        require_believable(ctx, (symbol,))
        return price_of(ctx.port(Feed).quote(ctx, symbol))
    except Refusal as refusal:
        return failed(refusal, symbol)
