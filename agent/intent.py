"""Owns what a turn is about, read by code from the person's words, and what it allows."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Literal

Effect = Literal["read", "compute", "note", "propose"]


class Intent(StrEnum):
    """What the person wants of this turn."""

    ASK = "ask"
    PLAN = "plan"
    ORDER = "order"
    ALERT = "alert"
    JOURNAL = "journal"


_QUOTED = re.compile(
    r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb|```.*?```|(?m:^>.*$)", re.DOTALL
)
_BUY = r"buy|purchase|go long|add|long"
_SELL = r"sell|short|dump|trim|reduce|close|exit|liquidate|unwind|get out|cash out|take profits?"
_ACT = (
    rf"(?:{_BUY}|{_SELL}|cancel|replace|order|propose|place|take (?:it|that|this|the trade)"
    r"|do (?:it|that|the trade)|enter|get me|pull the trigger|withdraw|hedge|insure|roll"
    r"|bracket|protect"
    r"|(?:move|raise|lower|tighten|bring|pull|trail|ratchet)\b(?=.{0,40}\bstops?\b)"
    r"|(?:change|amend|modify|move|raise|lower|reprice)\b(?=.{0,40}\borders?\b))"
)
_LEAD = (
    r"(?:^|[.!;,:\n]\s*|\b(?:and|then|please|pls|now|so|ok|okay|yes|let'?s|let us|just|also"
    r"|go ahead and|want to|wanna|like to|need to|you to|me to|to)\s+"
    r"|\b(?:can|could|would|will) (?:you|we) (?:please )?)"
)
_ORDER = re.compile(rf"{_LEAD}{_ACT}\b", re.IGNORECASE)
_NOUN = re.compile(
    r"\b(?:place|make|prepare|draft|send|put in|set up)\b.{0,30}"
    r"\b(?:order|card|proposal|trade|bracket|stop)\b",
    re.IGNORECASE,
)
_TERSE = re.compile(
    rf"^\s*(?:\d[\d,.]*\s+\w+\s+|\w+\s+)?(?:{_BUY}|{_SELL}|cancel)\b", re.IGNORECASE
)
_QUESTION = re.compile(
    r"^\s*(?:what|why|when|how|which|who|where|should|shall|did|does|do i|do you|have|has|had|is"
    r"|are|was|were|am i|explain|tell me|show|would you (?:buy|sell|short)|summari[sz]e|list)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:do not|don'?t|never|without|not|no need to|avoid|instead of|rather than)"
    rf"\s+(?:\w+\s+){{0,2}}?(?:{_BUY}|{_SELL}|cancel|order|place)\w*",
    re.IGNORECASE,
)
_WATCH = re.compile(
    r"\b(?:add|put|remove|drop|take|move|change)\b.{0,80}\bwatch ?lists?\b", re.IGNORECASE
)
_PLAN = re.compile(
    r"\b(?:plan|size|sizing|stop|target|entry|risk|setup|back-?test)\b", re.IGNORECASE
)
_ALERT = re.compile(
    r"\b(?:alert|notify|warn|ping|tell) me\b|\b(?:set|create|delete|remove|change"
    r"|update|move|add|cancel|drop)\b.{0,30}\balerts?\b"
    r"|\b(?:alert|notify|warn|ping) (?:us |when\b|if\b|once\b)"
    r"|^\s*\$?[A-Za-z][A-Za-z.]{0,14}\s*[<>]=?\s*\$?\d[\d,.]*\W*$",
    re.IGNORECASE,
)
_TELL = re.compile(
    r"\b(?:tell me|let me know) (?:when|if|once|as soon as)\b(?!\s+(?:did|do|does|i|you|we)\b)",
    re.IGNORECASE,
)
"""A wish to be told later; `tell me when you bought` asks about what was."""
_JOURNAL = re.compile(
    r"\b(?:note|write|add|log|record|remember|jot|put|save)\b.{0,40}"
    r"\b(?:journal|diary|note|notes)\b|\b(?:journal|note|remember)\s*(?:that\b|:)"
    r"|^\s*(?:journal|note)\s+(?!notes|entries|list)\w",
    re.IGNORECASE,
)
_VERB = re.compile(r"\b(?:buy|sell|order|place|propose|take|do it|cancel|close)\b", re.IGNORECASE)
_RECEIPT = re.compile(r"\b(?:as executed|the fill|receipt)\b", re.IGNORECASE)
_PLANNING = re.compile(
    r"^\s*(?:please\s+)?(?:plan|size|check|validate|simulate|backtest)\b", re.IGNORECASE
)


def own_words(text: str) -> str:
    """Return the person's own words: quotations and quoted lines are not theirs."""
    return _QUOTED.sub(" ", text)


