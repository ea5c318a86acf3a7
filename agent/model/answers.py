"""Owns the rule model's words: what it says about finished errands, from templates only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from agent.model.alert_errands import alert_words
from agent.model.book_errands import book_words
from agent.model.bracket_errands import bracket_words
from agent.model.change_errands import change_words
from agent.model.errands import (
    Known,
    Outcome,
    asks_why,
    basis_of,
    held_rows,
    open_orders,
    order_symbol,
)
from agent.model.phrases import Errand, Wish
from agent.model.plan_words import asks_part, no_plan_words, no_setup_words, part_words
from agent.model.position_errands import TOOL, leaves, position_words
from agent.model.record_errands import EXAMPLE as BACKTEST_EXAMPLE
from tools.wording.quotation import quotation

CAPABILITIES = (
    "I can do these things without a language model:\n\n"
    "- **Prices**: `what's AAPL doing`, `quote MSFT IBM`, `AAPL daily bars`\n"
    "- **Plans and sizes**: `plan MSFT`, `why this stop?`, `what if I risk half?`, "
    "`plan AAPL long, stop 3% below, risk 1%`, `size it at 0.5%`\n"
    "- **Orders, as a card that you confirm**: `buy 50 MSFT stop 26.10`, `buy it`, `sell all IBM`, "
    "`cancel my AAPL order`, `bracket 10 AAPL stop 185 target 200`\n"
    "- **Positions, as cards too**: `trim half of AAPL`, `close AAPL`, `hedge my AAPL`, "
    "`move my AAPL stop to 405`\n"
    "- **News and dates**: `news on AAPL`, `when does IBM report`, `AAPL options`, `is the market "
    "open`\n"
    "- **Data**: `is my data good`, `what is frozen`, `why can't you plan AAPL`\n"
    "- **Alerts**: `alert me when AAPL goes above 420`, `AAPL > 420`, `my alerts`, "
    "`delete my AAPL alert`\n"
    "- **Your book**: `what do I hold and why?`, `my orders`, `my fills`, "
    "`my balances`, `my portfolio`, `my risk`\n"
    "- **Journal**: `note: waited for the pullback`, `show my journal`, "
    "`why did you propose that?`\n"
)
CONNECT = (
    "For free conversation, connect a language model: put `OPENAI_API_KEY` and `OPENAI_MODEL` "
    "(any compatible endpoint through `OPENAI_BASE_URL`) into `.env` and start again."
)
_PLAN_EXAMPLE = "`plan AAPL long, stop 3% below, risk 1%`"
_REASONS_MAX = 3


def answer(wish: Wish, known: Known) -> str:
    """Return the closing words of an errand; every figure is copied from a result."""
    failed = next((item for item in known.now if not item.ok), None)
    if failed is not None and not (asks_why(wish) and failed.name == "news"):
        return _failure(known, failed)
    return _WORDS.get(wish.errand, _unknown)(wish, known) or _unknown(wish, known)


def _said(known: Known, *names: str) -> str:
    parts = [str(item.body["summary"]) for item in known.now if item.ok and item.name in names]
    return "\n\n".join(parts)


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _failure(known: Known, failed: Outcome) -> str:
    error = failed.body
    before = _said(known, "plan", "plan_check", "size", "propose_order", "cancel_order")
    return _paragraphs(before, _refusal(str(error["code"]), error))


def _refusal(code: str, error: Mapping[str, Any]) -> str:
    """Return a refusal in words; its figures are told as the quotation of a service."""
    facts = dict(error.get("facts") or {})
    hint = _quoted(str(error.get("hint", "")))
    if code == "SYMBOL_UNKNOWN":
        nearest = [str(name) for name in facts.get("nearest", ())]
        known = f" The nearest names are {', '.join(nearest)}." if nearest else ""
        trades = f" {hint}" if "trades from" in hint else ""
        return f"I know no symbol {facts.get('value', '')}.{known}{trades}"
    if code == "ARGS_INVALID":
        what = f"the {facts['field']}" if facts.get("field") else "that"
        return f"I can not use {what} as you wrote it. Plain digits and one symbol work best."
    if code == "DQ_BLOCK" and facts.get("symbol"):
        return f"I say nothing on {facts['symbol']}: its data can not be trusted. {hint}"
    if code == "NO_SETUP":
        return no_setup_words(facts, _PLAN_EXAMPLE)
    if code == "MARKET_CLOSED":
        return f"The market is closed: {_quoted(str(error['message']))}. {hint}"
    return f"That did not go through: {_quoted(str(error['message']))}. {hint}".strip()


def _quoted(text: str) -> str:
    """Return a service's words; with figures in them they become a quotation of one sentence."""
    if not re.search(r"\d", text):
        return text
    return quotation(text.rstrip("."))


