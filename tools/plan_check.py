"""Owns the tool `plan_check`: a person's plan against the rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.money import rounded
from services.ledger.portfolio import account_of, get_portfolio
from services.trade.plan import PlanFigures
from services.trade.user_plan import PlanAsk, check_plan
from tools.registry import Args, DecimalText, Effect, Result, StopText, SymbolText, cite, tool
from tools.wording.figures import Exact, Row


class PlanCheckArgs(Args):
    """The levels of the plan."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["long", "short"] = Field(description="Direction of the trade.")
    entry: DecimalText | None = Field(None, description="Entry price; left out, the market price.")
    stop: StopText = Field(description="Stop price, or a distance from the entry such as 3%.")
    targets: Annotated[list[DecimalText], Field(max_length=5)] | None = Field(
        None, description="Target prices, nearest first; left out, 1, 2 and 3 R."
    )


class TargetRow(Row):
    """One target: `r` in stop distances, `rr` net of costs."""

    price: Exact
    r: Exact
    rr: Exact


class PlanCheckResult(Result):
    """What the rules say, and every figure; `long_only`: the account can not sell this short."""

    symbol: str
    side: str
    entry: Exact
    stop: Exact
    stop_distance: Exact | None = None
    stop_pct: Exact | None = None
    risk_per_unit: Exact | None = None
    targets: tuple[TargetRow, ...] = ()
    rr: Exact | None = None
    band: str | None = None
    breakeven_pct: Exact | None = None
    long_only: bool = False
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@tool(effect=Effect.COMPUTE)
def plan_check(ctx: Context, args: PlanCheckArgs) -> PlanCheckResult:
    """Check a trade plan: sides, ticks, reward for risk. Gives every figure; never sizes it."""
    asked = {**args.model_dump(), "symbol": args.symbol.upper(), "targets": args.targets or ()}
    answer = check_plan(ctx, PlanAsk(**{**asked, "targets": tuple(asked["targets"])}))
    check, quote = answer.check, answer.quote
    levels = {"entry": answer.draft.worst, "stop": answer.draft.stop, "side": args.side}
    told = {"errors": check.errors, "warnings": check.warnings, "flags": check.flags}
    source = cite("quotes", quote, symbol=quote.symbol, as_of=quote.ts)
    named = {"ref": answer.ref, "symbol": quote.symbol, "source": (source,)}
    figures = _figures(check.figures) if check.figures else {}
    barred = args.side == "short" and not account_of(ctx, get_portfolio(ctx).id).allow_short
    said = answer.sentence()
    if barred:
        said += f" This account is long only, so {quote.symbol} can not be sold short here."
    return PlanCheckResult(**named, **levels, **told, **figures, long_only=barred, summary=said)


def _figures(found: PlanFigures) -> dict[str, Any]:
    shown = {name: getattr(found, name) for name in ("stop_distance", "risk_per_unit", "band")}
    shown["stop_pct"] = rounded(100 * found.stop_distance_pct, 2)
    shown["breakeven_pct"] = rounded(100 * found.p_breakeven_tp1, 2)
    targets = tuple(TargetRow.model_validate(one) for one in found.targets)
    return {**shown, "rr": found.blended, "targets": targets}
