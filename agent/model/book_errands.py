"""Owns the rule model's errands about the account itself: its fills, balances and risk; pure."""

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

RISK_SHAPE = (
    r"^\W*(?:what(?:'s| is)|how(?:'s| is| big is)|show|tell me|where is)?\s*(?:me )?"
    r"(?:(?:my|the|our)(?: account'?s?)?)?\s*(?:current |open |account )?"
    r"risk(?: state| status| limits?)?(?: now| today| right now| doing)?\W*$"
    r"|\bam i (?:near|over|at|within|inside) (?:my |a |any |the )?(?:risk )?limits?\b"
    r"|\bhow much (?:risk (?:is open|have i)|am i risking)(?: open| now| today)?\W*$"
)


def fills(_wish: Wish, known: Known) -> list[Call]:
    """Return the call for the newest fills."""
    return [] if known.done("fills") else [("fills", {})]


def balances(_wish: Wish, known: Known) -> list[Call]:
    """Return the call for the account's balances."""
    return [] if known.done("balances") else [("balances", {})]


def risk(_wish: Wish, known: Known) -> list[Call]:
    """Return the call for where the account stands against its limits."""
    return [] if known.done("risk_state") else [("risk_state", {})]


def book_words(_wish: Wish, known: Known) -> str:
    """Return what the fills, the balances or the risk are, in the tool's own words."""
    found = known.done("fills") or known.done("balances") or known.done("risk_state")
    return str(found.body["summary"]) if found else ""
