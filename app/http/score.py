"""Owns the routes of the coach's own score and of the documents that confidence is made of."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.unit import read, write
from app.http.wire import Word
from services.kit.context import Context
from services.research.refit import refit
from services.research.score import read_score
from services.research.untaken import read_untaken
from services.strategy import documents
from services.strategy.documents import CALIBRATOR, RECORD, Document

router = APIRouter(prefix="/api/v1")


@router.get("/score")
async def show_score(request: Request) -> Response:
    """Return what was stated about every suggestion against what became of it."""

    def act(ctx: Context) -> dict[str, Any]:
        board = read_score(ctx)
        fields = {name: getattr(board, name) for name in board.__dataclass_fields__}
        return {**fields, "ended": board.ended, "as_of": ctx.now}

    return await read(request, act)


@router.get("/score/untaken")
async def show_untaken(
    request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Response:
    """Return advice that became no position, and what it would have come to."""

    def act(ctx: Context) -> dict[str, Any]:
        found = read_untaken(ctx, limit=limit)
        return {"rows": found.rows, "sums": found.sums, "as_of": ctx.now}

    return await read(request, act)


@router.get("/documents")
async def show_documents(
    request: Request,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> Response:
    """List stored documents by kind and key, and those that ship with the product."""

    def act(ctx: Context) -> dict[str, Any]:
        stored = documents.list_documents(ctx, kind, limit=limit)
        shipped = [
            {
                "kind": of,
                "key": key,
                "hash": documents.hash_of(of, body),
                "n": body["n"],
                "wins": body["wins"],
            }
            for (of, key), body in sorted(documents.shipped_documents().items())
            if kind in (None, of)
        ]
        return {"items": [_line(one) for one in stored], "shipped": shipped}

    return await read(request, act)


@router.get("/documents/{id}")
async def show_document(request: Request, id: Word) -> Response:  # noqa: A002
    """Return one stored document with its body, proven by its hash."""

    def act(ctx: Context) -> dict[str, Any]:
        found = documents.get_document(ctx, id)
        return {**_line(found), "body": found.body}

    return await read(request, act)


@router.post("/documents")
async def fit_documents(request: Request) -> Response:
    """Fit records and curves to the outcomes so far; each waits for a person's approval."""

    def act(ctx: Context) -> dict[str, Any]:
        return {"items": [_line(one) for one in refit(ctx)]}

    return await write(request, act)


@router.post("/documents/{id}/approve")
async def approve_document(request: Request, id: Word) -> Response:  # noqa: A002
    """Let a stored document lead from now on; recorded as the act of a person."""
    return await write(request, lambda ctx: _line(documents.approve_document(ctx, id)))


def _line(found: Document) -> dict[str, Any]:
    """Return a document without its body, with the counts of a fitted one."""
    fields = {name: getattr(found, name) for name in found.__dataclass_fields__ if name != "body"}
    fitted = found.kind in (RECORD, CALIBRATOR)
    return {
        **fields,
        "n": found.body.get("n") if fitted else None,
        "wins": found.body.get("wins") if fitted else None,
        "accepted": found.body.get("accepted") if found.kind == CALIBRATOR else None,
    }
