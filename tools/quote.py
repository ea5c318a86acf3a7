"""Owns the tool `quote`: the newest prices of a few symbols."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.market.feed import Feed
from tools.registry import Args, Effect, Result, SymbolText, cite, tool


class QuoteArgs(Args):
    """Which symbols."""

    symbols: Annotated[list[SymbolText], Field(min_length=1, max_length=10)] = Field(
        description="One to ten ticker symbols, such as AAPL.")


class QuoteRow(BaseModel):
    """One quote with the change since the close before."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    name: str
    last: str
    bid: str
    ask: str
    prev_close: str | None
    change: str | None
    change_pct: str | None
    ts: str
    provenance: str


class QuoteResult(Result):
    """The quotes in the order asked."""

    quotes: tuple[QuoteRow, ...]


@tool(effect=Effect.READ)
def quote(ctx: Context, args: QuoteArgs) -> QuoteResult:
    """Return last, bid, ask and the day's change of one to ten symbols."""
    feed = ctx.port(Feed)
    found = [feed.quote(ctx, symbol) for symbol in dict.fromkeys(s.upper() for s in args.symbols)]
    rows = tuple(_row(ctx, feed, item.symbol) for item in found)
    sources = tuple(cite("quotes", item, symbol=item.symbol, as_of=item.ts) for item in found)
    return QuoteResult(quotes=rows, summary=" ".join(_sentence(row) for row in rows),
                       source=sources)


def _row(ctx: Context, feed: Feed, symbol: str) -> QuoteRow:
    now = feed.quote(ctx, symbol)
    closes = feed.bars(ctx, symbol, "1d", 1).bars
    before = closes[-1].c if closes else None
    change = now.last - before if before is not None else None
    return QuoteRow(
        symbol=now.symbol, name=feed.instrument(ctx, symbol).name, last=decimal_text(now.last),
        bid=decimal_text(now.bid), ask=decimal_text(now.ask),
        prev_close=decimal_text(before) if before is not None else None,
        change=decimal_text(change) if change is not None else None,
        change_pct=decimal_text(rounded(100 * change / before, 2))
        if change is not None and before else None,
        ts=instant_text(now.ts), provenance=str(now.provenance))


def _sentence(row: QuoteRow) -> str:
    market = f", bid {row.bid}, ask {row.ask}"
    moved = ""
    if row.change is not None:
        way = "down" if row.change.startswith("-") else "up"
        moved = (f", {way} {row.change.lstrip('-')} ({(row.change_pct or '').lstrip('-')}%) on the "
                 f"close of {row.prev_close}")
    return f"{row.symbol} last traded at {row.last}{moved}{market} ({row.provenance})."