def intent_of(text: str) -> Intent:
    """Return the intent of a turn. In doubt it is a question, which allows reads only.

    Worked: `buy it` is an order, `should I buy it?` and `don't buy it` are questions.
    """
    said = own_words(text)
    wanted = _WATCH.sub(" ", _NOT.sub(" ", said))
    if _TELL.search(wanted) or (_ALERT.search(wanted) and not _asks(wanted)):
        return Intent.ALERT
    if _JOURNAL.search(wanted) and not _asks(wanted):
        return Intent.ASK if _RECEIPT.search(wanted) else Intent.JOURNAL
    if _is_order(wanted):
        return Intent.ORDER
    return Intent.PLAN if _PLAN.search(said) else Intent.ASK


def _asks(text: str) -> bool:
    return _QUESTION.search(text) is not None


def _is_order(text: str) -> bool:
    """Return True when some sentence of the text tells the coach to prepare an order."""
    return any(_orders(part) for part in re.split(r"(?<=[.!?\n;])\s+", text))


def _orders(sentence: str) -> bool:
    polite = re.match(
        r"\s*(?:can|could|would|will) (?:you|we) (?:please )?", sentence, re.IGNORECASE
    )
    if polite and not _QUESTION.search(sentence):
        return _ORDER.search(sentence) is not None
    if sentence.rstrip().endswith("?") and not re.search(rf"^\s*{_ACT}\b", sentence, re.IGNORECASE):
        return False
    if _asks(sentence):
        tail = re.search(rf"\b(?:and|then)\s+(?:then\s+)?{_ACT}\b", sentence, re.IGNORECASE)
        return (
            tail is not None
            and re.match(r"\s*(?:show|tell me|summari[sz]e|list|explain)", sentence, re.IGNORECASE)
            is not None
        )
    if _PLANNING.search(sentence):
        return re.search(
            rf"(?:\b(?:and|then)|[,;])\s+(?:then\s+)?{_ACT}\b(?!\s*(?:,|$))",
            sentence,
            re.IGNORECASE,
        ) is not None and _planned_then_ordered(sentence)
    if re.search(r"\bplan\b", sentence, re.IGNORECASE) and not _VERB.search(sentence):
        return False
    return bool(_ORDER.search(sentence) or _NOUN.search(sentence) or _TERSE.search(sentence))


def _planned_then_ordered(sentence: str) -> bool:
    tail = re.split(r"\b(?:and|then)\b|[,;]", sentence)[1:]
    verbs = r"\s*(?:then\s+)?(?:please\s+)?(?:buy|sell|order|place|propose|take it|do it)\b"
    return any(re.match(verbs, part, re.IGNORECASE) for part in tail)


def sides_of(text: str) -> frozenset[str]:
    """Return the sides that the person named: `buy`, `sell`, both, or none."""
    said = _NOT.sub(" ", own_words(text))
    sides = set()
    if re.search(rf"\b(?:{_BUY}|cover)\b", said, re.IGNORECASE):
        sides.add("buy")
    if re.search(rf"\b(?:{_SELL})\b", said, re.IGNORECASE):
        sides.add("sell")
    if re.search(r"\b(?:close|exit|cover|unwind|get out|protect)\b", said, re.IGNORECASE):
        sides |= {"buy", "sell"}
    return frozenset(sides)


def allows(intent: Intent, name: str, effect: str) -> bool:
    """Return True when a turn of this intent may use the tool; reads and computing always may."""
    if effect in ("read", "compute"):
        return True
    if name.startswith("alert_"):
        return intent is Intent.ALERT
    if name.startswith("journal_"):
        return intent is Intent.JOURNAL
    if effect == "note":
        return intent is not Intent.ASK
    return effect == "propose" and intent is Intent.ORDER
