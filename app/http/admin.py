"""Owns the routes of the owner: the kill switch, settings, and the audit trail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.http.unit import read, write
from app.http.wire import Body, Line, Word
from services import audit, preference
from services.identity.session import require_fresh
from services.kit.context import Context
from services.orders import freeze, switch

router = APIRouter(prefix="/api/v1")


class HaltBody(Body):
    """Why trading stops, and whether working orders are cancelled too."""

    reason: Line = ""
    cancel_working: bool = False


class ResumeBody(Body):
    """Why it is safe to trade again."""

    reason: Line


class SettingsBody(Body):
    """New values by name."""

    values: dict[Word, Line] = Field(min_length=1, max_length=20)


@router.get("/halt")
async def show_switch(request: Request) -> Response:
    """Return whether trading is allowed, and why not."""
    return await read(request, switch.state)


@router.post("/halt")
async def halt(request: Request, body: HaltBody | None = None) -> Response:
    """Stop all new orders at once; needs no confirmation and is never rate limited."""
    wanted = body or HaltBody()
    return await write(
        request, lambda ctx: switch.halt(ctx, wanted.reason, cancel_working=wanted.cancel_working)
    )


@router.post("/resume")
async def resume(request: Request, body: ResumeBody) -> Response:
    """Allow orders again; needs a reason and a fresh login."""

    def act(ctx: Context) -> switch.Switch:
        require_fresh(ctx)
        return switch.resume(ctx, body.reason)

    return await write(request, act)


@router.get("/freezes")
async def list_freezes(
    request: Request,
    active: bool = False,  # noqa: FBT001, FBT002
) -> Response:
    """Return the freezes of data and book, newest first; `active=true` only those that stand."""
    return await read(request, lambda ctx: {"items": freeze.list_freezes(ctx, open_only=active)})


@router.post("/freezes/{id}/clear")
async def clear_freeze(request: Request, id: Word, body: ResumeBody) -> Response:  # noqa: A002
    """Clear one freeze for good; needs a reason and a fresh login.

    Data that froze because of a unit, a currency or a split are trusted from here on.
    """

    def act(ctx: Context) -> freeze.Freeze:
        require_fresh(ctx)
        return freeze.unfreeze(ctx, id, body.reason)

    return await write(request, act)


@router.get("/settings")
async def list_settings(request: Request) -> Response:
    """List every setting: the editable ones, and those of the environment, read-only."""
    return await read(request, lambda ctx: {"items": preference.list_settings(ctx)})


@router.get("/settings/{name}")
async def show_setting(request: Request, name: Word) -> Response:
    """Return one setting."""
    return await read(request, lambda ctx: preference.get_setting(ctx, name))


@router.put("/settings")
async def change_settings(request: Request, body: SettingsBody) -> Response:
    """Change settings, all or none."""
    return await write(
        request, lambda ctx: {"items": preference.change_settings(ctx, dict(body.values))}
    )


@router.get("/audit/events")
async def list_events(
    request: Request,
    ref: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Return the newest audit events about `ref`, oldest first."""
    return await read(request, lambda ctx: {"items": audit.trail(ctx, ref, limit)})


@router.get("/audit/verify")
async def verify_chain(request: Request) -> Response:
    """Recompute the audit chain and compare it with its anchors."""

    def act(ctx: Context) -> dict[str, object]:
        verdict = audit.verify(ctx)
        return {
            "ok": verdict.ok,
            "count": verdict.count,
            "last_hash": verdict.last_hash,
            "broken_at": verdict.broken_at,
            "reason": verdict.reason,
        }

    return await read(request, act)