def _quote(_wish: Wish, known: Known) -> str:
    return _said(known, "quote") or "Which symbol? For example: `what's AAPL doing`."


def _moves(wish: Wish, known: Known) -> str:
    if not asks_why(wish):
        return _quote(wish, known)
    found = known.done("news")
    if found is None or not found.ok or not found.body["stories"]:
        told = "I do not know why it moved: no news source is connected."
        if found is not None and not (found.ok and found.body["reason"] == "provider_disabled"):
            told = "I do not know why it moved: there is no news of it that I could read."
        return _paragraphs(_said(known, "quote"), told)
    told = "I do not know why it moved. This is what others tell about it:"
    return _paragraphs(_said(known, "quote"), told, _said(known, "news"))


def _watch(_wish: Wish, _known: Known) -> str:
    return (
        "Watchlists are yours alone: add or remove symbols in the watchlist on the page. I only "
        "read them."
    )


def _plan(_wish: Wish, known: Known) -> str:
    plan = known.done("plan_check") or known.done("plan")
    if plan is None:
        wanted = f"To check a plan I need your stop, for example: {_PLAN_EXAMPLE}."
        return _paragraphs(_said(known, "quote"), wanted)
    if known.done("size") is None:
        return str(plan.body["summary"])
    if plan.body.get("long_only"):
        return _said(known, "plan", "plan_check", "size")
    long = plan.body["side"] == "long"
    more = ", or `bracket it` to place its stop and target as well" if long else ""
    return _paragraphs(
        _said(known, "plan", "plan_check", "size"),
        f"Say `{'buy' if long else 'sell'} it` and I prepare the order as a card{more}. Nothing "
        "happens before you confirm it.",
    )


def _size(wish: Wish, known: Known) -> str:
    if known.done("size") is None:
        return _plan(wish, known)
    return _said(known, "plan_check", "size")


def _order(wish: Wish, known: Known) -> str:
    if leaves(wish) and known.may(TOOL):
        return position_words(wish, known)
    if known.done("propose_order") is not None:
        return _paragraphs(
            _said(known, "propose_order"),
            "The card is waiting for you. Nothing is sent unless you confirm exactly this order.",
        )
    if not known.may("propose_order"):
        return _paragraphs(
            _said(known, "quote"),
            "I read that as a question, so nothing is prepared. I do not decide for you: check a "
            f"plan with {_PLAN_EXAMPLE}, or say the order plainly, such as `buy 50 MSFT`.",
        )
    plan = known.done("plan_check")
    if plan is not None and plan.body.get("errors"):
        return str(plan.body["summary"])
    if wish.unread is not None:
        return _unread(wish.unread)
    return _sale(wish, known) if wish.sells else _purchase(wish, known)


def _unread(what: str) -> str:
    return (
        f"I am not sure what `{what}` means in this order, so nothing is prepared. Say a limit as "
        "`limit PRICE`, a trigger as `above PRICE` or `below PRICE`, a protective stop as `stop "
        "PRICE`, and the number of shares, not the money. Other conditions are not possible."
    )


