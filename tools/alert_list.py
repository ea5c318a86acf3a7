"""Owns the tool `alert_list`: the person's alerts and where they stand."""

from __future__ import annotations

from services.alerts import store
from services.kit.context import Context
from tools.registry import Args, Effect, Result, tool
from tools.wording.alerts import line_words
from tools.wording.figures import Exact, Row

_SHOWN_MAX = 15


class AlertListArgs(Args):
    """Nothing to say: the alerts of this person."""


class AlertRow(Row):
    """One alert; `note` is what the person wrote."""

    id: str
    symbol: str
    kind: str
    level: Exact
    state: str
    triggers: int
    note: str


class AlertListResult(Result):
    """The alerts, newest first."""

    alerts: tuple[AlertRow, ...]


@tool(effect=Effect.READ, tainted=True)
def alert_list(ctx: Context, args: AlertListArgs) -> AlertListResult:  # noqa: ARG001 - no arguments
    """Return the person's alerts, newest first, with their state and how often they fired."""
    found = store.list_alerts(ctx, limit=50)
    rows = tuple(AlertRow.model_validate(one) for one in found)
    if not found:
        return AlertListResult(alerts=(), summary="You have no alerts yet.")
    lines = [line_words(one) for one in found[:_SHOWN_MAX]]
    return AlertListResult(alerts=rows, summary="\n".join(["Your alerts:", "", *lines]))
