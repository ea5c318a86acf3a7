"""Owns reading from words what watches a stored plan or the account's risk; pure."""

from __future__ import annotations

import re
from typing import Any

from services.alerts.alert import AlertKind

_FLAGS = re.IGNORECASE | re.ASCII
_MOMENTS: tuple[tuple[str, str], ...] = (
    ("entry", r"entry(?: zone)?"),
    ("target", r"targets?"),
    ("time_stop", r"time[ _-]?stop"),
    ("stop", r"stop(?: loss)?"),
    ("invalidation", r"invalidation|is invalidated"),
)
_MOMENT = "|".join(pattern for _, pattern in _MOMENTS)
_LIST = rf"(?:(?:its |the )?(?:{_MOMENT})(?:\s*,\s*(?:or |and )?|\s+or\s+|\s+and\s+)?)+"
_PLAN = re.compile(
    r"\b(?:(?:my |the )?plan\s+)?(?P<plan>plan_[0-9a-f]{16})(?:\s+of\s+[A-Z][A-Z0-9.\-]{0,14})?"
    rf"(?:\s+(?:reaches|hits|touches|is at|gets to|comes to)\s+(?P<moments>{_LIST}"
    r"|anything(?: at all)?|any moment)|\s+does anything|\s+(?P<ended>is invalidated))?",
    _FLAGS,
)
_STATE = r"(?P<state>warn(?:ing)?|breach(?:ed)?|frozen)"
_RISK = re.compile(
    r"\b(?:my |the )?(?:account'?s? )?risk\s+(?:state\s+)?"
    rf"(?:(?:is|gets|goes|comes|turns)\s+(?:at |to |into |in )?(?:a )?{_STATE}(?:\s+or\s+worse)?"
    rf"|reaches\s+(?:a )?(?P<state2>warn(?:ing)?|breach|frozen)(?:\s+or\s+worse)?"
    r"|(?P<change>changes))|\b(?:a |any )?risk limit is (?P<state3>reached|breached)",
    _FLAGS,
)


def find_subject(said: str) -> tuple[re.Match[str], dict[str, Any]] | None:
    """Return the words about a plan or the risk and what they ask for; None when there are none.

    Worked: `plan plan_0123456789abcdef reaches its stop` is `plan_event` with the moment stop;
    `risk is at breach or worse` is `risk` from breach on.
    """
    found = _PLAN.search(said)
    if found is not None:
        moments = _moments(found["moments"] or "")
        if found["ended"]:
            moments = ("invalidation",)
        return found, {
            "kind": AlertKind.PLAN_EVENT,
            "plan_id": found["plan"].lower(),
            "moments": moments,
        }
    found = _RISK.search(said)
    if found is None:
        return None
    if found["change"]:
        return found, {"kind": AlertKind.RISK, "risk_state": "change"}
    word = (found["state"] or found["state2"] or "breach").lower()
    state = next(name for name in ("warn", "breach", "frozen") if word.startswith(name))
    return found, {"kind": AlertKind.RISK, "risk_state": state}


def _moments(text: str) -> tuple[str, ...]:
    """Return the moments that are named, in the order of the text; a time stop is no stop."""
    left, found = text.lower(), []
    for name, pattern in _MOMENTS:
        one = re.search(rf"\b(?:{pattern})\b", left)
        if one:
            found.append(name)
            left = re.sub(rf"\b(?:{pattern})\b", " ", left)
    return tuple(found)
