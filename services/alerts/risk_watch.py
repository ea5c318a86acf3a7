"""Owns alerts on the account's risk: each stored change of its state, through the state machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from services.alerts import store
from services.alerts.alert import Alert, AlertKind, Standing, from_seconds, to_seconds
from services.alerts.fold import expire
from services.alerts.rule import AlertBar, AlertEvent, step_alert
from services.alerts.telling import Origin, RiskStep, save_told, tell_risk_step
from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.feed import Feed
from services.market.round import market_round
from services.trade.risk import SEVERITY, State
from services.trade.risk_store import RiskChange, changes_after

ANY = "change"
"""The term of an alert that tells every change of the state."""


def level_of(state: State) -> Decimal:
    """Return a state as a level of the state machine: ok is 1, frozen 4."""
    return Decimal(SEVERITY.index(state) + 1)


def watched_risks(ctx: Context) -> list[Alert]:
    """Return the tenant's active alerts on the risk."""
    return [one for one in store.watched(ctx) if one.kind is AlertKind.RISK]


def is_due(ctx: Context, alert: Alert, as_of: datetime) -> bool:
    """Return whether an alert on the risk has a change to see, or its time is over."""
    if alert.expires_at is not None and as_of > alert.expires_at:
        return True
    return bool(changes_after(ctx, alert.subject, _seen(alert), 1))


def tell_risk(ctx: Context) -> int:
    """Evaluate every alert on the risk over the changes it has not seen; return new events.

    The engine calls this with the change itself, the poller when it comes by: both read the same
    stored changes in their order, so they come to the same events.
    """
    ctx.db.lock(f"alerts:{ctx.principal.tenant_id}")
    try:
        as_of = ctx.port(Feed).as_of(ctx)
    except Refusal:
        return 0
    return sum(_one(ctx, alert, as_of) for alert in watched_risks(ctx))


def _one(ctx: Context, alert: Alert, as_of: datetime) -> int:
    begun = _in_round(ctx, alert, as_of)
    after, steps = fold_changes(begun, changes_after(ctx, alert.subject, _seen(alert)))
    before_time = after.state
    after = expire(after, as_of)
    if after == alert:
        return 0
    saved = save_told(ctx, after, before_time)
    if saved is None:
        return 0
    origin = Origin("risk engine", str(ctx.port(Feed).provenance), as_of)
    return sum(tell_risk_step(ctx, saved, step, origin) for step in steps)


def fold_changes(alert: Alert, changes: Sequence[RiskChange]) -> tuple[Alert, tuple[RiskStep, ...]]:
    """Return the alert after some changes, ascending, and what they did; pure.

    Any batches of the same changes make the same steps; those it has seen change nothing.
    """
    steps: list[RiskStep] = []
    for change in changes:
        if change.number <= _seen(alert) or not alert.active:
            continue
        before = alert.state
        alert, event = _step(alert, change)
        if event is not None or alert.state != before:
            steps.append(RiskStep(change=change, before=before, after=alert.state, event=event))
    return alert, tuple(steps)


def _step(alert: Alert, change: RiskChange) -> tuple[Alert, AlertEvent | None]:
    seen = replace(alert, memory={**alert.memory, "seen": str(change.number)})
    last = alert.last_bar_at
    at = max(to_seconds(change.as_of), 0 if last is None else to_seconds(last) + 1)
    level = level_of(change.after)
    if alert.terms == ANY:
        over = alert.expires_at is not None and at > to_seconds(alert.expires_at)
        state: Standing = "expired" if over else ("armed" if alert.repeat else "done")
        event = None if over else AlertEvent(at, level, gap=False)
        return _moved(replace(seen, state=state), event, at), event
    bar = AlertBar(at, level, level, level, level)
    after, event = step_alert(alert.rule, alert.standing, bar=bar)
    moved = replace(
        seen, state=after.state, last_close=after.last_close, suppressed=after.suppressed
    )
    return _moved(moved, event, at), event


def _moved(alert: Alert, event: AlertEvent | None, at: int) -> Alert:
    told = None if event is None else from_seconds(event.t)
    return replace(
        alert,
        last_bar_at=from_seconds(at),
        last_event_at=told or alert.last_event_at,
        first_triggered_at=alert.first_triggered_at or told,
        triggers=alert.triggers + (event is not None),
    )


def _in_round(ctx: Context, alert: Alert, as_of: datetime) -> Alert:
    turn = market_round(ctx)
    if alert.round == turn:
        return alert
    return replace(alert, round=turn, last_bar_at=None, last_event_at=None, watched_from=as_of)


def _seen(alert: Alert) -> int:
    return int(alert.memory.get("seen", "0"))
