"""Owns the routes of the journal: entries, notes, search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.http.label import journal_body, labelled_items
from app.http.unit import CREATED, read, write
from app.http.wire import Body, Prose, Symbol, Word
from services import journal
from services.kit.context import Context

router = APIRouter(prefix="/api/v1/journal")


class EntryBody(Body):
    """A new journal entry."""

    text: Prose
    symbol: Symbol | None = None
    tags: list[Word] = Field(default_factory=list, max_length=10)


class NoteBody(Body):
    """The new text of an entry's note."""

    text: Prose


@router.get("")
async def list_entries(
    request: Request,
    query: Annotated[str | None, Query(max_length=200)] = None,
    *,
    days: Annotated[int | None, Query(ge=1, le=3650)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """List entries, newest first, by words and age in days."""
    return await read(
        request,
        lambda ctx: labelled_items(
            ctx, map(journal_body, journal.list_entries(ctx, query=query, days=days, limit=limit))
        ),
    )


@router.post("", status_code=CREATED)
async def add_entry(request: Request, body: EntryBody) -> Response:
    """Write an entry."""
    return await write(
        request,
        lambda ctx: journal_body(
            journal.add(ctx, body.text, symbol=body.symbol, tags=tuple(body.tags))
        ),
        status=CREATED,
    )


@router.get("/{id}")
async def show_entry(request: Request, id: Word) -> Response:  # noqa: A002
    """Return one entry."""
    return await read(request, lambda ctx: journal_body(journal.get_entry(ctx, id)))


@router.patch("/{id}")
async def edit_note(request: Request, id: Word, body: NoteBody) -> Response:  # noqa: A002
    """Change the note of an entry; the recorded execution stays as it is."""
    return await write(request, lambda ctx: journal_body(journal.edit_note(ctx, id, body.text)))


@router.delete("/{id}")
async def delete_note(request: Request, id: Word) -> Response:  # noqa: A002
    """Delete a note; the recorded execution stays."""

    def act(ctx: Context) -> dict[str, str]:
        journal.delete_note(ctx, id)
        return {"deleted": id}

    return await write(request, act)
