"""Owns the tool `plan`: the best setup of a symbol as a whole plan, with its confidence."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.trade.plan_service import PlanWish, make_plan
from services.trade.plan_template import plan_words
from services.trade.user_size import contract_sizes
from tools.registry import Args, Effect, SymbolText, tool
from tools.wording.plans import PlanResult, barred, plan_row, plan_sources


class PlanArgs(Args):
    """What to plan."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["long", "short"] | None = Field(
        None, description="Direction; left out, whichever scores higher."
    )
    style: Literal["intraday", "swing", "leaps"] | None = Field(
        None, description="How long it is held; left out, whichever scores higher."
    )


@tool(effect=Effect.COMPUTE, timeout_s=15.0)
def plan(ctx: Context, args: PlanArgs) -> PlanResult:
    """Find the best setup of a symbol now and plan it: entry, stop, targets, score, confidence.

    Refuses with `NO_SETUP` and what is lacking when no rule sees one. It never sizes: call `size`
    with the `plan_id` that is this result's `ref`.
    """
    made = make_plan(ctx, PlanWish(symbol=args.symbol.upper(), side=args.side, style=args.style))
    return PlanResult(
        **plan_row(made.document, contract_sizes(ctx, made)),
        long_only=barred(ctx, made.document["side"]),
        ref=made.id,
        symbol=made.symbol,
        summary=plan_words(made.document),
        source=plan_sources(made),
    )
