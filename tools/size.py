"""Owns the tool `size`: how many units a risk budget buys."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.trade.user_size import SizeAnswer, SizeAsk, size_trade
from tools.registry import Args, DecimalText, Effect, FractionText, Result, StopText, SymbolText
from tools.registry import cite, tool


class SizeArgs(Args):
    """The levels and the risk."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    side: Literal["long", "short"] = Field(description="Direction of the trade.")
    entry: DecimalText | None = Field(None, description="Entry price; left out, the market price.")
    stop: StopText = Field(description="Stop price, or a distance from the entry such as 3%.")
    risk_pct: FractionText | None = Field(
        None, description="Share of equity to risk: 1% or 0.01; left out, the policy's.")


class CapRow(BaseModel):
    """One limit of the size and the units it allows."""

    model_config = ConfigDict(frozen=True)

    name: str
    units: str


class SizeResult(Result):
    """The size, what binds it, and what it risks."""

    symbol: str
    side: str
    entry: str
    stop: str
    quantity: str
    binding: str
    one_r: str
    currency: str
    notional: str
    risk_pct: str
    risk_pct_used: str
    equity: str
    caps: tuple[CapRow, ...]


@tool(effect=Effect.COMPUTE)
def size(ctx: Context, args: SizeArgs) -> SizeResult:
    """Return how many units the risk budget buys between entry and stop, under every cap."""
    answer = size_trade(ctx, SizeAsk(symbol=args.symbol.upper(), side=args.side, stop=args.stop,
                                     entry=args.entry, risk_pct=args.risk_pct))
    return _result(answer)


def _result(answer: SizeAnswer) -> SizeResult:
    size_, levels = answer.size, answer.levels
    caps = tuple(CapRow(name=key, units=decimal_text(cap)) for key, cap in size_.caps.items())
    return SizeResult(
        ref=answer.ref, symbol=answer.symbol, side=levels.side, entry=decimal_text(levels.entry),
        stop=decimal_text(levels.stop), quantity=decimal_text(size_.quantity),
        binding=size_.binding, one_r=f"{size_.one_r:.2f}", currency=size_.currency,
        notional=f"{size_.notional:.2f}", equity=f"{rounded(size_.equity, 2):.2f}", caps=caps,
        risk_pct=decimal_text(100 * size_.risk_pct), flags=size_.flags, summary=answer.sentence(),
        risk_pct_used=decimal_text(rounded(100 * size_.risk_pct_used, 2)),
        source=(cite("quotes", answer.quote, symbol=answer.symbol, as_of=answer.quote.ts),))
