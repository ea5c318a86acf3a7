"""Owns the routes of watchlists: a person's own lists of followed symbols."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.http.unit import CREATED, read, write
from app.http.wire import Body, Name, Symbol, Word
from services import watchlist
from services.kit.context import Context

router = APIRouter(prefix="/api/v1/watchlists")


class ListBody(Body):
    """A new list; the symbols keep their order."""

    name: Name
    symbols: list[Symbol] = Field(default_factory=list, max_length=watchlist.SYMBOLS_MAX)


class ListChange(Body):
    """What changes of a list; what is left out stays."""

    name: Name | None = None
    symbols: list[Symbol] | None = Field(None, max_length=watchlist.SYMBOLS_MAX)


@router.get("")
async def list_watchlists(request: Request) -> Response:
    """List the watchlists, the oldest first; without any, `hint` says what to do."""

    def act(ctx: Context) -> dict[str, Any]:
        found = watchlist.list_watchlists(ctx)
        return {"items": found, "hint": None if found else watchlist.HINT}

    return await read(request, act)


@router.post("", status_code=CREATED)
async def save_watchlist(request: Request, body: ListBody) -> Response:
    """Save a new list of symbols that the feed knows."""
    return await write(
        request, lambda ctx: watchlist.save(ctx, body.name, body.symbols), status=CREATED
    )


@router.patch("/{id}")
async def change_watchlist(request: Request, id: Word, body: ListChange) -> Response:  # noqa: A002
    """Rename a list, or replace its symbols."""
    return await write(
        request, lambda ctx: watchlist.change(ctx, id, name=body.name, symbols=body.symbols)
    )


@router.delete("/{id}")
async def delete_watchlist(request: Request, id: Word) -> Response:  # noqa: A002
    """Delete a list."""

    def act(ctx: Context) -> dict[str, str]:
        watchlist.remove(ctx, id)
        return {"deleted": id}

    return await write(request, act)
