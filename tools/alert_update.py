"""Owns the tool `alert_update`: another level or note for an alert."""

from __future__ import annotations

from pydantic import Field

from services.alerts.book import AlertChange, update_alert
from services.alerts.wording import canonical_words
from services.kit.context import Context
from services.kit.money import parse_decimal
from tools.registry import Args, DecimalText, Effect, Result, tool
from tools.wording.figures import Exact
from tools.wording.quotation import quotation


class AlertUpdateArgs(Args):
    """Which alert, and what changes."""

    alert_id: str = Field(
        min_length=4, max_length=60, pattern=r"^[A-Za-z0-9_-]{4,60}$",
        description="Id of an alert, from the tool alert_list.",
    )  # fmt: skip
    level: DecimalText | None = Field(None, description="The new level, as the person said it.")
    note: str | None = Field(None, max_length=300, description="The person's new note.")


class AlertUpdateResult(Result):
    """The alert as it stands now."""

    id: str
    symbol: str
    level: Exact
    state: str


@tool(effect=Effect.NOTE)
def alert_update(ctx: Context, args: AlertUpdateArgs) -> AlertUpdateResult:
    """Change the level or the note of an alert; a new level begins it anew."""
    level = None if args.level is None else parse_decimal(args.level, "level")
    done = update_alert(ctx, args.alert_id, AlertChange(level=level, note=args.note))
    return AlertUpdateResult(
        id=done.alert.id,
        symbol=done.alert.symbol,
        level=done.alert.level,
        state=done.alert.state,
        flags=done.flags,
        summary=f"The alert is changed: {quotation(canonical_words(done.alert))}.",
    )
