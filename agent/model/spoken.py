"""Owns reading the values of a sentence: numbers with their role, symbols, sides; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_FLAGS = re.IGNORECASE | re.ASCII
NUMBER = r"\$?\s?(\d{1,9}(?:,\d{3})*(?:\.\d+)?)"
_NO_UNIT = r"(?!\s*(?:%|percent|\d|shares?\b|days?\b|weeks?\b|min|hours?\b|bars?\b|R\b))"
_SELL = r"sell|selling|close|exit|trim|reduce|dump|liquidate|unload|get out"
_BUY = r"buy|buying|purchase|add|get me|pick up|long"
_COUNTS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13",
    "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18",
    "nineteen": "19", "twenty": "20", "thirty": "30",
    "forty": "40", "fifty": "50", "a hundred": "100", "one hundred": "100",
    "a dozen": "12", "a thousand": "1000", "one thousand": "1000",
}  # fmt: skip
_COUNT_WORD = re.compile(
    rf"\b({'|'.join(sorted(_COUNTS, key=len, reverse=True))})(?=\s+[A-Za-z]+)", _FLAGS
)

_PATTERNS: dict[str, tuple[str, ...]] = {
    "stop_order": (
        rf"\b(?:stop[- ]?(?:buy|sell|entry|order)|(?:buy|sell)[- ]stop)\s*(?:at|@|of)?\s*{NUMBER}",
    ),
    "stop": (
        (
            r"\b(?:stop(?:[- ]?loss)?|sl)"
            r"(?:\s+(?:is|at|of|to|price|below|above|under|over|around))*"
            rf"\s*[@=:]?\s*{NUMBER}\s*(%|percent)?(?:\s+(?:below|above|away|under|over))?"
        ),
        r"(\d+(?:\.\d+)?)\s*(%|percent)\s+(?:trailing\s+)?stop\b",
    ),
    "risk": (
        rf"\brisk(?:ing)?(?:\s+(?:of|only|about|just|is|at))*\s*{NUMBER}\s*(%|percent)",
        r"(\d+(?:\.\d+)?)\s*(%|percent)\s+(?:of\s+(?:my\s+)?(?:equity|account)\s+)?(?:at\s+)?risk",
    ),
    "entry": (
        rf"\b(?:entry|enter|entering)(?:\s+(?:is|at|around|price|near))*\s*[@=:]?\s*{NUMBER}",
    ),
    "limit": (
        rf"\blimit(?:\s+(?:order|at|of|price|is))*\s*[@=:]?\s*{NUMBER}",
        rf"(?:\b(?:at|for|up to|no more than|at most|at least)\b|@)\s*{NUMBER}{_NO_UNIT}",
    ),
}
_READERS = {
    name: tuple(re.compile(one, _FLAGS) for one in patterns) for name, patterns in _PATTERNS.items()
}
_TARGETS = re.compile(
    r"\b(?:targets?|tp\d?)(?:\s+(?:at|of|is|are))?\s*[@=:]?\s*"
    r"((?:\$?\d+(?:\.\d+)?)(?:\s*(?:,|/|and|&)\s*(?:and\s+)?\$?\d+(?:\.\d+)?)*)",
    _FLAGS,
)
_HIGHER = re.compile(rf"\b(?:above|breaks?|through|over|crosses)\s+{NUMBER}", _FLAGS)
_LOWER = re.compile(rf"\b(?:below|under|falls? to|drops? to)\s+{NUMBER}", _FLAGS)
_PERCENT = (
    re.compile(
        r"\b(?:at|with|to|for|of|it|that|use|try)\s+(?:only\s+)?(\d+(?:\.\d+)?)\s*(?:%|percent)",
        _FLAGS,
    ),
    re.compile(r"^\W*(?:\w+,?\s+){0,3}(\d+(?:\.\d+)?)\s*(?:%|percent)[\w\s]*\W*$", _FLAGS),
)
_COUNT = r"(\d{1,9}(?:,\d{3})*(?:\.\d+)?)\b(?!\s*(?:%|percent|[Rr]\b))"
_QUANTITIES = (
    re.compile(
        rf"\b(?:{_BUY}|{_SELL}|short|another|quantity|qty|bracket|protect)\s+(?:only\s+)?{_COUNT}",
        _FLAGS,
    ),
    re.compile(rf"(?<![$\d,.]){_COUNT}\s*(?:more\s+)?(?:shares?|sh|units?|of)\b", _FLAGS),
    re.compile(
        rf"\b(?:{_BUY}|{_SELL}|short)\s+(?!at\b|for\b|stop\b|limit\b|above\b|below\b|under\b|over\b)"
        r"[A-Za-z][A-Za-z.\-]{0,14}\s+(\d{1,9})\b(?!\s*(?:%|percent)|\.\d)",
        _FLAGS,
    ),
)
_TIMEFRAME = re.compile(
    r"\b(1|5|15|30|60|240)\s*-?\s*(?:m|min|minutes?)\b|\b(daily|weekly|monthly|hourly)\b", _FLAGS
)
_FRAMES = {"daily": "1d", "weekly": "1w", "monthly": "1mo", "hourly": "60m"}
_WORD = re.compile(r"[A-Za-z][A-Za-z.\-]{0,14}")
_CAPS = re.compile(r"\b[A-Z]{2,5}(?:\.[A-Z])?\b")
_PLAIN_WORDS = frozenset(
    """
    a add all am an and any apple are as ask at atr bar bars bid big buy by call calls can
    card cash chain close cool day days do doing done down dump ema entry etf every exit few
    fine five for four from get go going good great gtc half has have help hey hi hold how i
    if in is it its just less limit list long look many market me more much my need new news
    next nice nine no none not now of off ok okay on one open or order out over pay plan pnl
    price put puts report risk rr rsi say sell send set short show size so some stock stop
    sure take tell ten than thanks that the them then there these they this those three time
    to too top tp trade trim two up us usd value very vwap was watch way we well what when
    where which who why will with work worth yes yet you your
    """.split()  # noqa: SIM905 - one word list, kept sorted
)
_NAMED = (
    re.compile(
        r"\b(?:quote|price (?:of|for)|chart (?:of|for)|bars (?:of|for)|buy|sell|short|long|plan"
        r"|size|shares of|cancel(?: my)?)\s+(?:\d[\d,.]*\s+)?(?:shares? of\s+)?([a-z]{2,5})\b",
        re.ASCII,
    ),
    re.compile(
        r"\b(?:what's|whats|how's|how is|what is)\s+([a-z]{2,5})\s+(?:doing|trading|at|worth)\b",
        re.ASCII,
    ),
    re.compile(r"^\W*([a-z]{2,5})\W*$", re.ASCII),
    re.compile(
        r"\b(?:news|headlines|earnings|chain|options|calls|puts|expirations?|expiry)"
        r"\s+(?:on|for|of|about)\s+([a-z]{2,5})\b",
        re.ASCII,
    ),
    re.compile(
        r"^\W*([a-z]{2,5})\s+(?:news|headlines|earnings|options|calls|puts|chain)\W*$", re.ASCII
    ),
)
_CONDITION = re.compile(
    r"\b(?:if|when|once|unless|until|tomorrow|tonight|later|monday|tuesday|wednesday|thursday"
    r"|friday|every (?:day|week)|at the (?:open|close))\b",
    _FLAGS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a sentence names, as written; `unread` is a number or condition that found no role."""

    quantity: str | None = None
    entry: str | None = None
    stop: str | None = None
    targets: tuple[str, ...] = ()
    risk: str | None = None
    limit: str | None = None
    stop_order: bool = False
    unread: str | None = None


