"""Owns the shapes of alerts and their triggers on the wire, and how an alert is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from app.http.answer_models import Labelled
from services.alerts.alert import Alert
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

    `effective` is the level with its threshold; for `vwap_cross` in percent of the VWAP.
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


class AlertSet(AlertAnswer):
    """The alert after a change; `flags` may hold `DUPLICATE` and `ALREADY_BEYOND`."""


class AlertRuleAnswer(BaseModel):
    """What words mean as an alert; `alert` is null while nothing was set (`dry_run`)."""

    canonical: str
    rule: dict[str, Any]
    flags: list[str]
    alert: AlertAnswer | None


class TriggerAnswer(Labelled):
    """One event of an alert; `late_s` after its bar."""

    id: str
    alert_id: str
    symbol: str
    at: datetime
    price: Decimal
    gap: bool
    provisional: bool
    late_s: int


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
        "as_of": alert.seen_until,
        "provenance": feed.provenance,
        "source": feed.name,
    }


def rule_body(alert: Alert) -> Mapping[str, Any]:
    """Return the terms of an alert alone."""
    names = ("symbol", "kind", "side", "level", "threshold_pct", "timeframe", "mode", "basis",
             "repeat", "expires_at")  # fmt: skip
    return {name: getattr(alert, name) for name in names}


def trigger_body(trigger: Trigger) -> dict[str, Any]:
    """Return a trigger as it is shown; its label is that of the bar."""
    names = ("id", "alert_id", "symbol", "at", "price", "gap", "provisional", "late_s")
    return {
        **{name: getattr(trigger, name) for name in names},
        "as_of": trigger.at,
        "provenance": trigger.provenance,
        "source": trigger.source,
    }
