"""Owns the rule model's errands about the account itself: its fills and its balances; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.model.errands import Known
    from agent.model.phrases import Wish

Call = tuple[str, dict[str, Any]]
FILLS_SHAPE = (
    r"\b(?:my|list|show|recent|last|latest|newest|any|all|the)\b.{0,12}\b(?:fills|executions)\b"
    r"|^\W*(?:fills|executions)\W*$"
)
BALANCES_SHAPE = r"\b(?:my|list|show|account|the|all)\b.{0,12}\bbalances\b|^\W*balances?\W*$"


def fills(_wish: Wish, known: Known) -> list[Call]:
    """Return the call for the newest fills."""
    return [] if known.done("fills") else [("fills", {})]


def balances(_wish: Wish, known: Known) -> list[Call]:
    """Return the call for the account's balances."""
    return [] if known.done("balances") else [("balances", {})]


def book_words(_wish: Wish, known: Known) -> str:
    """Return what the fills or the balances are, in the tool's own words."""
    found = known.done("fills") or known.done("balances")
    return str(found.body["summary"]) if found else ""
