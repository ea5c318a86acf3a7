"""Owns the routes of corporate actions: what is on record of a listing, recording a split."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.http.label import label
from app.http.unit import read, write
from app.http.wire import Body, Line, Word
from services.identity.session import require_fresh
from services.kit.context import Context
from services.kit.errors import refuse
from services.market import action_record
from services.market.feed import Feed

router = APIRouter(prefix="/api/v1")
Units = Annotated[int, Field(ge=1, le=action_record.RATIO_MAX)]


class SplitBody(Body):
    """A split: from the open of `ex_date` on, `ratio_to` new units for `ratio_from` old ones."""

    ex_date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    ratio_from: Units
    ratio_to: Units
    note: Line = ""


@router.get("/instruments/{id}/actions")
async def list_actions(request: Request, id: Word) -> Response:  # noqa: A002
    """List what is on record about a listing, in the order in which it was said."""

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        listing = feed.instrument(ctx, id).id
        items = action_record.list_actions(ctx, listing)
        return {"items": items, **label(feed.as_of(ctx), feed.provenance, feed.name)}

    return await read(request, act)


@router.post("/instruments/{id}/actions")
async def record_action(request: Request, id: Word, body: SplitBody) -> Response:  # noqa: A002
    """Record a split that the provider does not know; needs an administrator and a fresh login.

    Prices and holdings follow it from its open on; 1 for 1 withdraws what was said of that day.
    """

    def act(ctx: Context) -> action_record.CorporateAction:
        require_fresh(ctx)
        listed = ctx.port(Feed).instrument(ctx, id)
        ratio = (body.ratio_from, body.ratio_to)
        day = _require_day(body.ex_date)
        return action_record.record_by_person(ctx, listed, day, ratio, body.note)

    return await write(request, act)


def _require_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        rule = "must be a date such as 2024-06-10"
        given = {"field": "ex_date", "name": "ex_date", "value": text, "rule": rule}
        raise refuse("PARAM_INVALID", **given) from error
