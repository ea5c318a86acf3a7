"""Owns the routes of plans: make one, list them, read one by its id, and the schema of all."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.label import labelled_items
from app.http.plan_models import plan_schema
from app.http.unit import CREATED, read, render, write
from app.http.wire import Body, Symbol, Word
from services.kit.context import Context
from services.kit.errors import refuse
from services.market.instrument import require_symbol
from services.trade import advice
from services.trade.plan_service import PlanWish, make_plan
from services.trade.plan_store import LIST_MAX, StoredPlan, get_plan, list_plans
from services.trade.user_size import contract_sizes
from tools.wording.plans import tier_word

router = APIRouter(prefix="/api/v1/plans")


class WishBody(Body):
    """What to plan; without a side or style whatever scores highest."""

    symbol: Symbol
    side: Literal["long", "short"] | None = None
    style: Literal["intraday", "swing", "leaps"] | None = None


@router.get("")
async def show_plans(
    request: Request,
    symbol: Annotated[str | None, Query(max_length=15)] = None,
    limit: Annotated[int, Query(ge=1, le=LIST_MAX)] = 20,
) -> Response:
    """List the newest composed plans, of one symbol or of all."""

    def act(ctx: Context) -> dict[str, Any]:
        wanted = require_symbol(symbol) if symbol else None
        return labelled_items(
            ctx, (_line(one) for one in list_plans(ctx, symbol=wanted, limit=limit))
        )

    return await read(request, act)


@router.post("", status_code=CREATED)
async def add_plan(request: Request, body: WishBody) -> Response:
    """Plan the best setup of a symbol; refused with what is lacking when there is none."""

    def act(ctx: Context) -> dict[str, Any]:
        wish = PlanWish(symbol=body.symbol.upper(), side=body.side, style=body.style)
        return _whole(ctx, make_plan(ctx, wish))

    return await write(request, act, status=CREATED)


@router.get("/schema")
async def show_schema(request: Request) -> Response:  # noqa: ARG001
    """Return the JSON Schema of `plan/v1`."""
    return render(plan_schema())


@router.get("/{id}")
async def show_plan(request: Request, id: Word) -> Response:  # noqa: A002
    """Return a plan exactly as it was stored: a composed one, or a checked one by its ref.

    `contracts`, beside the plan, says how many of each option alternative the account that asks
    may buy now.
    """

    def act(ctx: Context) -> dict[str, Any]:
        if id.startswith(advice.PLAN_PREFIX):
            return _whole(ctx, get_plan(ctx, id))
        return _checked(ctx, id)

    return await read(request, act)


def _checked(ctx: Context, ref: str) -> dict[str, Any]:
    """Return a person's own plan as it was checked, with the quote it stands on."""
    found = advice.find(ctx, ref)
    if found is None or found.kind != "plan":
        raise refuse("AUDIT_REF_UNKNOWN", ref=ref)
    seen = found.document["quote"]
    return {
        "ref": found.ref,
        **found.document,
        "as_of": seen["ts"],
        "provenance": seen["provenance"],
        "source": seen.get("source", "not recorded"),
    }


def _whole(ctx: Context, plan: StoredPlan) -> dict[str, Any]:
    sizes = contract_sizes(ctx, plan)
    told = {"ref": plan.id, "provenance": plan.provenance, "source": plan.source}
    return {**plan.document, **told, "contracts": sizes}


def _line(plan: StoredPlan) -> dict[str, Any]:
    body = plan.document
    sure = body.get("confidence")
    return {
        "id": plan.id,
        "symbol": plan.symbol,
        "side": body["side"],
        "style": body["style"],
        "setup": body["setup"]["id"],
        "timeframe": body["timeframe"],
        "entry": body["entry"]["worst"],
        "stop": body["stop"]["price"],
        "rr": body["rr"]["blended"],
        "score": body["confluence"].get("score"),
        "confidence": sure["value"] if sure else None,
        "confidence_tier": tier_word(sure),
        "as_of": body["as_of"],
        "expires_at": body["expires_at"],
        "idea_url": body["idea_url"],
        "provenance": plan.provenance,
        "source": plan.source,
    }
