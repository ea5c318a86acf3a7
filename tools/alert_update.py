"""Owns the tool `alert_update`: another level, basis, end or note for an alert."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.alerts.book import AlertChange, update_alert
from services.alerts.wording import canonical_words
from services.kit.context import Context
from services.kit.money import parse_decimal
from tools.registry import Args, DecimalText, Effect, Result, tool
from tools.wording.alert_ask import end_of
from tools.wording.figures import Exact
from tools.wording.quotation import quotation


class AlertUpdateArgs(Args):
    """Which alert, and what changes."""

    alert_id: str = Field(
        min_length=4, max_length=60, pattern=r"^[A-Za-z0-9_-]{4,60}$",
        description="Id of an alert, from the tool alert_list.",
    )  # fmt: skip
    level: DecimalText | None = Field(None, description="The new level, as the person said it.")
    basis: Literal["touch", "close"] | None = Field(None, description="Any trade, or bar closes.")
    often: Literal["once", "each_time"] | None = Field(None, description="Once, or each time.")
    until: str | None = Field(
        None, max_length=30, description="Its new end: `2027-01-15 16:00 EST`, or `5 days`."
    )
    note: str | None = Field(None, max_length=300, description="The person's new note.")


class AlertUpdateResult(Result):
    """The alert as it stands now."""

    id: str
    symbol: str
    level: Exact
    state: str


@tool(effect=Effect.NOTE)
def alert_update(ctx: Context, args: AlertUpdateArgs) -> AlertUpdateResult:
    """Change the terms or the note of an alert; new terms begin it anew."""
    change = AlertChange(
        level=None if args.level is None else parse_decimal(args.level, "level"),
        basis=args.basis,
        repeat=None if args.often is None else args.often == "each_time",
        expires_at=end_of(ctx, args.until),
        note=args.note,
    )
    done = update_alert(ctx, args.alert_id, change)
    return AlertUpdateResult(
        id=done.alert.id,
        symbol=done.alert.symbol,
        level=done.alert.level,
        state=done.alert.state,
        flags=done.flags,
        summary=f"The alert is changed: {quotation(canonical_words(done.alert))}.",
    )
