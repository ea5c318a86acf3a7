"""Owns the fold of bars over one alert; stream, poller and the replay of a downtime share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.alerts.alert import Alert, AlertKind, Standing, from_seconds, to_seconds
from services.alerts.measure import Means, lose_sight, measure, no_means
from services.alerts.plan_event import read_terms, step_plan
from services.alerts.rule import AlertEvent, AlertState, step_alert
from services.kit.money import rounded
from services.market.bar import Bar

UNJUDGED = "BARS_NOT_JUDGED"
"""Flag of an alert that passed over bars which could not be trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one bar did: a change of state, an event, or both."""

    bar: Bar
    before: Standing
    after: Standing
    event: AlertEvent | None
    what: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """The alert after some bars, and the bars that did something, in order."""

    after: Alert
    steps: tuple[Step, ...]


def fold(alert: Alert, bars: Sequence[Bar], *, means: Means = no_means) -> Fold:
    """Return the alert after `bars`, ascending; those it has seen before change nothing.

    Any batches of the same bars make the same steps. A bar that began before the alert was set
    counts with its close only.
    """
    steps: list[Step] = []
    for bar in bars:
        if bar.t_close <= alert.seen_until or not alert.active:
            continue
        alert, step = _step(alert, bar, means)
        if step is not None:
            steps.append(step)
    return Fold(alert, tuple(steps))


def pass_over(alert: Alert, bars: Sequence[Bar]) -> Alert:
    """Return the alert after bars that are not to be judged: it has seen them, nothing else."""
    unseen = [bar for bar in bars if bar.t_close > alert.seen_until]
    if not unseen or not alert.active:
        return alert
    last = unseen[-1]
    return replace(
        alert,
        last_bar_at=last.t_close,
        memory=(
            alert.memory
            if alert.kind is AlertKind.PLAN_EVENT
            else lose_sight(last, calendar=alert.calendar)
        ),
        flags=tuple(sorted({*alert.flags, UNJUDGED})),
    )


def _step(alert: Alert, bar: Bar, means: Means) -> tuple[Alert, Step | None]:
    if alert.kind is AlertKind.PLAN_EVENT:
        return _plan_step(alert, bar)
    found = measure(alert.kind, bar, alert.memory, calendar=alert.calendar, means=means)
    seen = replace(alert, memory=found.memory)
    if found.bar is None:
        return replace(seen, last_bar_at=bar.t_close), None
    early = alert.timeframe == "minute" and bar.t_open < alert.watched_from
    rule = replace(alert.rule, basis="close") if early else alert.rule
    after, event = step_alert(rule, alert.standing, bar=found.bar)
    now = replace(_moved(seen, after, event), last_bar_at=bar.t_close)
    if event is None and now.state == alert.state:
        return now, None
    return now, Step(bar=bar, before=alert.state, after=now.state, event=event)


def _plan_step(alert: Alert, bar: Bar) -> tuple[Alert, Step | None]:
    """Return the alert on a plan after one bar: it ends with the plan, or with its one event."""
    terms, seen_bar = read_terms(alert.terms), bar
    seen = replace(alert, last_bar_at=bar.t_close, last_close=bar.c)
    if alert.expires_at is not None and bar.t_close > alert.expires_at:
        return _ended(seen, bar, "expired")
    if bar.t_open < alert.watched_from:
        seen_bar = replace(bar, o=bar.c, h=bar.c, l=bar.c)
    found = step_plan(terms, alert.memory, seen_bar, calendar=alert.calendar)
    seen = replace(seen, memory=found.memory)
    if found.moment not in terms.moments:
        return (
            _ended(seen, bar, "done" if found.moment else "expired") if found.over else (seen, None)
        )
    event = AlertEvent(to_seconds(bar.t_close), rounded(found.price, 4), found.gap)
    state: Standing = "done" if found.over or not alert.repeat else "armed"
    at = bar.t_close
    now = replace(
        seen,
        state=state,
        last_event_at=at,
        first_triggered_at=alert.first_triggered_at or at,
        triggers=alert.triggers + 1,
    )
    reached = found.memory.get("target", "")
    what = f"target {reached}" if found.moment == "target" else found.moment
    return now, Step(bar=bar, before=alert.state, after=state, event=event, what=what)


def _ended(alert: Alert, bar: Bar, state: Standing) -> tuple[Alert, Step]:
    return replace(alert, state=state), Step(bar=bar, before=alert.state, after=state, event=None)


def _moved(alert: Alert, after: AlertState, event: AlertEvent | None) -> Alert:
    at = None if event is None else from_seconds(event.t)
    return replace(
        alert,
        state=after.state,
        last_close=after.last_close,
        last_event_at=at or alert.last_event_at,
        suppressed=after.suppressed,
        first_triggered_at=alert.first_triggered_at or at,
        triggers=alert.triggers + (event is not None),
    )


def expire(alert: Alert, as_of: datetime) -> Alert:
    """Return the alert as expired when `as_of` is past its expiry, all earlier bars being seen."""
    over = alert.expires_at is not None and as_of > alert.expires_at
    return replace(alert, state="expired") if over and alert.active else alert
