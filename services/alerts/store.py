"""Owns reading and writing alerts and their triggers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from services.alerts.alert import ACTIVE, Alert, AlertKind
from services.alerts.tables import alert_triggers, alerts
from services.kit.canonical import tagged_hash
from services.kit.context import Context
from services.kit.errors import refuse

_NAMES = tuple(one.name for one in fields(Alert))
TRIGGERS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One event of an alert: the bar it came from, the price, and how late it was told.

    `at` is the close of the bar; `provisional` until the complete bar has confirmed it. `what`
    names the moment of a plan or the state of the risk.
    """

    id: str
    event_key: str
    alert_id: str
    symbol: str
    bar_open: datetime
    at: datetime
    price: Decimal
    gap: bool
    provisional: bool
    late_s: int
    provenance: str
    source: str
    what: str = ""


def same_key(alert: Alert) -> str | None:
    """Return the key under which an equal alert is found; None when the alert is not active."""
    if not (alert.active or alert.state == "paused"):
        return None
    terms = {
        "user": alert.user_id,
        "listing": alert.listing,
        "kind": alert.kind,
        "side": alert.side,
        "effective": alert.effective,
        "timeframe": alert.timeframe,
    }
    if alert.subject:
        terms |= {"subject": alert.subject, "terms": alert.terms}
    return tagged_hash("alert_same/v1", terms)


def find_same(ctx: Context, alert: Alert) -> Alert | None:
    """Return the active alert that says the same, or None."""
    row = ctx.db.row(
        select(alerts).where(alerts.c.same_key == same_key(alert), alerts.c.id != alert.id)
    )
    return _alert(row) if row else None


def insert(ctx: Context, alert: Alert) -> None:
    """Write a new alert."""
    ctx.db.insert(alerts, {**_columns(alert), "version": alert.version, "deleted_at": None})


def save(ctx: Context, alert: Alert) -> Alert | None:
    """Write an alert that was read at `alert.version`; None when somebody else was quicker."""
    values = {**_columns(alert), "version": alert.version + 1, "updated_at": ctx.now}
    hit = ctx.db.change(
        update(alerts)
        .where(
            alerts.c.id == alert.id,
            alerts.c.version == alert.version,
            alerts.c.deleted_at.is_(None),
        )
        .values(**values)
    )
    return replace(alert, version=alert.version + 1, updated_at=ctx.now) if hit else None


def mark_deleted(ctx: Context, alert: Alert) -> None:
    """Take an alert out of every list; its triggers stay."""
    ctx.db.change(
        update(alerts)
        .where(alerts.c.id == alert.id)
        .values(deleted_at=ctx.now, same_key=None, version=alert.version + 1)
    )


def get_alert(ctx: Context, alert_id: str) -> Alert:
    """Return one alert of this person. Raises `ALERT_UNKNOWN`."""
    row = ctx.db.row(
        select(alerts).where(alerts.c.id == alert_id, alerts.c.deleted_at.is_(None), _mine(ctx))
    )
    if row is None:
        raise refuse("ALERT_UNKNOWN", id=alert_id[:80])
    return _alert(row)


def list_alerts(ctx: Context, *, active: bool | None = None, limit: int = 500) -> list[Alert]:
    """Return this person's newest alerts, newest first; active ones only, others only, or all."""
    query = (
        select(alerts)
        .where(alerts.c.deleted_at.is_(None), _mine(ctx))
        .order_by(alerts.c.id.desc())
        .limit(limit)
    )
    if active is not None:
        standing = alerts.c.state.in_(ACTIVE)
        query = query.where(standing if active else ~standing)
    return [_alert(row) for row in ctx.db.rows(query)]


def count_active(ctx: Context) -> int:
    """Return how many alerts of this person are active or paused."""
    found = ctx.db.scalar(
        select(func.count())
        .select_from(alerts)
        .where(alerts.c.same_key.is_not(None), alerts.c.deleted_at.is_(None), _mine(ctx))
    )
    return int(found or 0)


