"""Owns the tool `alert_delete`: take an alert away."""

from __future__ import annotations

from pydantic import Field

from services.alerts.book import delete_alert
from services.alerts.wording import canonical_words
from services.kit.context import Context
from tools.registry import Args, Effect, Result, tool
from tools.wording.quotation import quotation


class AlertDeleteArgs(Args):
    """Which alert."""

    alert_id: str = Field(
        min_length=4, max_length=60, pattern=r"^[A-Za-z0-9_-]{4,60}$",
        description="Id of an alert, from the tool alert_list.",
    )  # fmt: skip


class AlertDeleteResult(Result):
    """The alert that is gone."""

    id: str
    symbol: str


@tool(effect=Effect.NOTE)
def alert_delete(ctx: Context, args: AlertDeleteArgs) -> AlertDeleteResult:
    """Delete one alert of the person; what it told stays on record."""
    gone = delete_alert(ctx, args.alert_id)
    words = quotation(canonical_words(gone))
    return AlertDeleteResult(
        id=gone.id, symbol=gone.symbol, summary=f"The alert is deleted: {words}."
    )