def _sale(wish: Wish, known: Known) -> str:
    if known.done("positions") is None:
        return "Sell what? For example: `sell 10 MSFT` or `sell all MSFT`."
    rows = held_rows(wish, known)
    if not rows:
        held = _said(known, "positions")
        if not wish.symbols or "nothing" in held:
            return "You hold nothing, so there is nothing to sell."
        return _paragraphs(f"You hold no {' or '.join(wish.symbols)}.", held)
    symbol = rows[0]["symbol"]
    return _paragraphs(
        _said(known, "positions"),
        f"How much of it? Say `sell all {symbol}`, `sell half of my {symbol}`, or a number.",
    )


def _purchase(wish: Wish, known: Known) -> str:
    basis = basis_of(wish, known)
    if wish.quantity is None and basis is not None and basis.body.get("errors"):
        return (
            f"Your last plan for {basis.body['symbol']} does not hold, so there is nothing to "
            f"order. Correct it first, for example: {_PLAN_EXAMPLE}."
        )
    if wish.quantity is not None and order_symbol(wish, known) is None:
        return "Which symbol? Say it with the number, for example: `buy 50 MSFT`."
    return _paragraphs(
        _said(known, "quote"),
        "How many shares? For example: `buy 50 MSFT stop 26.10`, or plan it first: "
        f"{_PLAN_EXAMPLE}, then `buy it`.",
    )


def _cancel(wish: Wish, known: Known) -> str:
    if known.done("cancel_order") is not None:
        return _paragraphs(
            _said(known, "cancel_order"), "Confirm the card, and the cancel goes to the broker."
        )
    if not known.may("cancel_order"):
        return "I read that as a question, so nothing is prepared. Say `cancel my MSFT order`."
    if not open_orders(wish, known):
        return (
            "There is no open order to cancel. A card that waits is declined on the card itself, "
            "or with `cornerman decline ID` in a terminal."
        )
    return _paragraphs(_said(known, "orders"), "Which one? Say `cancel` and the order's id.")


def _why(wish: Wish, known: Known) -> str:
    planned = known.recall("plan")
    if planned is not None and not known.now:
        return part_words(wish.text, planned.body)
    trail = _said(known, "audit_trail")
    if not trail:
        journal = _said(known, "journal_list")
        return journal or (no_plan_words(_PLAN_EXAMPLE) if asks_part(wish.text) else "")
    made = known.recall("propose_order")
    basis = str(made.body.get("basis_ref") or "") if made else ""
    advice = [
        str(item.body["summary"])
        for item in known.before
        if basis and item.ok and item.ref == basis and item.name in ("plan", "plan_check", "size")
    ]
    asked = "You asked for it, and it rests on this:" if advice else "You asked for it."
    return _paragraphs(asked if made else "", *advice[-1:], trail)


def _holdings(_wish: Wish, known: Known) -> str:
    words, held = _said(known, "portfolio"), known.done("portfolio")
    reasons = known.done("journal_list")
    if held is None or reasons is None or not held.body["holdings"]:
        return words
    told = [_reasons(reasons.body, str(row["symbol"])) for row in held.body["holdings"]]
    return _paragraphs(words, "Why, from your journal:", *told)


def _reasons(body: Mapping[str, Any], symbol: str) -> str:
    """Return what the journal says about one holding, newest first."""
    about = [
        entry
        for entry in body["entries"]
        if entry.get("symbol") == symbol or re.search(rf"\b{re.escape(symbol)}\b", entry["text"])
    ]
    lines = [_reason(entry) for entry in about[:_REASONS_MAX]]
    return "\n".join([f"{symbol}:", "", *lines] if lines else [f"{symbol}: the journal is silent."])


def _reason(entry: Mapping[str, Any]) -> str:
    moment = str(entry["at"])[:16].replace("T", " ")
    return f"- {moment} UTC: {quotation(str(entry['text']))}"


def _note(_wish: Wish, known: Known) -> str:
    if not known.may("journal_add"):
        return (
            "To write that down, begin with `note:`, for example `note: waited for the pullback`."
        )
    return _said(known, "journal_add")


def _confirm(_wish: Wish, _known: Known) -> str:
    return (
        "Only you can confirm, and only on the card itself: press Confirm there, or run "
        "`cornerman confirm ID` in a terminal. Words in the chat never send an order."
    )


