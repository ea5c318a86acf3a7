"""Owns the tool `quote`: the newest prices of a few symbols."""

from __future__ import annotations

from pydantic import Field

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import rounded
from services.market.believable import doubt_of, require_believable
from services.market.feed import Feed
from services.market.shown_bars import shown_closes
from services.trade.wording import price_words
from tools.registry import Args, Effect, Result, SymbolText, cite, tool
from tools.wording.figures import Exact, Row


class QuoteArgs(Args):
    """Which symbols."""

    symbols: list[SymbolText] = Field(
        min_length=1, max_length=10, description="One to ten ticker symbols, such as AAPL."
    )


class QuoteRow(Row):
    """One quote with the change since the close before."""

    symbol: str
    name: str
    last: Exact
    bid: Exact
    ask: Exact
    prev_close: Exact | None
    change: Exact | None
    change_pct: Exact | None
    ts: str
    provenance: str
    doubt: str | None


class QuoteResult(Result):
    """The quotes in the order asked, without those that can not be true."""

    quotes: tuple[QuoteRow, ...]


@tool(effect=Effect.READ)
def quote(ctx: Context, args: QuoteArgs) -> QuoteResult:
    """Return last, bid, ask and the day's change of one to ten symbols."""
    feed, asked = ctx.port(Feed), list(dict.fromkeys(s.upper() for s in args.symbols))
    shown = {one.instrument.symbol: doubt_of(one) for one in require_believable(ctx, asked)}
    found = [feed.quote(ctx, symbol) for symbol in asked if symbol in shown]
    rows = tuple(_row(ctx, feed, item.symbol, shown[item.symbol]) for item in found)
    source = tuple(cite("quotes", item, symbol=item.symbol, as_of=item.ts) for item in found)
    left_out = (f"{name}: its price can not be true." for name in asked if name not in shown)
    said = "\n".join([*(_sentence(row) for row in rows), *left_out])
    return QuoteResult(quotes=rows, summary=said, source=source)


def _row(ctx: Context, feed: Feed, symbol: str, doubt: str) -> QuoteRow:
    now, closes = feed.quote(ctx, symbol), shown_closes(ctx, symbol, 1)
    before = closes[-1].c if closes else None
    change = None if before is None else now.last - before
    share = rounded(100 * change / before, 2) if change is not None and before else None
    named, moment = feed.instrument(ctx, symbol).name, instant_text(now.ts)
    seen = {name: getattr(now, name) for name in ("symbol", "last", "bid", "ask", "provenance")}
    moved = {"prev_close": before, "change": change, "change_pct": share, "doubt": doubt or None}
    return QuoteRow(**seen, **moved, name=named, ts=moment)


def _sentence(row: QuoteRow) -> str:
    moved = ""
    if row.change is not None and row.prev_close is not None:
        way, share = "down" if row.change < 0 else "up", f" ({abs(row.change_pct or 0):.2f}%)"
        by = f"{way} {price_words(abs(row.change))}{share} on" if row.change else "unchanged on"
        moved = f", {by} the close of {price_words(row.prev_close)}"
    moved += f", bid {price_words(row.bid)}, ask {price_words(row.ask)} ({row.provenance})."
    moved += f" In doubt: {row.doubt}." if row.doubt else ""
    return f"{row.symbol} last traded at {price_words(row.last)}{moved}"
