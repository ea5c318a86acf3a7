"""Owns the banner: what is wrong with the data, the session and its kind of data, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from services.kit.clock import instant_text
from services.market.freeze import TENANT, Freeze
from services.market.provider import ProviderRecord
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


_REASON_SHOWN = 160


def build_banner(
    state: MarketState,
    provenance: Provenance | None,
    *,
    half_day: bool,
    troubles: Sequence[str] = (),
) -> dict[str, str]:
    """Return level and text of the banner; pure.

    A warning for troubles, which come first, for prices that are not today's real ones, and on a
    half day, when orders end early. `provenance` is None while there are no prices to speak of.
    """
    parts = [*troubles, _STATES[state.state]]
    session = state.session
    if half_day and session is not None and state.state in ("pre", "open"):
        parts.append(f"Half day: it closes at {instant_text(session.close)[11:16]} UTC.")
    parts.append(change_words(state.state, state.next_change))
    parts += [_DATA[provenance]] if provenance in _DATA else []
    warns = bool(troubles) or half_day or provenance in _DATA
    level: Literal["info", "warning"] = "warning" if warns else "info"
    return {"level": level, "text": " ".join(parts)}


def told_provenance(record: ProviderRecord, provenance: Provenance) -> Provenance | None:
    """Return how real the prices are; None while data are off or nothing was answered yet; pure.

    A provider calls its prices delayed until an answer says otherwise: that is no news of them.
    """
    unasked = provenance is Provenance.DELAYED and record.checked_at is None
    return None if unasked or not record.on else provenance


def find_troubles(record: ProviderRecord, freezes: Sequence[Freeze]) -> list[str]:
    """Return what a person must know of the data: a refused key, another provider, freezes; pure.

    Freezes are counted by what they stop; the first one is told with its reason and code.
    """
    found = []
    if not record.on:
        found.append(" ".join(f"Market data is off: {record.why}. {record.todo}".split()))
    elif record.failed_over_to is not None:
        found.append(f"{record.name} does not answer: prices come from {record.failed_over_to}.")
    if freezes:
        found.append(_frozen(freezes))
    return found


def _frozen(freezes: Sequence[Freeze]) -> str:
    first, count = freezes[0], len({one.scope for one in freezes})
    who = "everything" if first.scope == TENANT else first.subject
    others = "" if count == 1 else f" and {count - 1} more"
    reason = first.reason if len(first.reason) <= _REASON_SHOWN else f"{first.reason[:159]}…"
    return f"Data are frozen for {who}{others}: {reason} ({first.code})."
