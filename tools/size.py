"""Owns the tool `size`: how many units a risk budget buys."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.money import rounded
from services.trade.sized_trade import SizeAsk
from services.trade.user_size import size_trade
from tools.registry import Args, DecimalText, Effect, FractionText, StopText, SymbolText, cite, tool
from tools.wording.plans import CapRow, SizeResult


class SizeArgs(Args):
    """A plan, or the levels themselves; and the risk."""

    plan_id: str | None = Field(
        None,
        max_length=21,
        pattern=r"^plan_[0-9a-f]{16}$",
        description="Ref of a `plan`; then no levels.",
    )
    symbol: SymbolText | None = Field(None, description="One ticker symbol, without a plan_id.")
    side: Literal["long", "short"] | None = Field(None, description="Direction of the trade.")
    entry: DecimalText | None = Field(None, description="Entry price; left out, the market price.")
    stop: StopText | None = Field(None, description="Stop price, or a distance such as 3%.")
    risk_pct: FractionText | None = Field(
        None, description="Share of equity: 1%, 0.01, or `half` of the policy's; else the policy's."
    )
    confidence: Literal["use", "ignore"] = Field(
        "use", description="`ignore` only on the person's word: a quarter of the risk, no edge."
    )


@tool(effect=Effect.COMPUTE)
def size(ctx: Context, args: SizeArgs) -> SizeResult:
    """Return how many units the risk budget buys between entry and stop, under every cap."""
    answer = size_trade(ctx, SizeAsk(**args.model_dump()))
    sized, levels = answer.size, answer.levels
    told = "quantity binding one_r currency notional equity flags size_multiplier caps_skipped"
    return SizeResult(
        **{name: getattr(sized, name) for name in told.split()},
        **{name: getattr(levels, name) for name in ("side", "entry", "stop")},
        **{name: getattr(answer, name) for name in ("ref", "symbol")},
        risk_pct=100 * sized.risk_pct,
        risk_pct_used=rounded(100 * sized.risk_pct_used, 2),
        caps=tuple(CapRow(name=name, units=units) for name, units in sized.caps.items()),
        summary=answer.sentence(),
        source=(cite("quotes", answer.quote, symbol=answer.symbol, as_of=answer.quote.ts),),
    )
