"""Owns the rule model's errands about a position: trim, close, move its stop, hedge, roll; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.model.errands import Known
    from agent.model.phrases import Wish

Call = tuple[str, dict[str, Any]]
TOOL = "position_action"
EXAMPLES = "`trim half of AAPL`, `close AAPL`, `move my AAPL stop to 405`, `hedge my AAPL`"
_FLAGS = re.IGNORECASE | re.ASCII
_STOP = r"\b(?:move|raise|lower|tighten|bring|pull|trail|ratchet)\b.{0,40}\bstops?\b(?! order)"
MANAGE_SHAPE = (
    rf"^(?!.*\balerts?\b)(?:.*{_STOP}|\W*(?:please |can you |let'?s )?(?:hedge|insure|roll)\b)"
    r"|\bhow\b.{0,20}\bhedge\b"
)
_MOVES = re.compile(_STOP, _FLAGS)
_ROLLS = re.compile(r"\broll\b", _FLAGS)
_LEAVES = re.compile(
    r"^\W*(?:(?:please|ok|okay|now|then|and|just|let'?s|can you|could you|would you|i want to"
    r"|i'd like to|go ahead and)[\s,]+)*"
    r"(trim|reduce|close|exit|liquidate|get (?:me )?out)\b",
    _FLAGS,
)
_PART = re.compile(r"\b(half|third|quarter)\b|\b(\d{1,2})\s*(?:%|percent)", _FLAGS)
_PRICE = re.compile(r"\b(?:to|at)\s+\$?\s?(\d{1,9}(?:,\d{3})*(?:\.\d{1,8})?)\b(?!\s*(?:%|R\b))")
_ALL = re.compile(r"\ball\b(?!\s+(?:of\s+)?(?:my\s+)?[A-Z]{2,5}\b)|\beverything\b", re.ASCII)


def share_of(text: str) -> str | None:
    """Return the share that a sentence names. Worked: `trim 25% of AAPL` is `25%`."""
    found = _PART.search(text)
    if found is None:
        return None
    return found[1].lower() if found[1] else f"{found[2]}%"


def leaves(wish: Wish) -> str | None:
    """Return `trim`, `close` or `close_all` for words of leaving at the market, else None.

    A limit, a trigger or a number without a role makes it an order like any other. Worked:
    `close half of AAPL` is a trim, `trim 5 msft at 30` is None, `close everything` is close_all.
    """
    verb = _LEAVES.match(wish.text)
    if verb is None or wish.limit or wish.stop_order or wish.targets:
        return None
    share = share_of(wish.text)
    if wish.unread is not None and wish.unread.rstrip("%") != (share or "").rstrip("%"):
        return None
    if share or wish.quantity:
        return "trim"
    if verb[1].lower() in ("trim", "reduce"):
        return None
    return "close_all" if not wish.symbols and _ALL.search(wish.text) else "close"


def act(wish: Wish, known: Known) -> list[Call]:
    """Return the call of an action; without a symbol the one position that is held is meant."""
    action = leaves(wish) or _managed(wish)
    if known.done(TOOL):
        return []
    if action == "close_all":
        return [(TOOL, {"action": action})]
    if not wish.symbols and known.done("positions") is None:
        return [("positions", {})]
    symbol = meant_symbol(wish, known)
    if symbol is None or (action == "move_stop" and _price(wish) is None):
        return []
    if not known.may(TOOL):
        put = {"symbol": symbol, "profile": "protective_put"}
        return [] if action != "hedge" or known.done("options_picks") else [("options_picks", put)]
    given = {"action": action, "symbol": symbol, **_amount(wish, action)}
    return [(TOOL, {name: value for name, value in given.items() if value is not None})]


def meant_symbol(wish: Wish, known: Known) -> str | None:
    """Return the symbol that is meant: the one named, else the only one that is held."""
    if wish.symbols:
        return wish.symbol
    listed = known.done("positions")
    rows = listed.body["positions"] if listed else []
    return str(rows[0]["symbol"]) if len(rows) == 1 else None


def _managed(wish: Wish) -> str:
    if _MOVES.search(wish.text):
        return "move_stop"
    return "roll" if _ROLLS.search(wish.text) else "hedge"


def _amount(wish: Wish, action: str) -> dict[str, str | None]:
    if action == "move_stop":
        return {"stop_price": _price(wish)}
    if action != "trim":
        return {}
    share = share_of(wish.text)
    return {"share": share, "quantity": None if share else wish.quantity}


def _price(wish: Wish) -> str | None:
    found = _PRICE.search(wish.text)
    return found[1].replace(",", "") if found else None


def position_words(wish: Wish, known: Known) -> str:
    """Return what the action came to: the tool's own words, or what is missing to begin."""
    done = known.done(TOOL)
    if done is not None:
        told = str(done.body["summary"])
        waits = "Nothing is sent unless you confirm exactly this." if done.body["cards"] else ""
        return "\n\n".join(part for part in (told, waits) if part)
    picks = known.done("options_picks")
    if picks is not None:
        return str(picks.body["summary"])
    if not known.may(TOOL):
        return f"I read that as a question, so nothing is prepared. Say it plainly: {EXAMPLES}."
    listed = known.done("positions")
    if listed is not None and meant_symbol(wish, known) is None:
        held = str(listed.body["summary"])
        return held if not listed.body["positions"] else f"{held}\n\nWhich one? Say its symbol."
    return "To which price? A stop only moves nearer: say `move my AAPL stop to 405`."
