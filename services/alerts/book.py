"""Owns setting, changing, resting and deleting alerts; each change is audited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from services import audit
from services.alerts import store
from services.alerts.alert import (
    BY_SUBJECT,
    Alert,
    AlertAsk,
    AlertKind,
    Basis,
    Latency,
    Mode,
    Timeframe,
)
from services.alerts.standpoint import stand
from services.alerts.subject import build_subject_alert, restart_subject
from services.alerts.terms import build_terms, restart
from services.alerts.wording import canonical_words
from services.alerts.words import read_rule
from services.kit.context import Context
from services.kit.errors import fail, refuse
from services.kit.outbox import wake
from services.market.feed import Feed

ACTIVE_MAX = 200
BEYOND = "ALREADY_BEYOND"


@dataclass(frozen=True, slots=True)
class SetAlert:
    """The alert as it stands, and what to mind: `DUPLICATE` (it stood before), `ALREADY_BEYOND`."""

    alert: Alert
    flags: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the rule in canonical words."""
        return canonical_words(self.alert)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """What to change; None leaves as it is. `paused` rests the alert, or wakes it again."""

    level: Decimal | None = None
    threshold_pct: Decimal | None = None
    timeframe: Timeframe | None = None
    mode: Mode | None = None
    basis: Basis | None = None
    repeat: bool | None = None
    latency: Latency | None = None
    expires_at: datetime | None = None
    note: str | None = None
    paused: bool | None = None
    confirm_far: bool = False


def preview_alert(ctx: Context, ask: AlertAsk) -> SetAlert:
    """Return the alert that `ask` would set, without setting it. Raises as `set_alert`."""
    if ask.kind in BY_SUBJECT:
        made = build_subject_alert(ctx, ask)
    else:
        at = stand(ctx, ask.symbol, kind=ask.kind, timeframe=ask.timeframe)
        made = build_terms(ask, at, alert_id="", user_id=ctx.principal.user_id)
        made = replace(made, note_by=str(ctx.principal.actor), updated_at=ctx.now)
    same = store.find_same(ctx, made)
    if same is not None:
        return SetAlert(same, ("DUPLICATE", *same.flags))
    return SetAlert(made, made.flags)


def set_alert(ctx: Context, ask: AlertAsk) -> SetAlert:
    """Set an alert; one that stands already is returned with the flag `DUPLICATE`.

    Raises `SYMBOL_UNKNOWN` (facts: the three nearest), `ALERT_LEVEL_INVALID`, `ALERT_EXPIRED`,
    `ALERT_THRESHOLD_RANGE`, `ALERT_LEVEL_FAR` without `confirm_far`, `ALERT_LIMIT` above 200
    active ones, `DQ_BLOCK` while the data of the symbol are bad; for a plan or the risk what
    `build_subject_alert` raises.
    """
    ctx.db.lock(f"alerts:{ctx.principal.tenant_id}")
    found = preview_alert(ctx, ask)
    if "DUPLICATE" in found.flags:
        return found
    count = store.count_active(ctx)
    if count >= ACTIVE_MAX:
        raise refuse("ALERT_LIMIT", count=count, limit=ACTIVE_MAX)
    made = replace(found.alert, id=ctx.ids.new("al"))
    store.insert(ctx, made)
    _record(ctx, "alert.set", made, text=canonical_words(made), ref_price=made.ref_price)
    wake(ctx, "alerts", ctx.principal.tenant_id)
    return SetAlert(made, made.flags)


def ask_from_words(ctx: Context, text: str) -> AlertAsk:
    """Return what the words ask for at the market's time. Raises `ALERT_RULE_UNREAD`."""
    return read_rule(text, as_of=ctx.port(Feed).as_of(ctx))


