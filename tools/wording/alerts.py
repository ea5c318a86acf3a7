"""Owns how an alert is told in a tool's summary: its rule as a quotation, and what to mind."""

from __future__ import annotations

from services.alerts.alert import Alert, AlertKind
from services.alerts.book import SetAlert
from services.alerts.wording import canonical_words
from tools.wording.quotation import quotation

_STATES = {
    "armed": "watching",
    "waiting_reset": "waits until the price comes back first",
    "fired_wait": "fired, waits until the price comes back",
    "done": "fired and done",
    "expired": "expired",
    "paused": "paused",
}


def set_words(done: SetAlert) -> str:
    """Return that an alert stands, in its canonical words."""
    said = quotation(canonical_words(done.alert))
    if "DUPLICATE" in done.flags:
        return f"This alert stands already: {said}."
    mind = ""
    if "ALREADY_BEYOND" in done.flags:
        what = "risk" if done.alert.kind is AlertKind.RISK else "price"
        mind = f" The {what} is there already, so it waits until the {what} has come back first."
    return f"The alert is set: {said}.{mind} It only tells you; it never trades."


def line_words(alert: Alert) -> str:
    """Return one line of a list: the rule, where it stands, and the person's note."""
    note = f", note {quotation(alert.note)}" if alert.note else ""
    state = _STATES[alert.state]
    return f"- {quotation(canonical_words(alert))}: {state}{note} (`{alert.id}`)"
