"""Owns telling what alerts found: trigger rows, audit, and the message for the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from services import audit
from services.alerts import store
from services.alerts.alert import Alert, AlertKind, Standing, from_seconds
from services.alerts.creation import event_key
from services.alerts.fold import Step
from services.alerts.next_action import NextAction, next_action
from services.alerts.rule import AlertEvent
from services.alerts.situation import gather
from services.alerts.store import Trigger
from services.alerts.wording import KEPT_STOP, event_words, risk_words
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import decimal_text
from services.kit.outbox import put
from services.market.session import local_text
from services.trade.risk_store import RiskChange
from services.trade.wording import price_words

TOPIC = "alerts"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who found an event, on what data, and the market's time then."""

    source: str
    provenance: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStep:
    """What one change of the account's risk did to an alert."""

    change: RiskChange
    before: Standing
    after: Standing
    event: AlertEvent | None


def key_of(alert: Alert, bar_open: datetime) -> str:
    """Return the event key of an alert and a bar; rounds of a replay have keys of their own."""
    owner = f"{alert.round}:{alert.id}" if alert.round else alert.id
    return event_key(owner, bar_open)


def tell_step(ctx: Context, alert: Alert, step: Step, origin: Origin) -> bool:
    """Store and tell what one bar did to an alert; return True for an event that is new.

    An event that was told before, by whomever, is not told again; a provisional one is confirmed.
    """
    if step.before != step.after:
        audit.record(
            ctx, "alert.state", alert.id, symbol=alert.symbol, before=step.before,
            after=step.after, bar=instant_text(step.bar.t_open),
        )  # fmt: skip
    if step.event is None:
        return False
    made = replace(_trigger(ctx, alert, step.event, step.bar.t_open, origin), what=step.what)
    known = store.find_trigger(ctx, made.event_key)
    if known is not None:
        if known.provisional:
            store.confirm_trigger(ctx, made)
        return False
    store.insert_trigger(ctx, made)
    _announce(ctx, alert, step.event, made, step.bar.c)
    return True


def tell_risk_step(ctx: Context, alert: Alert, step: RiskStep, origin: Origin) -> bool:
    """Store and tell what one change of the risk did to an alert; True for an event that is new.

    Its key holds the wall time of the change, which is never the same twice.
    """
    if step.before != step.after:
        audit.record(
            ctx, "alert.state", alert.id, symbol=alert.symbol, before=step.before,
            after=step.after, change=step.change.number,
        )  # fmt: skip
    if step.event is None:
        return False
    made = _trigger(ctx, alert, step.event, step.change.at, origin)
    made = replace(made, what=step.change.after, at=step.change.as_of)
    if store.find_trigger(ctx, made.event_key) is not None:
        return False
    store.insert_trigger(ctx, made)
    words = risk_words(step.change)
    blocked = step.change.after in ("breach", "frozen")
    action = NextAction("blocked", f"No new risk: {step.change.reason}.") if blocked else None
    _put_event(ctx, alert, made, words, action)
    return True


def tell_provisional(
    ctx: Context, alert: Alert, event: AlertEvent, *, bar_open: datetime, origin: Origin
) -> bool:
    """Store and tell an event seen in a bar that is not complete; True when it is new."""
    made = _trigger(ctx, alert, event, bar_open, origin, provisional=True)
    if store.find_trigger(ctx, made.event_key) is not None:
        return False
    store.insert_trigger(ctx, made)
    _announce(ctx, alert, event, made, event.price)
    return True


def tell_skipped(ctx: Context, alerts: Sequence[Alert], first: datetime, last: datetime) -> None:
    """Tell once, for all alerts of a symbol, that a stretch was too old to be looked at by bar."""
    symbol = alerts[0].symbol
    span = " to ".join(local_text(alerts[0].calendar, one) for one in (first, last))
    message = (
        f"{len(alerts)} of your alerts on {symbol} did not see every minute of {span}: the "
        "server was away too long. They watch again from there."
    )
    _put(ctx, alerts[0].symbol, "warning", message, "ALERT_BARS_SKIPPED", f"{symbol}:{first}")


