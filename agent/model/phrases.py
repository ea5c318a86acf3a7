"""Owns reading ordinary phrases: what a sentence asks for, as an errand; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Errand(StrEnum):
    """What the rule model can be asked to do."""

    QUOTE = "quote"
    BARS = "bars"
    PLAN = "plan"
    SIZE = "size"
    ORDER = "order"
    CANCEL = "cancel"
    ORDERS = "orders"
    HOLDINGS = "holdings"
    PORTFOLIO = "portfolio"
    NOTE = "note"
    JOURNAL = "journal"
    WHY = "why"
    HELP = "help"
    CONFIRM = "confirm"
    HALT = "halt"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One read sentence: the errand and every value that the person named, as they wrote it."""

    errand: Errand
    symbols: tuple[str, ...] = ()
    side: str | None = None
    quantity: str | None = None
    entry: str | None = None
    stop: str | None = None
    targets: tuple[str, ...] = ()
    risk: str | None = None
    limit: str | None = None
    stop_order: bool = False
    tif: str | None = None
    timeframe: str | None = None
    refers_back: bool = False
    everything: bool = False
    ref: str | None = None
    text: str = ""

    @property
    def symbol(self) -> str | None:
        """Return the first symbol named, or None."""
        return self.symbols[0] if self.symbols else None


_NUMBER = r"\$?\s?(\d{1,9}(?:,\d{3})*(?:\.\d+)?)"
_STOP = re.compile(rf"\bstop(?:[- ]?loss)?(?:\s+(?:at|of|price))?\s*[@=:]?\s*{_NUMBER}\s*(%|percent)?",
                   re.IGNORECASE)
_STOP_AFTER = re.compile(r"(\d+(?:\.\d+)?)\s*(%|percent)\s+stop\b", re.IGNORECASE)
_RISK = re.compile(rf"\brisk(?:ing)?(?:\s+(?:of|only|about|just))?\s*{_NUMBER}\s*(%|percent)|"
                   rf"(\d+(?:\.\d+)?)\s*(?:%|percent)\s+risk", re.IGNORECASE)
_AT_PERCENT = re.compile(r"\b(?:at|with|to|for)\s+(\d+(?:\.\d+)?)\s*(?:%|percent)", re.IGNORECASE)
_ENTRY = re.compile(rf"\b(?:entry|enter|entering)(?:\s+(?:at|around|price))?\s*[@=:]?\s*{_NUMBER}",
                    re.IGNORECASE)
_TARGETS = re.compile(r"\b(?:targets?|tp\d?)(?:\s+at)?\s*[@=:]?\s*"
                      r"((?:\$?\d+(?:\.\d+)?)(?:\s*(?:,|/|and|&)\s*\$?\d+(?:\.\d+)?)*)",
                      re.IGNORECASE)
_LIMIT = re.compile(rf"\blimit(?:\s+(?:at|of|price))?\s*[@=:]?\s*{_NUMBER}|(?:\bat\b|@)\s*{_NUMBER}"
                    r"(?!\s*(?:%|percent|\d))", re.IGNORECASE)
_STOP_ORDER = re.compile(rf"\bstop[- ](?:buy|sell|entry|order)\s*(?:at|@)?\s*{_NUMBER}|"
                         rf"\b(?:above|breaks?|through)\s+{_NUMBER}", re.IGNORECASE)
_QUANTITY = re.compile(r"\b(?:buy|sell|short|add|trim|long|reduce|close|for|of|x)\s+(\d{1,9}(?:,\d{3})*)\b(?!\s*%|\.\d)"
                       r"|\b(\d{1,9}(?:,\d{3})*)\s*(?:shares?|sh|units?)\b", re.IGNORECASE)
_TIMEFRAME = re.compile(r"\b(1|5|15|30|60|240)\s*(?:-?\s*)(?:m|min|minutes?)\b|\b(daily|weekly|monthly|hourly)\b",
                        re.IGNORECASE)
_REF = re.compile(r"\b((?:ord|prop|plan|res|r|c|jrn|fill)_[a-z0-9]{6,40})\b")
_BACK = re.compile(r"\b(?:it|that|this|them|the (?:trade|plan|setup|idea|position))\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][A-Za-z.\-]{0,14}")
_CAPS = re.compile(r"\b[A-Z]{2,5}(?:\.[A-Z])?\b")
_NOT_SYMBOLS = frozenset(
    "A AM AN AND ARE AT ATR BUY CAN DAY DO ETF FOR GTC HELP HOW IF IN IS IT LONG MY NO NOT OF OK ON "
    "OR PLAN PNL RISK RR SELL SHORT SIZE SO STOP TO TP UP US USD VWAP WHAT WHO WHY YES EMA RSI".split())
_FRAMES = {"daily": "1d", "weekly": "1w", "monthly": "1mo", "hourly": "60m"}

