"""Owns the tool `market_status`: whether the market is open, what changes next, how data are."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from services.kit.context import Context
from services.market.decode import EASTERN
from services.market.feed import Feed
from services.market.session import MarketState, market_state, session_on
from tools.registry import Args, Effect, Result, Source, tool
from tools.wording.figures import Moment
from tools.wording.market import change_words, cite_page

_CALENDAR = "XNYS"
_SATURDAY = 5
_STATES = {
    "open": "The market is open",
    "pre": "The market is in early trading, before regular hours",
    "post": "The market is in late trading, after regular hours",
    "closed": "The market is closed",
}


class MarketStatusArgs(Args):
    """No arguments."""


class MarketStatusResult(Result):
    """The state at the feed's own time; `holiday` is a weekday without a session."""

    state: Literal["open", "closed", "pre", "post"]
    calendar: str
    as_of: Moment
    session_date: date | None
    half_day: bool
    holiday: bool
    next_change: Moment
    next_open: Moment
    provenance: str
    data_on: bool


@tool(effect=Effect.READ)
def market_status(ctx: Context, args: MarketStatusArgs) -> MarketStatusResult:  # noqa: ARG001
    """Return whether the US market is open, what changes next, half days, and how data arrive."""
    feed = ctx.port(Feed)
    as_of, health = feed.as_of(ctx), feed.capability()
    found, local = market_state(_CALENDAR, as_of), as_of.astimezone(EASTERN).date()
    today = session_on(_CALENDAR, local)
    holiday = today is None and local.weekday() < _SATURDAY
    half_day = today is not None and today.half_day
    data = f"Data: {health.why} ({feed.provenance})."
    return MarketStatusResult(
        state=found.state,
        calendar=_CALENDAR,
        as_of=as_of,
        session_date=None if found.session is None else found.session.date,
        half_day=half_day,
        holiday=holiday,
        next_change=found.next_change,
        next_open=found.next_open,
        provenance=feed.provenance,
        data_on=health.on,
        summary=f"{_state_words(found, half_day=half_day, holiday=holiday)} {data}",
        source=_source(feed, as_of),
    )


def _state_words(found: MarketState, *, half_day: bool, holiday: bool) -> str:
    why = " for a holiday" if holiday else ""
    short = " It is a half day." if half_day else ""
    return f"{_STATES[found.state]}{why}.{short} {change_words(found.state, found.next_change)}"


def _source(feed: Feed, as_of: datetime) -> tuple[Source, ...]:
    return cite_page("market status", feed.name, feed.provenance, as_of)