def tell_resting(ctx: Context, symbol: str, why: str, *, dedupe: str) -> None:
    """Tell once that alerts of a symbol are not evaluated, and why."""
    message = f"Alerts on {symbol} rest while its data can not be trusted: {why}"
    _put(ctx, symbol, "warning", message, "ALERT_RESTS", dedupe)


def tell_unconfirmed(ctx: Context, alert: Alert) -> None:
    """Tell once of each event seen in trades that its complete bar does not bear out."""
    for one in store.list_unconfirmed(ctx, alert):
        at = local_text(alert.calendar, one.bar_open, "%H:%M %Z")
        message = (
            f"{alert.symbol}: the complete bar of {at} does not confirm the alert at "
            f"{price_words(one.price)}. It goes on watching."
        )
        _put(ctx, alert.symbol, "info", message, "ALERT_UNCONFIRMED", one.event_key)


def save_told(ctx: Context, alert: Alert, before: str) -> Alert | None:
    """Store an alert, and audit an end by time: a state that is not `before` any more.

    Returns it as stored, or None when somebody else changed it meanwhile.
    """
    saved = store.save(ctx, alert)
    if saved is not None and saved.state != before:
        audit.record(
            ctx, "alert.state", saved.id, symbol=saved.symbol, before=before, after=saved.state
        )
    return saved


def _trigger(
    ctx: Context, alert: Alert, event: AlertEvent, bar_open: datetime, origin: Origin,
    *, provisional: bool = False,
) -> Trigger:  # fmt: skip
    at = from_seconds(event.t)
    return Trigger(
        id=ctx.ids.new("trg"),
        event_key=key_of(alert, bar_open),
        alert_id=alert.id,
        symbol=alert.symbol,
        bar_open=bar_open,
        at=at,
        price=event.price,
        gap=event.gap,
        provisional=provisional,
        late_s=max(0, int((origin.as_of - at).total_seconds())),
        provenance=origin.provenance,
        source=origin.source,
    )


def _announce(ctx: Context, alert: Alert, event: AlertEvent, made: Trigger, price: Decimal) -> None:
    by_price = alert.kind in (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW)
    action = next_action(gather(ctx, alert, event.price if by_price else price))
    words = event_words(alert, event, at=made.at, late_s=made.late_s, what=made.what)
    _put_event(ctx, alert, made, words, action)


def _put_event(
    ctx: Context, alert: Alert, made: Trigger, words: str, action: NextAction | None
) -> None:
    kind = "alert.provisional" if made.provisional else "alert.fired"
    audit.record(
        ctx, kind, alert.id, symbol=alert.symbol, event=made.event_key, price=made.price,
        at=instant_text(made.at), source=made.source, **({"what": made.what} if made.what else {}),
    )  # fmt: skip
    payload = {
        "level": "warning" if alert.subject.startswith(KEPT_STOP) else "info",
        "topic": TOPIC,
        "code": "ALERT_FIRED",
        "subject": alert.symbol or TOPIC,
        "message": words,
        "alert_id": alert.id,
        "trigger_id": made.id,
        "price": decimal_text(made.price),
        "what": made.what,
        "provenance": made.provenance,
        "as_of": instant_text(made.at),
        "provisional": made.provisional,
        "next_action": None if action is None else action.document(),
    }
    put(ctx, "alert", alert.id, payload, dedupe=f"alert:{made.event_key}")


def _put(ctx: Context, symbol: str, level: str, message: str, code: str, dedupe: str) -> None:
    payload = {
        "level": level,
        "topic": TOPIC,
        "code": code,
        "subject": symbol,
        "message": message[:500],
    }
    put(ctx, "alert", symbol, payload, dedupe=f"{code}:{dedupe}")
