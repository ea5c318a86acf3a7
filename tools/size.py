"""Owns the tool `size`: how many units a risk budget buys."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.money import rounded
from services.trade.user_size import SizeAsk, size_trade
from tools.registry import (
    Args,
    DecimalText,
    Effect,
    FractionText,
    Result,
    StopText,
    SymbolText,
    cite,
    tool,
)
from tools.wording.figures import Cents, Exact, Row


class SizeArgs(Args):
    """The levels and the risk."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["long", "short"] = Field(description="Direction of the trade.")
    entry: DecimalText | None = Field(None, description="Entry price; left out, the market price.")
    stop: StopText = Field(description="Stop price, or a distance from the entry such as 3%.")
    risk_pct: FractionText | None = Field(
        None, description="Share of equity to risk: 1% or 0.01; left out, the policy's."
    )


class CapRow(Row):
    """One limit of the size and the units it allows."""

    name: str
    units: Exact


class SizeResult(Result):
    """The size, what binds it, and what it risks."""

    symbol: str
    side: str
    entry: Exact
    stop: Exact
    quantity: Exact
    binding: str
    one_r: Cents
    currency: str
    notional: Cents
    risk_pct: Exact
    risk_pct_used: Exact
    equity: Cents
    caps: tuple[CapRow, ...]


@tool(effect=Effect.COMPUTE)
def size(ctx: Context, args: SizeArgs) -> SizeResult:
    """Return how many units the risk budget buys between entry and stop, under every cap."""
    answer = size_trade(ctx, SizeAsk(**{**args.model_dump(), "symbol": args.symbol.upper()}))
    sized, levels = answer.size, answer.levels
    plain = ("quantity", "binding", "one_r", "currency", "notional", "equity", "flags")
    source = cite("quotes", answer.quote, symbol=answer.symbol, as_of=answer.quote.ts)
    return SizeResult(
        **{name: getattr(sized, name) for name in plain},
        **{name: getattr(levels, name) for name in ("side", "entry", "stop")},
        ref=answer.ref,
        symbol=answer.symbol,
        risk_pct=100 * sized.risk_pct,
        risk_pct_used=rounded(100 * sized.risk_pct_used, 2),
        caps=tuple(CapRow(name=name, units=units) for name, units in sized.caps.items()),
        summary=answer.sentence(),
        source=(source,),
    )
