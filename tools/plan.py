"""Owns the tool `plan`: the best setup of a symbol as a whole plan, with its confidence."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.trade.plan_service import PlanWish, make_plan
from services.trade.plan_template import plan_words
from tools.registry import Args, Effect, Result, SymbolText, tool
from tools.wording.figures import Exact
from tools.wording.plans import ComponentRow, OptionRow, PlannedTarget, plan_row, plan_sources


class PlanArgs(Args):
    """What to plan."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["long", "short"] | None = Field(
        None, description="Direction; left out, whichever scores higher."
    )
    style: Literal["intraday", "swing", "leaps"] | None = Field(
        None, description="How long it is held; left out, whichever scores higher."
    )


class PlanResult(Result):
    """The plan: `confidence` is the chance of target 1 before the stop; `score` is no chance."""

    symbol: str
    side: str
    style: str
    setup: str
    timeframe: str
    entry_kind: str
    entry_lo: Exact
    entry_hi: Exact
    entry: Exact
    stop: Exact
    stop_distance: Exact
    atr_multiple: Exact
    risk_per_unit: Exact
    targets: tuple[PlannedTarget, ...]
    rr: Exact
    band: str
    ev_r: Exact
    confidence: Exact | None
    confidence_tier: str
    confidence_n: int
    breakeven: Exact
    score: Exact | None
    components: tuple[ComponentRow, ...]
    warnings: tuple[str, ...]
    why: tuple[str, ...]
    options: tuple[OptionRow, ...]
    expires_at: str
    ends_at: str
    state: str
    idea_url: str


@tool(effect=Effect.COMPUTE, timeout_s=15.0)
def plan(ctx: Context, args: PlanArgs) -> PlanResult:
    """Find the best setup of a symbol now and plan it: entry, stop, targets, score, confidence.

    Refuses with `NO_SETUP` and what is lacking when no rule sees one. It never sizes: call `size`
    with the `plan_id` that is this result's `ref`.
    """
    wish = PlanWish(symbol=args.symbol.upper(), side=args.side, style=args.style)
    made = make_plan(ctx, wish)
    return PlanResult(
        **plan_row(made.document),
        ref=made.id,
        symbol=made.symbol,
        summary=plan_words(made.document),
        source=plan_sources(made),
    )
