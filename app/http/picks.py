"""Owns the routes of ranked ideas: setups, option contracts, the weekend plan."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.http.asked import absence_body
from app.http.label import label
from app.http.unit import read
from app.http.wire import Symbol
from services.kit.clock import parse_instant
from services.kit.context import Context
from services.market.feed import Feed
from services.market.quality import QualitySnapshot, block, look
from services.research.option_pick import OptionPicks, Profile, pick_options
from services.research.pick import Pick, Scan, scan_setups, scopes_of
from services.research.weekend import find_weekend
from services.trade.plan_store import list_plans
from tools.wording.picks import contract_rows
from tools.wording.plans import tier_word

router = APIRouter(prefix="/api/v1")
_NOBODY = "none"


@router.get("/picks")
async def show_picks(
    request: Request, style: Literal["intraday", "swing", "leaps"] | None = None
) -> Response:
    """Scan what is followed, held and listed for setups; stores nothing."""

    def act(ctx: Context) -> dict[str, Any]:
        scan = scan_setups(ctx, style)
        feed = ctx.port(Feed)
        return {
            "items": [_pick(ctx, at, one, scan) for at, one in enumerate(scan.picks, 1)],
            "rejects": scan.rejects,
            "scanned": scan.scanned,
            "left_out": scan.left_out,
            **label(scan.as_of, feed.provenance, feed.name),
        }

    return await read(request, act)


def _pick(ctx: Context, rank: int, one: Pick, scan: Scan) -> dict[str, Any]:
    body = one.draft.composed.body
    sure, cited = body.get("confidence") or {}, body["citations"]
    stored = list_plans(ctx, symbol=one.symbol)
    same = (plan.id for plan in stored if plan.document["idea_hash"] == body["idea_hash"])
    quote = next((row for row in cited if "timeframe" not in row), cited[0])
    return {
        "rank": rank,
        "symbol": one.symbol,
        "side": body["side"],
        "style": body["style"],
        "setup": body["setup"]["id"],
        "timeframe": body["timeframe"],
        "entry": body["entry"]["worst"],
        "stop": body["stop"]["price"],
        "targets": [target["price"] for target in body["targets"]],
        "rr": body["rr"]["blended"],
        "score": one.score,
        "confidence": sure.get("value"),
        "confidence_tier": tier_word(body.get("confidence")),
        "edge": one.edge,
        "state": body["actionability"]["state"],
        "plan_id": next(same, None),
        **label(scan.as_of, quote["provenance"], quote["provider"]),
    }


@router.get("/options/picks")
async def show_option_picks(
    request: Request, symbol: Symbol, profile: Profile = "swing_long"
) -> Response:
    """Screen and rank the option contracts of a symbol; empty with a reason."""

    def act(ctx: Context) -> dict[str, Any]:
        _require_sound(ctx, symbol)
        return _options(pick_options(ctx, symbol, profile))

    return await read(request, act)


def _require_sound(ctx: Context, symbol: str) -> None:
    """Refuse symbols whose data are not green, as advice does, without storing the look."""
    looks = look(ctx, [symbol], scopes=scopes_of(ctx))
    if any(one.critical for one in looks):
        as_of = ctx.port(Feed).as_of(ctx)
        raise block(QualitySnapshot("", (symbol.upper(),), as_of, False, (), looks))


def _options(found: OptionPicks) -> dict[str, Any]:
    chain = found.chain
    real, source = (_NOBODY, _NOBODY) if chain is None else (chain.provenance, chain.source)
    return {
        "symbol": found.symbol,
        "profile": found.profile,
        "spot": found.spot,
        "items": [one.model_dump() for one in contract_rows(found)],
        "rejects": dict(found.rejects),
        "greeks_missing": dict(found.missing),
        "expiries": found.expiries,
        "expiries_unread": found.unread,
        "flags": found.flags,
        **absence_body(found.absence),
        **label(found.as_of, real, source),
    }


@router.get("/plans/weekend")
async def show_weekend(request: Request) -> Response:
    """Return the weekend plan of the last close; null with what to do until it is made."""

    def act(ctx: Context) -> dict[str, Any]:
        feed, kept = ctx.port(Feed), find_weekend(ctx)
        if kept is None:
            none = {"hash": None, "generated_at": None, "plan": None}
            told = {
                "why": "No plan was made from the last close yet.",
                "todo": "Ask for `weekend plan` in the chat, or run `cornerman plan weekend`.",
            }
            return {**none, **told, **label(feed.as_of(ctx), feed.provenance, feed.name)}
        return {
            "hash": kept.hash,
            "generated_at": kept.created_at,
            "plan": kept.body,
            "why": None,
            "todo": None,
            **label(parse_instant(kept.body["as_of"]), feed.provenance, feed.name),
        }

    return await read(request, act)
