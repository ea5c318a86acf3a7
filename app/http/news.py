"""Owns the routes of news and of earnings dates."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.asked import SymbolList, absence_body, symbols_asked
from app.http.label import label
from app.http.unit import read
from services.kit.context import Context
from services.ledger import holding, portfolio
from services.market import earnings, news
from services.watchlist import symbols_watched

router = APIRouter(prefix="/api/v1")
_NOBODY = "none"


@router.get("/news")
async def list_news(
    request: Request,
    symbols: SymbolList = "",
    limit: Annotated[int, Query(ge=1, le=news.ROWS_MAX)] = 20,
) -> Response:
    """List the relevant stories about up to ten symbols, newest first; empty with a reason."""

    def act(ctx: Context) -> dict[str, Any]:
        asked = symbols_asked(symbols, most=news.SYMBOLS_MAX)
        page = news.read_news(ctx, asked, limit=limit)
        return {
            "items": [_story(row) for row in page.rows],
            "older_count": page.older_count,
            "unusable_count": page.unusable_count,
            **absence_body(page.absence),
            **label(page.as_of, page.provenance or _NOBODY, page.source or _NOBODY),
        }

    return await read(request, act)


def _story(row: news.NewsRow) -> dict[str, Any]:
    return {
        "id": row.item.id,
        "title": row.item.title,
        "publisher": row.item.publisher,
        "quality": row.quality,
        "url": row.item.url,
        "published_at": row.at,
        "age_s": row.age_s,
        "relevance": row.relevance,
        "symbols": row.symbols,
        "duplicates_count": row.duplicates_count,
        "flags": row.flags,
        "summary": row.item.summary,
    }


@router.get("/earnings")
async def list_earnings(
    request: Request,
    symbols: SymbolList = "",
    days: Annotated[int, Query(ge=1, le=earnings.DAYS_MAX)] = 30,
) -> Response:
    """List the next and last report of the symbols; without any, of those watched and held."""

    def act(ctx: Context) -> dict[str, Any]:
        asked = symbols_asked(symbols, most=earnings.SYMBOLS_MAX) or _followed(ctx)
        page = earnings.read_earnings(ctx, asked, days=days)
        return {
            "items": page.rows,
            "days": page.days,
            **absence_body(page.absence),
            **label(page.as_of, page.provenance or _NOBODY, page.source or _NOBODY),
        }

    return await read(request, act)


def _followed(ctx: Context) -> tuple[str, ...]:
    held = {
        line.symbol
        for mine in portfolio.list_portfolios(ctx)
        for line in holding.positions(ctx, mine.id)
    }
    return tuple(sorted(symbols_watched(ctx) | held)[: earnings.SYMBOLS_MAX])
