"""Owns the rule model's errands about ranked ideas: picks, options, the weekend, replays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.model.errands import Known
    from agent.model.phrases import Wish

Call = tuple[str, dict[str, Any]]
_FLAGS = re.IGNORECASE | re.ASCII
_STYLES = (
    ("intraday", re.compile(r"\bintraday\b|\bday[- ]?trad\w*|\btoday\b|\bscalp\w*", _FLAGS)),
    ("leaps", re.compile(r"\bleaps?\b|\blong[- ]term\b", _FLAGS)),
    ("swing", re.compile(r"\bswings?\b|\bdaily\b|\bmulti[- ]?day\b", _FLAGS)),
)
_PROFILES = (
    ("leaps_call", re.compile(r"\bleaps?\b", _FLAGS)),
    ("protective_put", re.compile(r"\bputs?\b|\bprotect\w*|\bhedg\w*|\binsur\w*", _FLAGS)),
    ("intraday_long", re.compile(r"\bintraday\b|\bday[- ]?trad\w*|\b0dte\b|\btoday\b", _FLAGS)),
)


def style_of(text: str) -> str | None:
    """Return the style that a sentence names. Worked: `any swing setups?` is `swing`."""
    return next((name for name, shape in _STYLES if shape.search(text)), None)


def profile_of(text: str) -> str:
    """Return the option profile of a sentence. Worked: `leaps picks for AAPL` is `leaps_call`."""
    found = next((name for name, shape in _PROFILES if shape.search(text)), None)
    return found or "swing_long"


def picks(wish: Wish, known: Known) -> list[Call]:
    """Return the call that scans for setups."""
    style = style_of(wish.text)
    return [] if known.done("picks") else [("picks", {"style": style} if style else {})]


def option_picks(wish: Wish, known: Known) -> list[Call]:
    """Return the call that ranks the option contracts of one symbol."""
    last = known.recall("plan", "plan_check", "quote", "bars", "chain")
    symbol = wish.symbol or (str(last.body.get("symbol", "")) if last else "")
    if not symbol or known.done("options_picks"):
        return []
    return [("options_picks", {"symbol": symbol, "profile": profile_of(wish.text)})]


def weekend(_wish: Wish, known: Known) -> list[Call]:
    """Return the call for the plan of the coming week."""
    return [] if known.done("weekend_plan") else [("weekend_plan", {})]


def replay(wish: Wish, known: Known) -> list[Call]:
    """Return the call that makes advice again: what was named, else the last plan or check."""
    last = known.recall("plan") or known.recall("plan_check", "size")
    named = wish.ref if wish.ref and wish.ref.startswith(("plan_", "res_")) else None
    ref = named or (last.ref if last else "")
    return [("replay", {"ref": ref})] if ref and not known.done("replay") else []
