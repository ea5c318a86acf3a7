"""Owns the routes of the tools: the coach's own typed functions, called by a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.http.unit import ACCEPTED, OK, call_of, principal_of, product_of, render, write
from app.http.wire import Body, Line, Number, Symbol, Word
from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.orders.refused import record_refused
from tools.registry import Effect, Tool, all_tools, call, get_tool

router = APIRouter(prefix="/api/v1")
_SCOPE = {
    Effect.READ: "read",
    Effect.COMPUTE: "read",
    Effect.NOTE: "propose",
    Effect.PROPOSE: "propose",
}


class ToolBody(Body):
    """The tool's arguments; their schema is in the list of tools."""

    args: dict[str, Any] = Field(default_factory=dict)


class PlanBody(Body):
    """A plan to check; prices and fractions are decimal text."""

    symbol: Symbol
    side: Line
    entry: Number
    stop: Number
    targets: list[Number] = Field(default_factory=list, max_length=10)


class SizeBody(Body):
    """A trade to size; `risk_pct` as the tool `size` takes it."""

    symbol: Symbol
    side: Line
    entry: Number
    stop: Number
    risk_pct: Number | None = None


class TradeBody(Body):
    """An order to propose; nothing is bought or sold before a person confirms its card."""

    symbol: Symbol
    side: Line
    quantity: Number
    type: Line = "market"
    limit_price: Number | None = None
    stop_price: Number | None = None
    tif: Line = "day"


@router.get("/tools")
async def list_tools(request: Request) -> Response:  # noqa: ARG001
    """List every tool with its effect and the schema of its arguments."""
    return render(
        {
            "items": [
                {
                    "name": tool.name,
                    "effect": tool.effect,
                    "description": tool.description,
                    "schema": tool.parameters(),
                }
                for tool in all_tools().values()
            ]
        }
    )


@router.post("/tools/{name}")
async def call_tool(request: Request, name: Word, body: ToolBody) -> Response:
    """Call one tool; a refused call answers as a problem and changes nothing."""
    return await _called(request, name, body.args)


@router.post("/plan/validate")
async def validate_plan(request: Request, body: PlanBody) -> Response:
    """Check a plan: sides, distances, reward to risk; the tool `plan_check`."""
    return await _called(request, "plan_check", body.model_dump(exclude_none=True))


@router.post("/sizing/suggest")
async def suggest_size(request: Request, body: SizeBody) -> Response:
    """Suggest a quantity from the risk of the trade; the tool `size`."""
    return await _called(request, "size", body.model_dump(exclude_none=True))


@router.post("/portfolio/trade", status_code=ACCEPTED)
async def propose_trade(request: Request, body: TradeBody) -> Response:
    """Propose an order and answer 202 with the proposal; the tool `propose_order`."""
    return await _called(
        request, "propose_order", body.model_dump(exclude_none=True), status=ACCEPTED
    )


async def _called(
    request: Request, name: str, args: Mapping[str, Any], *, status: int = OK
) -> Response:
    tool = get_tool(name)
    _require_allowed(request, tool)

    def act(ctx: Context) -> dict[str, Any]:
        done = call(ctx, name, args)
        if done.error is not None:
            raise _refusal(done.error)
        return {
            "name": name,
            "ok": True,
            "result": done.result,
            "digest": done.digest,
            "ref": done.ref,
            "source": done.source,
        }

    try:
        return await write(request, act, status=status)
    except Refusal as refusal:
        if tool.effect is Effect.PROPOSE:
            await _record_refusal(request, name, refusal, args)
        raise


async def _record_refusal(
    request: Request, name: str, refusal: Refusal, args: Mapping[str, Any]
) -> None:
    """Audit a proposal that was refused; its own transaction was rolled back."""

    def act(ctx: Context) -> None:
        record_refused(ctx, name, refusal.code, args)

    await product_of(request).runtime.write_async(
        principal_of(request), act, trace=call_of(request).request_id
    )


def _require_allowed(request: Request, tool: Tool) -> None:
    scope, principal = _SCOPE[tool.effect], principal_of(request)
    if scope not in principal.scopes:
        raise refuse("SCOPE_MISSING", scope=scope)
    if tool.effect is Effect.PROPOSE and not call_of(request).idempotency_key:
        raise refuse("IDEMPOTENCY_KEY_MISSING", field="Idempotency-Key")


def _refusal(error: Mapping[str, Any]) -> Refusal:
    return Refusal(
        error["code"],
        Kind(error["kind"]),
        error["message"],
        hint=error["hint"],
        facts=error["facts"],
    )