def _token(_wish: Wish, _known: Known) -> str:
    return (
        "I removed a confirmation token from your message; only the card confirms. A token is "
        "never of use in the chat, so nothing was sent. Press Confirm on the card itself."
    )


def _edit(_wish: Wish, _known: Known) -> str:
    return (
        "A waiting card is changed on the card itself: press Edit there. Or say the whole order "
        "anew, for example `buy 20 MSFT limit 26`, and decline the old card."
    )


def _halt(_wish: Wish, _known: Known) -> str:
    return (
        "Halting and resuming are yours alone: press Halt on the page, or run `cornerman halt` "
        "or `cornerman resume` in a terminal. I can not do either."
    )


def _nothing(_wish: Wish, _known: Known) -> str:
    return "All right, nothing is prepared. To drop an older card, press Decline on it."


def _unknown(_wish: Wish, _known: Known) -> str:
    return f"I did not understand that.\n\n{CAPABILITIES}\n{CONNECT}"


def _help(_wish: Wish, known: Known) -> str:
    return _paragraphs(_said(known, "help"), CONNECT)


_WORDS: dict[Errand, Callable[[Wish, Known], str]] = {
    Errand.QUOTE: _moves,
    Errand.PLAN: _plan,
    Errand.SIZE: _size,
    Errand.ORDER: _order,
    Errand.BRACKET: bracket_words,
    Errand.MANAGE: position_words,
    Errand.CANCEL: _cancel,
    Errand.CHANGE: change_words,
    Errand.WHY: _why,
    Errand.HOLDINGS: _holdings,
    Errand.NOTE: _note,
    Errand.CONFIRM: _confirm,
    Errand.PASTE: _token,
    Errand.EDIT: _edit,
    Errand.HALT: _halt,
    Errand.NOTHING: _nothing,
    Errand.HELP: _help,
    Errand.BARS: lambda wish, known: _said(known, "bars") or _quote(wish, known),
    Errand.ALERT: alert_words,
    Errand.ALERT_LIST: lambda _wish, known: _said(known, "alert_list"),
    Errand.ALERT_CHANGE: alert_words,
    Errand.ALERT_DROP: alert_words,
    Errand.NEWS: lambda _wish, known: _said(known, "news"),
    Errand.EARNINGS: lambda _wish, known: (
        _said(known, "earnings") or "Whose? For example: `when does IBM report`."
    ),
    Errand.CHAIN: lambda _wish, known: (
        _said(known, "chain") or "Of which symbol? For example: `AAPL options`."
    ),
    Errand.PICKS: lambda _wish, known: _said(known, "picks"),
    Errand.OPTION_PICKS: lambda _wish, known: (
        _said(known, "options_picks") or "Of which symbol? For example: `leaps picks for AAPL`."
    ),
    Errand.WEEKEND: lambda _wish, known: _said(known, "weekend_plan"),
    Errand.REPLAY: lambda _wish, known: (
        _said(known, "replay") or "Which plan? For example: `replay plan_0123456789abcdef`."
    ),
    Errand.SCORE: lambda _wish, known: _said(known, "score"),
    Errand.BACKTEST: lambda _wish, known: (
        _said(known, "backtest") or f"Of what? For example: `{BACKTEST_EXAMPLE}`."
    ),
    Errand.MARKET: lambda _wish, known: _said(known, "market_status"),
    Errand.HEALTH: lambda _wish, known: _said(known, "data_health"),
    Errand.FREEZES: lambda _wish, known: _said(known, "freeze_list"),
    Errand.WATCH: _watch,
    Errand.ORDERS: lambda _wish, known: _said(known, "orders"),
    Errand.FILLS: book_words,
    Errand.BALANCES: book_words,
    Errand.RISK: book_words,
    Errand.PORTFOLIO: lambda _wish, known: _said(known, "portfolio"),
    Errand.JOURNAL: lambda _wish, known: _said(known, "journal_list"),
}
