"""Owns the tool `risk_state`: what the account risks now, how near its limits, and why."""

from __future__ import annotations

from services.kit.context import Context
from services.orders.risk_engine import view_risk
from tools.registry import Args, Effect, Result, cite, tool
from tools.wording.figures import Cents, Exact, Moment, Row
from tools.wording.risk import risk_sentence


class RiskStateArgs(Args):
    """No arguments."""


class LimitRow(Row):
    """One limit: `value` of `limit`, `used` as a fraction of it; 1 is the limit."""

    name: str
    value: Exact
    limit: Exact
    used: Exact


class RiskRow(Row):
    """One position or unfilled opening order and what it gives back down to its stop."""

    symbol: str
    side: str
    quantity: Exact
    stop: Exact | None
    open_risk: Cents
    open_risk_r: Exact


class RiskStateResult(Result):
    """The account's risk: `ok`, `warn`, `breach` or `frozen`; figures absent without equity."""

    state: str
    reason: str
    currency: str
    one_r: Cents | None
    open_risk: Cents | None
    open_risk_r: Exact | None
    day_pnl: Cents | None
    day_r: Exact | None
    week_pnl: Cents | None
    gross: Cents | None
    breaches: tuple[str, ...]
    limits: tuple[LimitRow, ...]
    positions: tuple[RiskRow, ...]
    as_of: Moment


@tool(effect=Effect.READ)
def risk_state(ctx: Context, args: RiskStateArgs) -> RiskStateResult:  # noqa: ARG001 - a tool's shape
    """Return the risk of the default account: open risk in R, losses, exposure, limits, state."""
    found = view_risk(ctx)
    body, now = found.body, found.now
    names = ("one_r", "open_risk", "open_risk_r", "day_pnl", "day_r", "week_pnl", "gross")
    return RiskStateResult(
        state=found.state,
        reason=found.reason,
        currency=now.currency,
        **{name: body.get(name) for name in names},
        breaches=tuple(body.get("breaches", ())),
        limits=tuple(LimitRow(**one) for one in body.get("limits", ())),
        positions=tuple(RiskRow(**one) for one in body.get("positions", ())),
        as_of=now.as_of,
        flags=tuple(body.get("flags", ())),
        summary=risk_sentence(found),
        source=(cite("risk", found, symbol=None, as_of=now.as_of),),
    )
