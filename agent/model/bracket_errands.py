"""Owns the rule model's errand of brackets: an entry with its exits, or exits for what is held."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.model.errands import Known, Outcome
    from agent.model.phrases import Wish

Call = tuple[str, dict[str, Any]]
TOOL = "propose_bracket"
EXAMPLES = "`bracket 10 AAPL stop 185 target 200`, `protect AAPL stop 185 target 200`"
BRACKET_SHAPE = (
    r"^\W*(?:(?:please|ok|okay|now|then|and|just|let'?s|can you|could you|would you|i want to"
    r"|i'd like to|go ahead and)[\s,]+)*"
    r"(?:bracket\b|protect\b(?=.*\d)"
    r"|(?:buy|go long|place|put|set up|make|get me)\b.{0,60}\bbracket\b)"
)
_PROTECTS = re.compile(r"\bprotect\b", re.IGNORECASE | re.ASCII)


def protects(wish: Wish) -> bool:
    """Return True when the exits are for a position that is held already."""
    return _PROTECTS.search(wish.text) is not None


def act(wish: Wish, known: Known, *, symbol: str | None, basis: Outcome | None) -> list[Call]:
    """Return the call of a bracket: by the person's numbers, or by the size that they mean.

    `basis` is that size. Worked: `bracket 10 AAPL stop 185 target 200` buys 10 at market with both
    exits.
    """
    exits = {"stop_loss": wish.stop, "take_profit": wish.targets[0] if wish.targets else None}
    if known.done(TOOL) or symbol is None or _unclear(wish):
        return []
    if protects(wish):
        return _protect(wish, known, symbol, exits)
    given: dict[str, Any] = {"symbol": symbol, "side": "buy", **exits}
    if wish.limit:
        given |= {"type": "limit", "limit_price": wish.limit}
    if wish.tif:
        given["tif"] = wish.tif
    if wish.quantity is not None:
        given["quantity"] = wish.quantity
    elif basis is not None and basis.ok:
        given |= {"quantity": str(basis.body["quantity"]), "basis_ref": basis.ref}
    else:
        return []
    return [(TOOL, {name: value for name, value in given.items() if value is not None})]


def with_target(wish: Wish, basis: Outcome | None, known: Known) -> Wish:
    """Return the wish with the first target of the check behind a size, if it named none."""
    check = known.recall("plan_check")
    if wish.targets or basis is None or check is None or basis.body.get("plan_id"):
        return wish
    same = all(check.body.get(name) == basis.body.get(name) for name in ("symbol", "side", "stop"))
    targets = check.body.get("targets") or ()
    return replace(wish, targets=(str(targets[0]["price"]),)) if same and targets else wish


def _unclear(wish: Wish) -> bool:
    percent = wish.stop is not None and wish.stop.endswith("%")
    return wish.unread is not None or percent or len(wish.targets) > 1


def _protect(wish: Wish, known: Known, symbol: str, exits: dict[str, Any]) -> list[Call]:
    quantity = wish.quantity
    if quantity is None:
        listed = known.done("positions")
        if listed is None:
            return [("positions", {})]
        rows = [row for row in listed.body["positions"] if row["symbol"] == symbol]
        quantity = str(rows[0]["quantity"]) if rows else None
    if quantity is None or None in exits.values():
        return []
    given = {"symbol": symbol, "side": "sell", "quantity": quantity, "tif": "gtc", **exits}
    return [(TOOL, given)]


def bracket_words(wish: Wish, known: Known) -> str:
    """Return what is said about a bracket: the card that waits, or what is missing for one."""
    made = known.done(TOOL)
    if made is not None:
        return (
            f"{made.body['summary']}\n\nThe card is waiting for you. Its stop and target are part "
            "of what you confirm; nothing is sent before."
        )
    if not known.may(TOOL):
        return f"I read that as a question, so nothing is prepared. Say it plainly: {EXAMPLES}."
    if protects(wish) and known.done("positions") is not None and wish.symbols:
        missing = wish.stop is None or not wish.targets
        if not missing:
            return f"You hold no {wish.symbols[0]}, so there is nothing to protect."
    return (
        "For a bracket I need the number of shares, one stop and one target as prices, for "
        f"example {EXAMPLES}. After a plan with a size, `bracket it` takes all of them from it."
    )
