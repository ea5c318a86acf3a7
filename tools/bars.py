"""Owns the tool `bars`: complete bars of one symbol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.kit.context import Context
from services.market.bar import Bar
from services.market.feed import Feed
from services.trade.wording import price_words
from tools.registry import Args, Effect, Result, SymbolText, cite, tool
from tools.wording.figures import Exact, Moment, Row

Timeframe = Literal["1m", "5m", "15m", "30m", "60m", "240m", "1d", "1w", "1mo"]


class BarsArgs(Args):
    """Which bars."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    timeframe: Timeframe = Field(description="Length of a bar.")
    count: Annotated[int, Field(ge=1, le=60)] = Field(description="How many of the newest bars.")


class BarRow(Row):
    """One complete bar; `t` is the start of its window."""

    t: Moment
    o: Exact
    h: Exact
    l: Exact  # noqa: E741 - the field's own name for the low
    c: Exact
    v: Exact


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
    source = cite(f"bars {args.timeframe}", series, symbol=series.symbol, as_of=series.as_of)
    return BarsResult(
        symbol=series.symbol,
        timeframe=args.timeframe,
        bars=tuple(
            BarRow(t=bar.t_open, o=bar.o, h=bar.h, l=bar.l, c=bar.c, v=bar.v) for bar in series.bars
        ),
        bar_hash=series.bar_hash,
        summary=_sentence(series.symbol, args.timeframe, series.bars, series.provenance),
        source=(source,),
    )


def _end_of(bar: Bar, timeframe: str) -> str:
    """Return a bar's place in words: the session's date from a day on, else its opening minute."""
    if timeframe.endswith("m"):
        return f"{bar.t_open:%Y-%m-%d %H:%M} UTC"
    return f"the session of {bar.t_close:%Y-%m-%d}"


def _sentence(symbol: str, timeframe: str, found: tuple[Bar, ...], provenance: str) -> str:
    if not found:
        return f"{symbol}, {timeframe}: there is no complete bar yet."
    newest, first = found[-1], found[0]
    ranged = f"{price_words(newest.l)} to {price_words(newest.h)}"
    return (
        f"{symbol}, {timeframe}: {len(found)} complete bars up to {_end_of(newest, timeframe)}. "
        f"The newest opened at {price_words(newest.o)}, ranged {ranged} and closed at "
        f"{price_words(newest.c)}, the first closed at {price_words(first.c)} ({provenance})."
    )
