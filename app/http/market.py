"""Owns the routes of the market: its state, the replay clock, the last known good quotes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.http.banner import build_banner, find_troubles, told_provenance
from app.http.unit import read, write
from app.http.wire import Body
from services.kit.context import Context
from services.kit.errors import refuse
from services.market import replay
from services.market.feed import Feed
from services.market.freeze import active_freezes
from services.market.last_good import list_last_good
from services.market.listing import stored_calendars
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
    """Return whether the market is open at the feed's own time, what changes next, and a banner."""
    return await read(request, _status)


def _status(ctx: Context) -> dict[str, Any]:
    feed = ctx.port(Feed)
    as_of = feed.as_of(ctx)
    state = market_state(_CALENDAR, as_of)
    half_day = state.session is not None and state.session.half_day
    record = feed.record()
    troubles = find_troubles(record, active_freezes(ctx))
    told = told_provenance(record, feed.provenance)
    names = sorted({_CALENDAR, *stored_calendars(ctx)})
    return {
        "state": state.state,
        "session": state.session,
        "next_open": state.next_open,
        "next_change": state.next_change,
        "calendar": _CALENDAR,
        "half_day": half_day,
        "banner": build_banner(state, told, half_day=half_day, troubles=troubles),
        "calendars": [_calendar(name, as_of) for name in names],
        "last_good": list_last_good(ctx) if state.state == "closed" else [],
        **_label(feed, as_of),
    }


def _calendar(name: str, as_of: datetime) -> dict[str, Any]:
    state = market_state(name, as_of)
    return {
        "calendar": name,
        "state": state.state,
        "half_day": state.session is not None and state.session.half_day,
        "next_change": state.next_change,
    }


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


@router.get("/snapshots")
async def list_snapshots(request: Request) -> Response:
    """List the last known good quote of each followed symbol, as a job took it."""

    def act(ctx: Context) -> dict[str, Any]:
        feed = ctx.port(Feed)
        return {"items": list_last_good(ctx), **_label(feed, feed.as_of(ctx))}

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
