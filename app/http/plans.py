"""Owns the route of a checked plan: the stored figures that a person was told, by their ref."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.http.unit import read
from app.http.wire import Word
from services.kit.context import Context
from services.kit.errors import refuse
from services.trade import advice

router = APIRouter(prefix="/api/v1/plans")


@router.get("/{id}")
async def show_plan(request: Request, id: Word) -> Response:  # noqa: A002
    """Return a checked plan exactly as it was stored, with the quote it stands on."""

    def act(ctx: Context) -> dict[str, Any]:
        found = advice.find(ctx, id)
        if found is None or found.kind != "plan":
            raise refuse("AUDIT_REF_UNKNOWN", ref=id)
        seen = found.document["quote"]
        return {
            "ref": found.ref,
            **found.document,
            "as_of": seen["ts"],
            "provenance": seen["provenance"],
            "source": seen.get("source", "not recorded"),
        }

    return await read(request, act)
