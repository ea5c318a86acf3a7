"""Owns the tool `alert_set`: tell the person of a price, of a plan's moment, or of the risk."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.alerts.book import set_alert
from services.kit.context import Context
from tools.registry import Args, DecimalText, Effect, Result, SymbolText, tool
from tools.wording.alert_ask import asked
from tools.wording.alerts import set_words
from tools.wording.figures import Exact


class AlertSetArgs(Args):
    """What to watch; a symbol for prices and volume, a plan_id for plan_event, neither for risk."""

    kind: Literal[
        "price_above", "price_below", "vwap_cross", "rvol_above", "plan_event", "risk"
    ] = Field(description="A price, distance from VWAP, relative volume, a stored plan, the risk.")
    symbol: SymbolText | None = Field(None, description="Ticker symbol, such as AAPL.")
    level: DecimalText | None = Field(
        None, description="The price, or the multiple of the usual volume, as the person said it."
    )
    distance_pct: DecimalText | None = Field(
        None, description="Signed percent from VWAP, such as -2; for prices from the last price."
    )
    threshold_pct: DecimalText | None = Field(
        None, description="Percent beyond the level, below 0 for a warning before it."
    )
    plan_id: str | None = Field(
        None, max_length=21, pattern=r"^plan_[0-9a-f]{16}$", description="A plan, for plan_event."
    )
    moments: list[Annotated[str, Field(max_length=20)]] | None = Field(
        None, max_length=5, description="Of entry, target, stop, invalidation, time_stop; or all."
    )
    risk_state: Literal["warn", "breach", "frozen", "change"] | None = Field(
        None, description="For kind risk: tell from this state on, or each change."
    )
    fires: Literal["on_cross", "at_level"] | None = Field(
        None, description="at_level tells at once when the price is there already."
    )
    basis: Literal["touch", "close"] | None = Field(None, description="Any trade, or bar closes.")
    timeframe: Literal["minute", "day"] | None = Field(None, description="Bars; usual is minute.")
    often: Literal["once", "each_time"] | None = Field(
        None, description="Usual is once for prices, each_time for a plan or the risk."
    )
    until: str | None = Field(
        None, max_length=30, description="Its end: `2027-01-15 16:00 EST`, or `5 days`."
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
    done = set_alert(ctx, asked(ctx, args.model_dump(exclude_none=True)))
    return AlertSetResult(
        id=done.alert.id,
        symbol=done.alert.symbol,
        kind=done.alert.kind,
        level=done.alert.level,
        state=done.alert.state,
        flags=done.flags,
        summary=set_words(done),
    )
