"""Owns the tool `bars`: complete bars of one symbol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import decimal_text
from services.market.bar import Bar
from services.market.feed import Feed
from tools.registry import Args, Effect, Result, SymbolText, cite, tool

Timeframe = Literal["1m", "5m", "15m", "30m", "60m", "240m", "1d", "1w", "1mo"]


class BarsArgs(Args):
    """Which bars."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    timeframe: Timeframe = Field(description="Length of a bar.")
    count: Annotated[int, Field(ge=1, le=60)] = Field(description="How many of the newest bars.")


class BarRow(BaseModel):
    """One complete bar; `t` is the start of its window."""

    model_config = ConfigDict(frozen=True)

    t: str
    o: str
    h: str
    l: str  # noqa: E741 - the field's own name for the low
    c: str
    v: str


class BarsResult(Result):
    """The bars, oldest first, adjusted for splits."""

    symbol: str
    timeframe: str
    bars: tuple[BarRow, ...]
    bar_hash: str


@tool(effect=Effect.READ)
def bars(ctx: Context, args: BarsArgs) -> BarsResult:
    """Return the newest complete bars of one symbol, oldest first, adjusted for splits."""
    series = ctx.port(Feed).bars(ctx, args.symbol.upper(), args.timeframe, args.count)
    rows = tuple(_row(bar) for bar in series.bars)
    if rows:
        said = (f"{series.symbol}, {len(rows)} bars of {args.timeframe} up to "
                f"{rows[-1].t[:10]}: the newest opened at {rows[-1].o}, ranged {rows[-1].l} to "
                f"{rows[-1].h} and closed at {rows[-1].c} ({series.provenance}).")
    else:
        said = f"{series.symbol} has no complete {args.timeframe} bar yet."
    return BarsResult(symbol=series.symbol, timeframe=args.timeframe, bars=rows,
                      bar_hash=series.bar_hash, summary=said,
                      source=(cite(f"bars {args.timeframe}", series, symbol=series.symbol,
                                   as_of=series.as_of),))


def _row(bar: Bar) -> BarRow:
    return BarRow(t=instant_text(bar.t_open), o=decimal_text(bar.o), h=decimal_text(bar.h),
                  l=decimal_text(bar.l), c=decimal_text(bar.c), v=decimal_text(bar.v))
