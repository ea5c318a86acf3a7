"""Owns the rule model's words: what it says about finished errands, from templates only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.model.errands import Known, Outcome, open_orders
from agent.model.phrases import Errand, Wish

CAPABILITIES = (
    "I can do these things without a language model:\n\n"
    "- **Prices**: `what's AAPL doing`, `quote MSFT IBM`, `AAPL daily bars`\n"
    "- **Plans and sizes**: `plan AAPL long, stop 3% below, risk 1%`, `size it at 0.5%`\n"
    "- **Orders, as a card that you confirm**: `buy 50 MSFT stop 26.10`, `buy it`, `sell all IBM`, "
    "`cancel my AAPL order`\n"
    "- **Your book**: `what do I hold and why?`, `my orders`, `my portfolio`\n"
    "- **Journal**: `note: waited for the pullback`, `show my journal`, `why did you propose that?`\n"
)
CONNECT = ("For free conversation, connect a language model: put `OPENAI_API_KEY` and `OPENAI_MODEL` "
           "(any compatible endpoint through `OPENAI_BASE_URL`) into `.env` and start again.")


def answer(wish: Wish, known: Known) -> str:
    """Return the closing words of an errand; every figure is copied from a result."""
    failed = next((item for item in known.now if not item.ok), None)
    if failed is not None:
        return _failure(wish, known, failed)
    return _WORDS.get(wish.errand, _unknown)(wish, known)


def _said(known: Known, *names: str) -> str:
    parts = [str(item.body["summary"]) for item in known.now if item.name in names]
    return "\n\n".join(parts)


def _failure(_wish: Wish, known: Known, failed: Outcome) -> str:
    error = failed.body
    before = "\n\n".join(str(item.body["summary"]) for item in known.now
                         if item.ok and item.name in ("plan_check", "size"))
    words = f"That did not go through. {error['message'][:1].upper()}{error['message'][1:]}."
    hint = str(error.get("hint", ""))
    return "\n\n".join(part for part in (before, f"{words} {hint}".strip()) if part)


def _quote(wish: Wish, known: Known) -> str:
    if not known.now:
        return "Which symbol? For example: `what's AAPL doing`."
    return _said(known, "quote")


def _plan(wish: Wish, known: Known) -> str:
    plan = known.done("plan_check")
    if plan is None:
        return (_said(known, "quote") + "\n\nTo check a plan I need your stop, for example: "
                "`plan AAPL long, stop 3% below, risk 1%`.").strip()
    words = [str(plan.body["summary"])]
    sized = known.done("size")
    if sized is not None:
        words.append(str(sized.body["summary"]))
        words.append("Say `buy it` and I prepare the order as a card. Nothing happens before you "
                     "confirm it." if plan.body["side"] == "long" else
                     "Say `sell it` and I prepare the order as a card. Nothing happens before you "
                     "confirm it.")
    return "\n\n".join(words)


def _size(wish: Wish, known: Known) -> str:
    if known.done("size") is None:
        return _plan(wish, known)
    return _said(known, "plan_check", "size")


def _order(wish: Wish, known: Known) -> str:
    done = known.done("propose_order")
    if done is not None:
        return (f"{done.body['summary']}\n\nThe card is waiting for you. Nothing is sent unless you "
                "confirm exactly this order.")
    plan = known.done("plan_check")
    if plan is not None and plan.body.get("errors"):
        return str(plan.body["summary"])
    if known.done("positions") is not None:
        return _said(known, "positions") + "\n\nWhich one do you mean? Name the symbol."
    return (_said(known, "quote") + "\n\nHow many? For example: `buy 50 MSFT stop 26.10`, or plan "
            "it first: `plan AAPL long, stop 3% below, risk 1%`, then `buy it`.").strip()


def _cancel(wish: Wish, known: Known) -> str:
    if known.done("cancel_order") is not None:
        return _said(known, "cancel_order") + "\n\nConfirm the card and the cancel is sent."
    if not open_orders(wish, known):
        return "There is no open order to cancel."
    return _said(known, "orders") + "\n\nWhich one? Say `cancel` and the order's id."


def _why(wish: Wish, known: Known) -> str:
    if known.done("audit_trail") is not None:
        return _said(known, "audit_trail")
    return _said(known, "journal_list")


def _holdings(wish: Wish, known: Known) -> str:
    reasons = known.done("journal_list")
    words = _said(known, "portfolio")
    held = known.done("portfolio")
    symbols = [row["symbol"] for row in held.body["holdings"]] if held else []
    if reasons is None or not symbols:
        return words
    lines = [_reason(entry) for symbol in symbols for entry in _entries(reasons.body, symbol)]
    return words + ("\n\nWhy, from your journal:\n\n" + "\n".join(lines) if lines else "")


def _entries(body: Mapping[str, Any], symbol: str) -> list[Mapping[str, Any]]:
    return [entry for entry in body["entries"] if entry.get("symbol") == symbol][:3]


def _reason(entry: Mapping[str, Any]) -> str:
    return f'- {entry["at"][:16].replace("T", " ")} UTC: "{entry["text"]}"'


def _confirm(_wish: Wish, _known: Known) -> str:
    return ("Only you can confirm, and only on the card itself: press Confirm there, or run "
            "`cornerman confirm ID` in a terminal. Words in the chat never send an order.")


def _halt(_wish: Wish, _known: Known) -> str:
    return ("Halting and resuming are yours alone: press Halt on the page, or run `cornerman halt` "
            "or `cornerman resume` in a terminal. I can not do either.")


def _unknown(_wish: Wish, _known: Known) -> str:
    return f"I did not understand that.\n\n{CAPABILITIES}\n{CONNECT}"


def _help(_wish: Wish, known: Known) -> str:
    return _said(known, "help") or f"{CAPABILITIES}\n{CONNECT}"


_WORDS: dict[Errand, Callable[[Wish, Known], str]] = {
    Errand.QUOTE: _quote, Errand.PLAN: _plan, Errand.SIZE: _size, Errand.ORDER: _order,
    Errand.CANCEL: _cancel, Errand.WHY: _why, Errand.HOLDINGS: _holdings,
    Errand.CONFIRM: _confirm, Errand.HALT: _halt, Errand.HELP: _help,
    Errand.BARS: lambda _wish, known: _said(known, "bars") or _quote(_wish, known),
    Errand.ORDERS: lambda _wish, known: _said(known, "orders"),
    Errand.PORTFOLIO: lambda _wish, known: _said(known, "portfolio"),
    Errand.JOURNAL: lambda _wish, known: _said(known, "journal_list"),
    Errand.NOTE: lambda _wish, known: _said(known, "journal_add"),
}
