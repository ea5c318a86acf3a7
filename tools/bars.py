"""Owns the tool `bars`: complete bars of one symbol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.kit.context import Context
from services.market.bar import Bar
from services.market.feed import BarSeries
from services.market.shown_bars import left_out_words, shown_bars
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
    """The bars, oldest first, adjusted for splits; what can not be true is left out and said."""

    symbol: str
    timeframe: str
    bars: tuple[BarRow, ...]
    bar_hash: str


@tool(effect=Effect.READ)
def bars(ctx: Context, args: BarsArgs) -> BarsResult:
    """Return the newest complete bars of one symbol, oldest first, adjusted for splits."""
    series = shown_bars(ctx, args.symbol.upper(), args.timeframe, args.count)
    return BarsResult(
        symbol=series.symbol,
        timeframe=args.timeframe,
        bars=tuple(
            BarRow(t=bar.t_open, o=bar.o, h=bar.h, l=bar.l, c=bar.c, v=bar.v) for bar in series.bars
        ),
        bar_hash=series.bar_hash,
        summary=_sentence(series, args.timeframe),
        source=(cite(f"bars {args.timeframe}", series, symbol=series.symbol, as_of=series.as_of),),
    )


def _end_of(bar: Bar, timeframe: str) -> str:
    """Return a bar's place in words: the session's date from a day on, else its opening minute."""
    if timeframe.endswith("m"):
        return f"{bar.t_open:%Y-%m-%d %H:%M} UTC"
    return f"the session of {bar.t_close:%Y-%m-%d}"


def _sentence(series: BarSeries, timeframe: str) -> str:
    symbol, found, missing = series.symbol, series.bars, left_out_words(series.left_out)
    if not found:
        return f"{symbol}, {timeframe}: there is no complete bar yet."
    opened, high, low, closed = (price_words(getattr(found[-1], name)) for name in "ohlc")
    return (
        f"{symbol}, {timeframe}: {len(found)} complete bars up to {_end_of(found[-1], timeframe)}. "
        f"The newest opened at {opened}, ranged {low} to {high} and closed at {closed}, the first "
        f"closed at {price_words(found[0].c)} ({series.provenance}). {missing}".rstrip()
    )