_SHAPES: tuple[tuple[Errand, re.Pattern[str]], ...] = tuple(
    (errand, re.compile(pattern, re.IGNORECASE)) for errand, pattern in (
        (Errand.HALT, r"^\W*(?:halt|kill switch|stop (?:all )?trading|resume trading|resume)\b"),
        (Errand.CONFIRM, r"^\W*(?:yes|confirm|confirmed|approve|go|execute)(?: it| that)?\W*$"),
        (Errand.NOTE, r"^\W*(?:note|journal|remember)(?: that)?\s*:?\s+(?!list|entries|notes)\S"
                      r"|\b(?:add|write|put)\b.{0,40}\bjournal\b"),
        (Errand.JOURNAL, r"\b(?:journal|diary|my notes)\b"),
        (Errand.CANCEL, r"(?<!till )(?<!til )\bcancel\b"),
        (Errand.HOLDINGS, r"\b(?:what|which).{0,20}\b(?:hold|own|holding)\b|\bmy (?:positions?|"
                          r"holdings?)\b|^\W*positions?\W*$|^\W*holdings?\W*$"),
        (Errand.WHY, r"^\W*why\b|\bwhy did\b|\bexplain (?:that|this|the) (?:order|trade|proposal)"),
        (Errand.PORTFOLIO, r"\b(?:portfolio|account|balance|cash|equity|p&l|pnl|how am i doing|"
                           r"buying power|performance)\b"),
        (Errand.ORDERS, r"\b(?:my|open|working|list|show)\b.{0,12}\borders?\b|^\W*orders?\W*$"),
        (Errand.HELP, r"^\W*(?:help|what can you do|commands?|hello|hi|hey)\b|\bhow do(?:es)? "
                      r"(?:i|this|it)\b"),
        (Errand.SIZE, r"\b(?:size|sizing|how many|how much should)\b"),
        (Errand.PLAN, r"\b(?:plan|check)\b|\bset ?up\b"),
        (Errand.ORDER, r"\b(?:buy|sell|short|close|exit|trim|take (?:it|that|the trade)|order)\b"),
        (Errand.BARS, r"\b(?:bars?|candles?|chart|history)\b"),
        (Errand.QUOTE, r"\b(?:quote|price|doing|trading|trade at|worth|look(?:s|ing)?|how(?:'s| is)|"
                       r"what(?:'s| is))\b"),
    ))


def read(text: str, names: Mapping[str, str]) -> Wish:
    """Return what `text` asks for. `names` maps lower-case symbols and words to symbols.

    Worked: `buy 50 msft stop 26.10` is an order of 50 MSFT, side long, protective stop 26.10.
    """
    symbols = _symbols(text, names)
    errand = next((kind for kind, shape in _SHAPES if shape.search(text)), None)
    if errand is None:
        errand = Errand.QUOTE if symbols and len(text.split()) <= 4 else Errand.UNKNOWN
    if errand in (Errand.PLAN, Errand.QUOTE, Errand.BARS) and not symbols and not _BACK.search(text):
        errand = Errand.UNKNOWN
    return _with_values(errand, text, symbols)


def _with_values(errand: Errand, text: str, symbols: tuple[str, ...]) -> Wish:
    stop_order = _STOP_ORDER.search(text) if errand is Errand.ORDER else None
    rest = text.replace(stop_order.group(0), " ") if stop_order else text
    stop = _percent(_STOP.search(rest)) or _percent(_STOP_AFTER.search(rest))
    priced = _STOP.sub(" ", _TARGETS.sub(" ", _ENTRY.sub(" ", rest)))
    risk = _first(_RISK.search(text)) or (
        _first(_AT_PERCENT.search(text)) if errand is Errand.SIZE else None)
    ref = _REF.search(text)
    return Wish(
        errand=errand, symbols=symbols, side=_side(text), quantity=_quantity(text),
        entry=_first(_ENTRY.search(text)), targets=_targets(text),
        stop=_first(stop_order) if stop_order else stop, stop_order=stop_order is not None,
        risk=f"{risk}%" if risk else None,
        limit=_first(_LIMIT.search(priced)) if errand is Errand.ORDER else None,
        tif="gtc" if re.search(r"\bgtc\b|good till cancel", text, re.IGNORECASE) else None,
        timeframe=_timeframe(text), refers_back=_BACK.search(text) is not None,
        everything=re.search(r"\ball\b|\bclose\b|\bexit\b|\beverything\b", text, re.IGNORECASE)
        is not None, ref=ref.group(1) if ref else None, text=text)


def _symbols(text: str, names: Mapping[str, str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for word in _WORD.findall(text):
        known = names.get(word.lower().removesuffix("'s"))
        if known:
            found.setdefault(known)
    if not found:
        for word in _CAPS.findall(text):
            if word not in _NOT_SYMBOLS:
                found.setdefault(word)
    return tuple(found)[:10]


def _first(match: re.Match[str] | None) -> str | None:
    if match is None:
        return None
    value = next((part for part in match.groups() if part and part[0].isdigit()), None)
    return value.replace(",", "") if value else None


def _percent(match: re.Match[str] | None) -> str | None:
    value = _first(match)
    return f"{value}%" if match and value and match.group(2) else value


def _targets(text: str) -> tuple[str, ...]:
    match = _TARGETS.search(text)
    return tuple(re.findall(r"\d+(?:\.\d+)?", match.group(1))) if match else ()


def _quantity(text: str) -> str | None:
    return _first(_QUANTITY.search(text))


def _side(text: str) -> str | None:
    if re.search(r"\b(?:short|sell|selling|close|exit|trim|reduce)\b", text, re.IGNORECASE):
        return "short"
    return "long" if re.search(r"\b(?:long|buy|buying|add)\b", text, re.IGNORECASE) else None


def _timeframe(text: str) -> str | None:
    match = _TIMEFRAME.search(text)
    if match is None:
        return None
    return f"{match.group(1)}m" if match.group(1) else _FRAMES[match.group(2).lower()]
