"""Owns the check of claims: a sentence that says something was done must be borne out by rows."""

from __future__ import annotations

import re
from decimal import Decimal

from agent.figures import figures_in
from agent.reality import Deal, Reality

_DONE = {
    "fill": r"bought|sold|filled|executed|purchased|liquidated|closed out|traded|exercised"
    r"|vendu|achet\u00e9|ex\u00e9cut\u00e9|verkauft|gekauft|ausgef\u00fchrt|vendido|comprado|ejecutado",
    "send": r"placed|submitted|sent|routed|transmitted|confirmed|authori[sz]ed|approved",
    "cancel": r"cancell?ed|revoked|withdrawn",
    "change": r"switched|changed|updated|deleted|removed|disabled|enabled|raised|lifted|reset"
    r"|saved|recorded|noted|set|halted|resumed",
}
_ALL = "|".join(_DONE.values())
_AUX = (
    r"(?:has|have|had|was|were|is|are|been|be(?:en)? just|got|gets|now|just|already|fully|partly"
    r"|successfully|all|both|tout)"
)
_MOVED = "|".join(_DONE[kind] for kind in ("fill", "send", "cancel"))
_SUBJECT = (
    r"(?:orders?|trades?|positions?|holdings?|shares?|stocks?|cards?|proposals?|accounts?"
    r"|limits?|alerts?|stops?|mode|settings?|records?|journal|portfolio|everything|all|it"
    r"|they|both|that|this|transaction|deal|ticket|buy|sell|sale|purchase|fill)"
)
_CLAIMS = (
    re.compile(
        rf"\b(?:i|we|j'ai|ich|he|i've|we've|i have|we have)\b[^.?!;]{{0,25}}?\b(?P<verb>{_ALL})\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b{_SUBJECT}\b[^.?!;]{{0,60}}?\b{_AUX}\s+(?:\w+\s+(?:and|,)\s+)?(?P<verb>{_ALL})\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b[0-9][0-9,.]*\s+(?:shares\s+(?:of\s+)?)?[A-Z]{{1,5}}\b[^.?!;]{{0,30}}?"
        rf"\b{_AUX}\s+(?P<verb>{_ALL})\b"
    ),
    re.compile(
        rf"^\W*(?:(?:done|ok|okay|yes|great)\W+)?(?:{_AUX}\s+)?(?P<verb>{_ALL})\b(?!\s+by\b)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:order|trade|position|account)\b[^.?!;]{0,40}\b(?:is|went)\s+(?P<verb>through"
        r"|live|complete[d]?|done|in)\b",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?:everything|all|positions?|orders?|trades?|shares)\s+(?P<verb>{_MOVED})\b",
        re.IGNORECASE,
    ),
    re.compile(rf"^\W*\w+\s+and\s+(?P<verb>{_MOVED})\b", re.IGNORECASE),
    re.compile(rf"\|\s*(?P<verb>{_DONE['fill']})\s+[0-9]", re.IGNORECASE),
    re.compile(r"^\W*(?P<verb>done|executed|all set|it'?s done|completed?)\W*$", re.IGNORECASE),
)
_HEDGE = re.compile(
    r"\b(?:not|n't|never|no|nothing|none|isn't|wasn't|haven't|hasn't|nor|until|unless|once you"
    r"|when you|after you|if|will be|would|could|can be|may|might|before|to be|must be|should be"
    r"|cannot|can not|only when|as soon as|waits?|waiting|awaits?|awaiting|pending|ready"
    r"|needs?|not yet|only you)\b|n't\b",
    re.IGNORECASE,
)
_QUOTES = re.compile(r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb")
_STATUS = re.compile(
    r"\"(?:status|state|fill)\"\s*:\s*\"(?:confirmed|filled|executed|sent)", re.IGNORECASE
)
_CARD = re.compile(
    r"\bcards?\b[^.?!;]{0,40}\b(?:ready|prepared|waits?|waiting|open)\b", re.IGNORECASE
)
_NO_CARD = re.compile(
    r"\b(?:no|not|if|when|once|any|is|are)\b[^.?!;]*\bcards?\b|n't\b", re.IGNORECASE
)
_FILLED = frozenset({"FILLED", "PARTIALLY_FILLED"})
_CANCELLED = frozenset({"CANCELLED", "CANCELED", "PARTIALLY_FILLED_CANCELLED"})
_DESCRIBING = frozenset({"set", "recorded", "noted", "saved", "changed", "raised"})
_RECORD = re.compile(
    r"^\W*\w+\W*$|\b(?:i|we|alerts?|journal|notes?|limits?|mode|settings?|account"
    r"|strategy|policy)\b",
    re.IGNORECASE,
)
_CLEANED = re.compile(r"^\W*I removed a confirmation token\b")
"""Taking a pasted token out of a message changes no record; intake has done it and audited it."""
_NOTE_TOOLS = re.compile(r"^(?:journal|alert|watchlist|settings?)_")


def false_claim(sentence: str, reality: Reality) -> bool:
    """Return True when `sentence` says that something was done and no row bears it out.

    Worked: `Sold 40 AAPL.` is false without a filled sale of AAPL; `The card is ready.` claims
    nothing; a quotation claims nothing by itself.
    """
    if _claims_a_card(sentence) and not any(card.status == "pending" for card in reality.cards):
        return True
    if _STATUS.search(sentence) and not reality.deals:
        return True
    said = _QUOTES.sub(" ", sentence)
    for clause in re.split(r"(?<=[;:])\s+|,\s+(?:but|so|and)\s+|\s+-\s+", said):
        if _HEDGE.search(clause) or clause.rstrip().endswith("?"):
            continue
        for pattern in _CLAIMS:
            found = pattern.search(clause)
            if (
                found
                and not _harmless(found["verb"], clause)
                and not _borne_out(found["verb"].lower(), sentence, reality)
            ):
                return True
    return False


def _claims_a_card(sentence: str) -> bool:
    """Return True for `your card is ready`, which only a pending card bears out."""
    said = _QUOTES.sub(" ", sentence)
    return _CARD.search(said) is not None and _NO_CARD.search(said) is None


def _harmless(verb: str, clause: str) -> bool:
    """Return True for `the stop is set 3% below`: a description, unless it is about a record."""
    described = verb.lower() in _DESCRIBING and _RECORD.search(clause) is None
    return described or _CLEANED.search(clause) is not None


def _borne_out(verb: str, sentence: str, reality: Reality) -> bool:
    kind = next(
        (name for name, words in _DONE.items() if re.fullmatch(words, verb, re.IGNORECASE)), "any"
    )
    deals = [deal for deal in reality.deals if _about(deal, sentence)]
    if _names_nothing(sentence) and any(card.status == "pending" for card in reality.cards):
        deals = []
    match kind:
        case "fill":
            return any(_filled_as_said(deal, verb) for deal in deals)
        case "send":
            return bool(deals)
        case "cancel":
            return any(deal.state.upper() in _CANCELLED for deal in deals)
        case "change":
            return any(_NOTE_TOOLS.match(name) for name in reality.changed)
        case _:
            return bool(reality.changed) or any(deal.filled_quantity > 0 for deal in deals)


def _about(deal: Deal, sentence: str) -> bool:
    """Return True when a sentence can mean this order: its symbol and its quantity, or neither."""
    symbols = re.findall(r"\b[A-Z]{2,5}\b", sentence)
    counts = _counts(sentence)
    return (deal.symbol in symbols or not symbols) and (
        not counts or deal.quantity in counts or deal.filled_quantity in counts
    )


def _counts(sentence: str) -> set[Decimal]:
    return {one.value for one in figures_in(sentence) if one.unit == "plain" and one.places <= 0}


def _names_nothing(sentence: str) -> bool:
    """Return True for a bare claim such as `Done.`, which a waiting card makes ambiguous."""
    return not re.search(r"\b[A-Z]{2,5}\b", sentence) and not _counts(sentence)


def _filled_as_said(deal: Deal, verb: str) -> bool:
    sides = {"bought": "buy", "purchased": "buy", "sold": "sell", "liquidated": "sell"}
    filled = deal.filled_quantity > 0 or deal.state.upper() in _FILLED
    return filled and sides.get(verb, deal.side) == deal.side