def values_of(text: str, *, orders: bool, sells: bool) -> Values:
    """Return every value of `text` with its role; each number has at most one.

    `orders` also reads limits and triggers; a sale's stop price is the trigger of a stop order.
    Worked: `buy 50 msft stop 26.10` has quantity 50 and stop 26.10.
    """
    rest = _COUNT_WORD.sub(lambda found: _COUNTS[found[1].lower()], text)
    rest, targets = _take_targets(rest)
    found: dict[str, str | None] = {}
    for name in ("risk", "entry", "stop_order", "stop"):
        rest, found[name] = _take(rest, _READERS[name])
    if orders:
        rest, found["quantity"] = _take(rest, _QUANTITIES)
        rest, found["limit"] = _take(rest, _READERS["limit"])
        trigger, limit = (_LOWER, _HIGHER) if sells else (_HIGHER, _LOWER)
        if found["stop_order"] is None:
            rest, found["stop_order"] = _take(rest, (trigger,))
        if found["limit"] is None:
            rest, found["limit"] = _take(rest, (limit,))
    elif found["risk"] is None:
        rest, share = _take(rest, _PERCENT)
        found["risk"] = f"{share}%" if share else None
    return _settled(found, targets, rest, orders=orders, sells=sells)


def _settled(
    found: Mapping[str, str | None],
    targets: tuple[str, ...],
    rest: str,
    *,
    orders: bool,
    sells: bool,
) -> Values:
    stop, trigger, limit = found["stop"], found["stop_order"], found.get("limit")
    unread = _unread(rest, trigger) if orders else None
    if orders and sells and stop and trigger is None:
        trigger, stop = stop, None
    if trigger is not None and (limit or trigger.endswith("%") or stop):
        unread = unread or limit or stop or trigger
    return Values(
        quantity=found.get("quantity"),
        entry=found["entry"],
        stop=trigger if trigger is not None else stop,
        targets=targets,
        risk=found["risk"],
        limit=limit,
        stop_order=trigger is not None,
        unread=unread,
    )