def watched(ctx: Context, symbol: str | None = None) -> list[Alert]:
    """Return every active alert of the tenant, of one symbol or all, oldest first."""
    query = (
        select(alerts)
        .where(alerts.c.state.in_(ACTIVE), alerts.c.deleted_at.is_(None))
        .order_by(alerts.c.id)
    )
    if symbol is not None:
        query = query.where(alerts.c.symbol == symbol)
    return [_alert(row) for row in ctx.db.rows(query)]


def of_subject(ctx: Context, subject: str) -> list[Alert]:
    """Return the tenant's alerts on one subject, also those that rest or are over, oldest first."""
    rows = ctx.db.rows(
        select(alerts)
        .where(alerts.c.subject == subject, alerts.c.deleted_at.is_(None))
        .order_by(alerts.c.id)
    )
    return [_alert(row) for row in rows]


def find_trigger(ctx: Context, event_key: str) -> Trigger | None:
    """Return the trigger of an event key, or None."""
    row = ctx.db.row(select(alert_triggers).where(alert_triggers.c.event_key == event_key))
    return _trigger(row) if row else None


def insert_trigger(ctx: Context, trigger: Trigger) -> None:
    """Write a new trigger; the database refuses a second one of the same event."""
    ctx.db.insert(
        alert_triggers,
        {
            **{one.name: getattr(trigger, one.name) for one in fields(Trigger)},
            "gap": int(trigger.gap),
            "provisional": int(trigger.provisional),
            "recorded_at": ctx.now,
        },
    )


def confirm_trigger(ctx: Context, trigger: Trigger) -> None:
    """Replace a provisional event by what the complete bar says of it."""
    ctx.db.change(
        update(alert_triggers)
        .where(alert_triggers.c.event_key == trigger.event_key)
        .values(
            at=trigger.at,
            price=trigger.price,
            gap=int(trigger.gap),
            provisional=0,
            provenance=trigger.provenance,
        )
    )


def list_unconfirmed(ctx: Context, alert: Alert) -> list[Trigger]:
    """Return the events that are provisional still although their bar was evaluated."""
    rows = ctx.db.rows(
        select(alert_triggers)
        .where(
            alert_triggers.c.alert_id == alert.id,
            alert_triggers.c.provisional == 1,
            alert_triggers.c.bar_open < alert.seen_until,
        )
        .order_by(alert_triggers.c.bar_open)
    )
    return [_trigger(row) for row in rows]


def list_triggers(ctx: Context, alert_id: str, limit: int = TRIGGERS_MAX) -> list[Trigger]:
    """Return the newest triggers of one alert, newest first. Raises `ALERT_UNKNOWN`."""
    get_alert(ctx, alert_id)
    rows = ctx.db.rows(
        select(alert_triggers)
        .where(alert_triggers.c.alert_id == alert_id)
        .order_by(alert_triggers.c.at.desc(), alert_triggers.c.id.desc())
        .limit(limit)
    )
    return [_trigger(row) for row in rows]


def _mine(ctx: Context) -> ColumnElement[bool]:
    return alerts.c.user_id == ctx.principal.user_id


def _columns(alert: Alert) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(alert, name) for name in _NAMES}
    return {
        **values,
        "kind": alert.kind.value,
        "repeat": int(alert.repeat),
        "flags": json.dumps(alert.flags),
        "memory": json.dumps(dict(alert.memory), sort_keys=True),
        "same_key": same_key(alert),
    }


def _alert(row: Any) -> Alert:
    values: Mapping[str, Any] = {name: getattr(row, name) for name in _NAMES}
    parsed = {
        "kind": AlertKind(row.kind),
        "repeat": bool(row.repeat),
        "flags": tuple(json.loads(row.flags)),
        "memory": json.loads(row.memory),
    }
    return Alert(**{**values, **parsed})


def _trigger(row: Any) -> Trigger:
    values = {one.name: getattr(row, one.name) for one in fields(Trigger)}
    return Trigger(**{**values, "gap": bool(row.gap), "provisional": bool(row.provisional)})
