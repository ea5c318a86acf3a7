"""Owns the rule model's errand of changing a working order: which order, which terms, and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.model.errands import Known
    from agent.model.phrases import Wish

Call = tuple[str, dict[str, Any]]
TOOL = "replace_order"
EXAMPLE = "`change my AAPL order to 189.50`"
CHANGE_SHAPE = (
    r"^(?!.*\balerts?\b)\W*(?:(?:please|ok|okay|now|then|and|just|can you|could you|would you"
    r"|i want to|i'd like to|go ahead and)[\s,]+)*"
    r"(?:change|amend|modify|replace|reprice|move|raise|lower|make)\b.{0,50}\border\b"
    r"(?=.*(?:\d|\bgtc\b|good till cancel|\bfor the day\b|\bday only\b))"
)
_PRICE = re.compile(
    r"\b(?:to|at|limit|stop|of)\s+(?:(?P<kind>limit|stop)\s+(?:of\s+|at\s+)?)?\$?"
    r"(?P<price>\d[\d,]*(?:\.\d+)?)(?![\w%])",
    re.IGNORECASE | re.ASCII,
)
_KIND = re.compile(r"\b(limit|stop)\b", re.IGNORECASE | re.ASCII)
_DAY = re.compile(r"\bfor the day\b|\bday only\b", re.IGNORECASE | re.ASCII)
_WORKING = ("WORKING", "PARTIALLY_FILLED")


def act(wish: Wish, known: Known) -> list[Call]:
    """Return the listing of orders, then the call that changes the one that is meant.

    Worked: `change my AAPL order to 189.50` sets the limit of the one AAPL order that works.
    """
    if known.done(TOOL) or not known.may(TOOL):
        return []
    if known.done("orders") is None:
        return [("orders", {})]
    found = _meant(wish, known)
    terms = _terms(wish, found[0]) if len(found) == 1 else {}
    return [(TOOL, {"order_id": found[0]["id"], **terms})] if terms else []


def _meant(wish: Wish, known: Known) -> list[Mapping[str, Any]]:
    listed = known.done("orders")
    rows = [row for row in (listed.body["orders"] if listed else []) if row["state"] in _WORKING]
    if wish.ref and wish.ref.startswith("ord_"):
        return [row for row in rows if row["id"] == wish.ref]
    return [row for row in rows if not wish.symbols or row["symbol"] in wish.symbols]


def _terms(wish: Wish, row: Mapping[str, Any]) -> dict[str, str]:
    """Return what the person said is to be different; a bare price is of the order's own type."""
    bare = wish.text.replace(wish.ref, " ") if wish.ref else wish.text
    prices = list(_PRICE.finditer(bare))
    terms: dict[str, str] = {}
    if prices:
        said = prices[-1]
        named = said["kind"] or next(iter(_KIND.findall(bare)), "")
        kind = named.lower() or ("stop" if row["type"] == "stop" else "limit")
        terms[f"{kind}_price"] = said["price"].replace(",", "")
        if kind != row["type"]:
            terms["type"] = kind
    if wish.tif or _DAY.search(bare):
        terms["tif"] = wish.tif or "day"
    return terms


def change_words(wish: Wish, known: Known) -> str:
    """Return what is said about a change: the card that waits, or what is missing for one."""
    made = known.done(TOOL)
    if made is not None:
        return (
            f"{made.body['summary']}\n\nThe card is waiting for you. The order stands as it is "
            "until you confirm it."
        )
    if not known.may(TOOL):
        return f"I read that as a question, so nothing is prepared. Say it plainly: {EXAMPLE}."
    listed = known.done("orders")
    if not _meant(wish, known):
        return (
            "There is no such order working. A card that waits is changed on the card itself: "
            "press Edit there."
        )
    said = str(listed.body["summary"]) if listed else ""
    return f"{said}\n\nWhich order, and to what? For example: {EXAMPLE}.".strip()
