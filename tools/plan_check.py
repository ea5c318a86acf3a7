"""Owns the tool `plan_check`: a person's plan against the rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.trade.user_plan import PlanAnswer, PlanAsk, check_plan
from tools.registry import Args, DecimalText, Effect, Result, StopText, SymbolText, cite, tool


class PlanCheckArgs(Args):
    """The levels of the plan."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["long", "short"] = Field(description="Direction of the trade.")
    entry: DecimalText | None = Field(None, description="Entry price; left out, the market price.")
    stop: StopText = Field(description="Stop price, or a distance from the entry such as 3%.")
    targets: Annotated[list[DecimalText], Field(max_length=5)] | None = Field(
        None, description="Target prices, nearest first; left out, 1, 2 and 3 R.")


class TargetRow(BaseModel):
    """One target: `r` in stop distances, `rr` net of costs."""

    model_config = ConfigDict(frozen=True)

    price: str
    r: str
    rr: str


class PlanCheckResult(Result):
    """What the rules say, and every figure of a sound plan."""

    symbol: str
    side: str
    entry: str
    stop: str
    stop_distance: str | None = None
    stop_pct: str | None = None
    risk_per_unit: str | None = None
    targets: tuple[TargetRow, ...] = ()
    rr: str | None = None
    band: str | None = None
    breakeven_pct: str | None = None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@tool(effect=Effect.COMPUTE)
def plan_check(ctx: Context, args: PlanCheckArgs) -> PlanCheckResult:
    """Check a trade plan: sides, ticks, reward for risk. Gives every figure; never sizes it."""
    answer = check_plan(ctx, PlanAsk(symbol=args.symbol.upper(), side=args.side, stop=args.stop,
                                     entry=args.entry, targets=tuple(args.targets or ())))
    return PlanCheckResult(
        ref=answer.ref, symbol=answer.instrument.symbol, side=args.side,
        entry=decimal_text(answer.draft.worst), stop=decimal_text(answer.draft.stop),
        errors=answer.check.errors, warnings=answer.check.warnings, flags=answer.check.flags,
        summary=answer.sentence(), **_figures(answer),
        source=(cite("quotes", answer.quote, symbol=answer.quote.symbol, as_of=answer.quote.ts),))


def _figures(answer: PlanAnswer) -> dict[str, object]:
    found = answer.check.figures
    if found is None:
        return {}
    targets = tuple(TargetRow(price=decimal_text(t.price), r=decimal_text(t.r),
                              rr=decimal_text(t.rr)) for t in found.targets)
    return {"stop_distance": decimal_text(found.stop_distance), "targets": targets,
            "stop_pct": decimal_text(rounded(100 * found.stop_distance_pct, 2)),
            "risk_per_unit": decimal_text(found.risk_per_unit), "band": found.band,
            "rr": decimal_text(found.blended) if found.blended is not None else None,
            "breakeven_pct": decimal_text(rounded(100 * found.p_breakeven_tp1, 2))}
