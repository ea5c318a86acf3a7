"""Owns the banner: the session and the kind of data in one line, by what matters most."""

from __future__ import annotations

from typing import Literal

from services.kit.clock import instant_text
from services.market.quote import Provenance
from services.market.session import MarketState
from tools.wording.market import change_words

_STATES = {
    "open": "The market is open.",
    "pre": "Early trading: regular hours have not begun.",
    "post": "Late trading: regular hours are over.",
    "closed": "The market is closed. Prices are the last known ones.",
}
_DATA = {
    Provenance.DELAYED: "Prices are delayed.",
    Provenance.SIMULATED: "This is a replayed market, not today's.",
    Provenance.REPLAY: "This is a replayed market, not today's.",
}


def build_banner(state: MarketState, provenance: Provenance, *, half_day: bool) -> dict[str, str]:
    """Return level and text of the banner; pure.

    A warning for prices that are not today's real ones, and on a half day, when orders end early.
    """
    parts = [_STATES[state.state]]
    session = state.session
    if half_day and session is not None and state.state in ("pre", "open"):
        parts.append(f"Half day: it closes at {instant_text(session.close)[11:16]} UTC.")
    parts.append(change_words(state.state, state.next_change))
    parts += [_DATA[provenance]] if provenance in _DATA else []
    warns = half_day or provenance in _DATA
    level: Literal["info", "warning"] = "warning" if warns else "info"
    return {"level": level, "text": " ".join(parts)}
