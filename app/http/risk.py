"""Owns the route of the risk: where an account stands against its limits, and why."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.http.label import label
from app.http.risk_models import risk_items
from app.http.unit import read
from app.http.wire import Word
from services.kit.context import Context
from services.orders.risk_engine import view_risk

router = APIRouter(prefix="/api/v1/risk")


@router.get("")
async def show_risk(request: Request, portfolio_id: Word | None = None) -> Response:
    """Return the risk of one account as of now; of the default one without an id."""

    def act(ctx: Context) -> dict[str, Any]:
        found = view_risk(ctx, portfolio_id)
        now = found.now
        return {**risk_items(found), **label(now.as_of, now.provenance, now.source)}

    return await read(request, act)
