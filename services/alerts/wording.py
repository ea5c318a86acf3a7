"""Owns how an alert and its event are said: the canonical rule in words, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from services.alerts.alert import AT_VWAP, BY_SUBJECT, Alert, AlertKind
from services.alerts.plan_event import read_terms
from services.alerts.rule import AlertEvent
from services.kit.money import decimal_text, rounded
from services.market.session import local_text
from services.trade.risk_store import RiskChange
from services.trade.risk_words import state_words
from services.trade.wording import price_words

MOMENT_WORDS: Mapping[str, str] = {
    "entry": "entry zone",
    "target": "targets",
    "stop": "stop",
    "invalidation": "invalidation",
    "time_stop": "time stop",
}
RISK_WORDS: Mapping[str, str] = {
    "warn": "risk is at warn or worse",
    "breach": "risk is at breach or worse",
    "frozen": "risk is frozen",
    "change": "the risk state changes",
}
KEPT_STOP = "stop:"
"""How the subject of an alert on a kept stop begins."""
LATE_S = 120
"""An event told later than this after its bar says so."""
NOT_PLACED = "A kept stop is not placed: nothing was traded by it."
_BARS = {"minute": "minute bars", "day": "daily bars"}


def canonical_words(alert: Alert) -> str:
    """Return the rule in one sentence that reads back as the same rule.

    Times are the exchange's own, with their zone. Worked: `Alert once when AAPL trades at or above
    200.00 (minute bars), until 2027-01-15 16:00 EST.`
    """
    often = "each time" if alert.repeat else "once"
    until = (
        ""
        if alert.expires_at is None
        else f", until {local_text(alert.calendar, alert.expires_at)}"
    )
    if alert.kind in BY_SUBJECT:
        return f"Alert {often} when {_subject(alert)}{until}."
    bars = _BARS[alert.timeframe]
    return f"Alert {often} when {alert.symbol} {_condition(alert)} ({bars}){until}."


def _subject(alert: Alert) -> str:
    """Return what is watched of a plan or of the risk, as `words_subject` reads it back."""
    if alert.kind is AlertKind.RISK:
        return RISK_WORDS[alert.terms]
    moments = [MOMENT_WORDS[one] for one in read_terms(alert.terms).moments]
    listed = " or ".join(filter(None, [", ".join(moments[:-1]), moments[-1]]))
    return f"plan {alert.subject} of {alert.symbol} reaches its {listed}"


def _condition(alert: Alert) -> str:
    verb = "trades" if alert.basis == "touch" else "closes"
    match alert.kind:
        case AlertKind.VWAP_CROSS if alert.level == 0:
            return f"{verb} at or {alert.side} VWAP"
        case AlertKind.VWAP_CROSS:
            return f"{verb} {decimal_text(abs(alert.level))}% or more {alert.side} VWAP"
        case AlertKind.RVOL_ABOVE:
            return f"has relative volume at or above {decimal_text(alert.level)}"
        case _:
            return f"{verb} at or {alert.side} {price_words(alert.level)}{_threshold(alert)}"


def _threshold(alert: Alert) -> str:
    if not alert.threshold_pct:
        return ""
    how = "by" if alert.threshold_pct > 0 else "or within"
    return f" {how} {decimal_text(abs(alert.threshold_pct))}%"


def risk_words(change: RiskChange) -> str:
    """Return a change of the account's risk in one or two sentences.

    Worked: `Your risk went from ok to warn. Risk is near a limit: open risk: 4,100.00 USD of
    5,000.00 USD.`
    """
    return (
        f"Your risk went from {change.before} to {change.after}. "
        f"{state_words(change.after, change.reason)}"
    )


def event_words(
    alert: Alert, event: AlertEvent, *, at: datetime, late_s: int = 0, what: str = ""
) -> str:
    """Return what happened, with the bar's time at the exchange and, when told late, how late.

    `what` names the moment of a plan.

    Worked: `AAPL traded at 200.00, at or above your level of 200.00 (09:31 EST). Told 57 min late.`
    """
    told = f" Told {late_words(late_s)} late." if late_s > LATE_S else ""
    when = local_text(alert.calendar, at, "%H:%M %Z")
    if alert.timeframe == "day":
        when = f"session of {local_text(alert.calendar, at, '%Y-%m-%d')}"
    if alert.subject.startswith(KEPT_STOP):
        return f"{alert.symbol} {_stopped(alert, event)} ({when}). {NOT_PLACED}{told}"
    happened = _reached(alert, event, what) if what else _happened(alert, event)
    return f"{alert.symbol} {happened} ({when}).{told}"


def late_words(seconds: int) -> str:
    """Return a delay in its two largest units, cut. Worked: 3660 is `1 h 1 min`, 3420 `57 min`."""
    minutes = seconds // 60
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _reached(alert: Alert, event: AlertEvent, what: str) -> str:
    """Return which moment of its plan a symbol has reached, and at which price."""
    terms, price = read_terms(alert.terms), price_words(_short(event.price))
    gap = ", opening past it" if event.gap else ""
    match what:
        case "entry":
            said = f"is in the entry zone {price_words(terms.lo)} to {price_words(terms.hi)}"
        case "stop":
            said = f"reached the stop {price_words(terms.stop)}{gap}"
        case "invalidation":
            said = "ended the idea by its own rule"
        case "time_stop":
            said = "is at the time stop"
        case _:
            said = f"reached {what}{gap}"
    return f"{said} of its {terms.side} plan, at {price}"


def _stopped(alert: Alert, event: AlertEvent) -> str:
    """Return how the stop that a person keeps for a position was crossed."""
    price, stop = price_words(_short(event.price)), price_words(_level(alert))
    verb = "opened" if event.gap else "traded"
    return f"{verb} at {price}, at or {alert.side} the stop of {stop} that you keep for it"


def _happened(alert: Alert, event: AlertEvent) -> str:
    if alert.kind is AlertKind.VWAP_CROSS:
        away = decimal_text(rounded(abs(event.price - AT_VWAP), 2))
        side = "above" if event.price >= AT_VWAP else "below"
        return f"was {away}% {side} its VWAP"
    if alert.kind is AlertKind.RVOL_ABOVE:
        times = decimal_text(rounded(event.price, 2))
        return f"had traded {times} times its usual volume by this time of day"
    if event.gap:
        verb = "opened past your level"
        return f"{verb} of {price_words(_level(alert))}, at {price_words(_short(event.price))}"
    verb = "traded" if alert.basis == "touch" else "closed"
    price = price_words(_short(event.price))
    return f"{verb} at {price}, at or {alert.side} your level of {price_words(_level(alert))}"


def _level(alert: Alert) -> Decimal:
    return rounded(alert.effective, 4) + 0


def _short(price: Decimal) -> Decimal:
    return price.normalize() + 0
