"""Owns the shapes of alerts and their triggers on the wire, and how an alert is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from app.http.answer_models import Labelled
from services.alerts.alert import Alert, AlertKind
from services.alerts.plan_event import read_terms
from services.alerts.store import Trigger
from services.alerts.wording import canonical_words
from services.kit.context import Context
from services.market.feed import Feed

_SHOWN = (
    "id", "symbol", "kind", "side", "level", "threshold_pct", "timeframe", "mode", "basis",
    "repeat", "latency", "state", "flags", "expires_at", "ref_price", "created_at",
    "first_triggered_at", "triggers", "note", "hysteresis", "cooldown_s", "suppressed",
)  # fmt: skip
_NOTE_WHY = {"person": "your note", "agent": "noted by the coach in your words"}


class AlertAnswer(Labelled):
    """One alert as it stands; `text` is its rule in canonical words.

    `effective` is the level with its threshold; for `vwap_cross` in percent of the VWAP. `subject`
    is the plan or the portfolio that a `plan_event` or `risk` alert watches, `moments` what it
    tells of the plan, `risk_state` from which state on it tells; their level and symbol are not
    those of a price alert: a plan's entry, and none.
    """

    id: str
    symbol: str
    kind: str
    side: str
    level: Decimal
    effective: Decimal
    threshold_pct: Decimal
    timeframe: str
    mode: str
    basis: str
    repeat: bool
    latency: str
    state: str
    flags: list[str]
    expires_at: datetime | None
    ref_price: Decimal
    created_at: datetime
    last_event_at: datetime | None
    first_triggered_at: datetime | None
    triggers: int
    note: str
    note_why: str
    text: str
    hysteresis: Decimal
    cooldown_s: int
    suppressed: int
    subject: str
    moments: list[str]
    risk_state: str | None


class AlertSet(AlertAnswer):
    """The alert after a change; `flags` may hold `DUPLICATE` and `ALREADY_BEYOND`."""


class AlertRuleAnswer(BaseModel):
    """What words mean as an alert; `alert` is null while nothing was set (`dry_run`)."""

    canonical: str
    rule: dict[str, Any]
    flags: list[str]
    alert: AlertAnswer | None


class TriggerAnswer(Labelled):
    """One event of an alert; `late_s` after its bar.

    `what` is the moment of a plan or the state of the risk; the price of the latter is 1 for ok to
    4 for frozen.
    """

    id: str
    alert_id: str
    symbol: str
    at: datetime
    price: Decimal
    gap: bool
    provisional: bool
    late_s: int
    what: str


class Unread(BaseModel):
    """How many notifications are unread."""

    unread: int


def alert_body(ctx: Context, alert: Alert, flags: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return an alert as it is shown, labelled with the feed it is watched on."""
    feed = ctx.port(Feed)
    return {
        **{name: getattr(alert, name) for name in _SHOWN},
        "flags": list(alert.flags if flags is None else flags),
        "effective": alert.effective + 0,
        "last_event_at": alert.last_event_at,
        "note_why": _NOTE_WHY.get(alert.note_by, "") if alert.note else "",
        "text": canonical_words(alert),
        **_watched(alert),
        "as_of": alert.seen_until,
        "provenance": feed.provenance,
        "source": feed.name,
    }


def _watched(alert: Alert) -> dict[str, Any]:
    """Return what an alert on a plan or the risk watches; empty for prices."""
    of_plan = alert.kind is AlertKind.PLAN_EVENT
    return {
        "subject": alert.subject,
        "moments": list(read_terms(alert.terms).moments) if of_plan else [],
        "risk_state": alert.terms if alert.kind is AlertKind.RISK else None,
    }


def rule_body(alert: Alert) -> Mapping[str, Any]:
    """Return the terms of an alert alone."""
    names = ("symbol", "kind", "side", "level", "threshold_pct", "timeframe", "mode", "basis",
             "repeat", "expires_at")  # fmt: skip
    return {name: getattr(alert, name) for name in names} | _watched(alert)


def trigger_body(trigger: Trigger) -> dict[str, Any]:
    """Return a trigger as it is shown; its label is that of the bar."""
    names = ("id", "alert_id", "symbol", "at", "price", "gap", "provisional", "late_s", "what")
    return {
        **{name: getattr(trigger, name) for name in names},
        "as_of": trigger.at,
        "provenance": trigger.provenance,
        "source": trigger.source,
    }
