"""Owns the tool `alert_set`: tell the person when a price, VWAP or volume condition is met."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.alerts.alert import AlertAsk, AlertKind
from services.alerts.book import set_alert
from services.kit.context import Context
from services.kit.money import parse_decimal
from tools.registry import Args, DecimalText, Effect, Result, SymbolText, tool
from tools.wording.alerts import set_words
from tools.wording.figures import Exact


class AlertSetArgs(Args):
    """What to watch."""

    symbol: SymbolText = Field(description="Ticker symbol, such as AAPL.")
    kind: Literal["price_above", "price_below", "vwap_cross", "rvol_above"] = Field(
        description="What to look at: the price, its distance from VWAP, or relative volume."
    )
    level: DecimalText | None = Field(
        None, description="The price, or the multiple of the usual volume, as the person said it."
    )
    distance_pct: DecimalText | None = Field(
        None, description="Signed percent from VWAP, such as -2; for prices from the last price."
    )
    fires: Literal["on_cross", "at_level"] | None = Field(
        None, description="at_level tells at once when the price is there already."
    )
    timeframe: Literal["minute", "day"] | None = Field(None, description="Bars; usual is minute.")
    often: Literal["once", "each_time"] | None = Field(
        None, description="Tell once, which is usual, or each time it happens anew."
    )
    note: str | None = Field(None, max_length=300, description="The person's own note.")


class AlertSetResult(Result):
    """The alert that stands now."""

    id: str
    symbol: str
    kind: str
    level: Exact
    state: str


@tool(effect=Effect.NOTE)
def alert_set(ctx: Context, args: AlertSetArgs) -> AlertSetResult:
    """Set an alert that tells the person when a condition is met; it never trades."""
    away, level = args.distance_pct, args.level
    ask = AlertAsk(
        symbol=args.symbol,
        kind=AlertKind(args.kind),
        level=None if level is None else parse_decimal(level, "level"),
        distance_pct=None if away is None else parse_decimal(away, "distance_pct"),
        mode="level" if args.fires == "at_level" else "cross",
        timeframe=args.timeframe or "minute",
        repeat=args.often == "each_time",
        note=args.note or "",
    )
    done = set_alert(ctx, ask)
    return AlertSetResult(
        id=done.alert.id,
        symbol=done.alert.symbol,
        kind=done.alert.kind,
        level=done.alert.level,
        state=done.alert.state,
        flags=done.flags,
        summary=set_words(done),
    )