def _take(text: str, readers: tuple[re.Pattern[str], ...]) -> tuple[str, str | None]:
    """Return the text without what the first fitting reader read, and its value."""
    for reader in readers:
        found = reader.search(text)
        if found is None:
            continue
        parts = [part for part in found.groups() if part]
        number = parts[0].replace(",", "")
        percent = len(parts) > 1 and parts[1].lower() in ("%", "percent")
        return text.replace(found[0], " ; ", 1), f"{number}%" if percent else number
    return text, None


def _take_targets(text: str) -> tuple[str, tuple[str, ...]]:
    found = _TARGETS.search(text)
    if found is None:
        return text, ()
    return text.replace(found[0], " ; ", 1), tuple(re.findall(r"\d+(?:\.\d+)?", found[1]))


def _unread(rest: str, trigger: str | None) -> str | None:
    """Return the first number that has no role, or a condition that no order type carries."""
    number = re.search(r"(?<![A-Za-z_\d])\$?\d[\d,.]*%?", rest, re.ASCII)
    if number is not None:
        return number[0].rstrip(".,")
    condition = _CONDITION.search(rest)
    return condition[0].lower() if condition is not None and trigger is None else None


def symbols_of(text: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the symbols of `text`: known ones by symbol or company, else what looks like one."""
    found: dict[str, None] = {}
    for word in _WORD.findall(text):
        bare = word.rstrip(".-")
        known = names.get(bare.lower())
        if known and (bare.lower() not in _PLAIN_WORDS or bare.isupper() or known != bare.upper()):
            found.setdefault(known)
    for word in _CAPS.findall(text):
        if word.lower() not in names and word.lower() not in _PLAIN_WORDS:
            found.setdefault(word)
    if not found:
        spotted = (one.search(text) for one in _NAMED)
        words = (match[1] for match in spotted if match and match[1] not in _PLAIN_WORDS)
        found.update({word.upper(): None for word in words})
    return tuple(found)[:10]


def side_of(text: str) -> str | None:
    """Return `short` for words of selling, `long` for words of buying, or None."""
    if re.search(rf"\b(?:short|{_SELL})\b", text, _FLAGS):
        return "short"
    return "long" if re.search(rf"\b(?:{_BUY})\b", text, _FLAGS) else None


def sells(text: str) -> bool:
    """Return True when the words sell what is held, rather than sell short."""
    return re.search(rf"\b(?:{_SELL})\b", text, _FLAGS) is not None


def timeframe_of(text: str) -> str | None:
    """Return the bar length that the words name."""
    found = _TIMEFRAME.search(text)
    if found is None:
        return None
    return f"{found[1]}m" if found[1] else _FRAMES[found[2].lower()]