def update_alert(ctx: Context, alert_id: str, change: AlertChange) -> SetAlert:
    """Change an alert. New terms begin it anew at the last price; a note alone leaves its state.

    A done or expired alert with new terms is armed again. Raises `ALERT_UNKNOWN`,
    `ALERT_DUPLICATE`, and what `set_alert` raises.
    """
    ctx.db.lock(f"alerts:{ctx.principal.tenant_id}")
    before = store.get_alert(ctx, alert_id)
    after = before
    if change.note is not None:
        after = replace(after, note=change.note.strip(), note_by=str(ctx.principal.actor))
    if _has_terms(change) or change.paused is False:
        after = _begun_anew(ctx, after, change)
    if change.paused:
        after = replace(after, state="paused")
    same = store.find_same(ctx, after) if store.same_key(after) else None
    if same is not None:
        raise refuse("ALERT_DUPLICATE", id=same.id)
    if store.same_key(after) and not store.same_key(before) and _is_full(ctx):
        raise refuse("ALERT_LIMIT", count=ACTIVE_MAX, limit=ACTIVE_MAX)
    saved = store.save(ctx, after)
    if saved is None:
        fail("an alert changed under its lock", alert=alert_id)
    _record(
        ctx, "alert.updated", saved, text=canonical_words(saved), before=canonical_words(before),
        state_before=before.state,
    )  # fmt: skip
    return SetAlert(saved, saved.flags)


def delete_alert(ctx: Context, alert_id: str) -> Alert:
    """Delete an alert; its triggers stay on record. Raises `ALERT_UNKNOWN`."""
    ctx.db.lock(f"alerts:{ctx.principal.tenant_id}")
    gone = store.get_alert(ctx, alert_id)
    store.mark_deleted(ctx, gone)
    _record(ctx, "alert.deleted", gone, text=canonical_words(gone))
    return gone


def _is_full(ctx: Context) -> bool:
    return store.count_active(ctx) >= ACTIVE_MAX


def _has_terms(change: AlertChange) -> bool:
    terms = (
        change.level, change.threshold_pct, change.timeframe, change.mode, change.basis,
        change.repeat, change.expires_at,
    )  # fmt: skip
    return any(one is not None for one in terms)


def _begun_anew(ctx: Context, alert: Alert, change: AlertChange) -> Alert:
    """Return the alert with its new terms, judged as a new one from the market of now."""
    if alert.kind in BY_SUBJECT:
        return _subject_anew(ctx, alert, change)
    timeframe = change.timeframe or alert.timeframe
    at = stand(ctx, alert.listing, kind=alert.kind, timeframe=timeframe)
    lasts = alert.expires_at if alert.expires_at and alert.expires_at > at.as_of else None
    ask = AlertAsk(
        symbol=alert.listing,
        kind=alert.kind,
        level=alert.level if change.level is None else change.level,
        side=alert.side if alert.kind is AlertKind.VWAP_CROSS and change.level is None else None,
        threshold_pct=(
            alert.threshold_pct if change.threshold_pct is None else change.threshold_pct
        ),
        timeframe=timeframe,
        mode=change.mode or alert.mode,
        basis=change.basis or (alert.basis if timeframe == alert.timeframe else None),
        repeat=alert.repeat if change.repeat is None else change.repeat,
        latency=change.latency or alert.latency,
        expires_at=change.expires_at or lasts,
        note=alert.note,
        confirm_far=change.confirm_far or change.level in (None, alert.level),
    )
    made = build_terms(ask, at, alert_id=alert.id, user_id=alert.user_id)
    return restart(
        replace(
            made,
            created_at=alert.created_at,
            note_by=alert.note_by,
            last_event_at=alert.last_event_at,
            first_triggered_at=alert.first_triggered_at,
            triggers=alert.triggers,
            version=alert.version,
        )
    )


def _subject_anew(ctx: Context, alert: Alert, change: AlertChange) -> Alert:
    """Return an alert on a plan or the risk, watching anew; it has no level to change."""
    given = [
        name
        for name in ("level", "threshold_pct", "timeframe", "mode", "basis", "latency")
        if getattr(change, name) is not None
    ]
    if given:
        rule = f"an alert of kind {alert.kind} has none"
        raise refuse("PARAM_INVALID", field=given[0], name=given[0], value="given", rule=rule)
    if change.repeat is not None:
        alert = replace(alert, repeat=change.repeat)
    return restart_subject(ctx, alert, change.expires_at)


def _record(ctx: Context, kind: str, alert: Alert, **facts: object) -> None:
    audit.record(ctx, kind, alert.id, symbol=alert.symbol, state=alert.state, **facts)
