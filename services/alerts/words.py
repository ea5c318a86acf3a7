"""Owns reading an alert from words: `AAPL > 200`, `notify when MSFT falls 2% below VWAP`; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from services.alerts.alert import AlertAsk, AlertKind, Side
from services.alerts.words_subject import find_subject
from services.kit.errors import refuse
from services.kit.money import parse_decimal

TEXT_MAX = 300
_FLAGS = re.IGNORECASE | re.ASCII
_NUMBER = r"\$?\s?(?P<level>\d{1,9}(?:,\d{3})*(?:\.\d{1,8})?)(?!\d|\.\d|\s*(?:%|percent))"
_PCT = r"(?P<pct>\d{1,3}(?:\.\d{1,4})?)\s*(?:%|percent)"
_SYMBOL = r"(?P<symbol>[A-Za-z][A-Za-z0-9.\-]{0,14})"
_UP = (
    r"(?:goes|go|gets|get|is|trades|trading|climbs|rises|rise|moves|breaks|break|closes|close"
    r"|crosses|cross|jumps|runs)?\s*(?:at or\s+)?(?:above|over|past|through|beyond)"
    r"|>=?|breaks out(?: of| above)?|rises to|climbs to|up to|tops|exceeds"
)
_DOWN = (
    r"(?:goes|go|gets|get|is|trades|trading|falls|fall|drops|drop|dips|slips|moves|breaks|break"
    r"|closes|close|crosses|cross)?\s*(?:at or\s+)?(?:below|under|beneath)"
    r"|<=?|falls to|drops to|dips to|slips to|down to|loses"
)
_MEET = r"hits|breaks|reaches|touches|crosses|cross|gets to|is at|trades at|at|="
_FALLS = r"falls|fall|drops|drop|dips|slips|loses|is down|goes down"
_RISES = r"rises|rise|gains|climbs|jumps|is up|goes up"
_VERBS = r"(?:trades|closes|goes|gets|is|falls|drops|dips|rises|climbs|moves|jumps)?"
_SIDES = r"(?P<above>above|over)|(?P<below>below|under)"
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, _FLAGS))
    for name, pattern in (
        (
            "vwap",
            rf"\b{_SYMBOL}\s+{_VERBS}\s*{_PCT}\s*(?:or more\s+)?(?:{_SIDES})\s+(?:its |the )?VWAP",
        ),
        (
            "vwap",
            (
                rf"\b{_SYMBOL}\s+"
                r"(?:trades |closes |crosses |goes |falls |rises |drops |is |moves )?"
                rf"(?:at or )?(?:{_SIDES})\s+(?:its |the )?VWAP"
            ),
        ),
        ("vwap", rf"\b{_SYMBOL}\s+(?:crosses|touches|reaches|hits)\s+(?:its |the )?VWAP"),
        (
            "rvol",
            (
                rf"\b{_SYMBOL}(?:'s)?\s+(?:has\s+)?(?:relative volume|rvol)\s*"
                r"(?:is|goes|at|reaches|hits)?\s*(?:or\s+)?(?:at or\s+)?(?:above|over|>=?)?"
                rf"\s*{_NUMBER}\s*x?"
            ),
        ),
        (
            "rvol",
            (
                rf"\b{_SYMBOL}(?:'s)?\s+(?:volume is|trades|volume reaches)\s+{_NUMBER}"
                r"\s*(?:x|times)\s+(?:its |the )?(?:usual|normal|average)(?: volume)?"
            ),
        ),
        ("move", rf"\b{_SYMBOL}\s+(?:(?P<below>{_FALLS})|(?P<above>{_RISES}))\s+(?:by\s+)?{_PCT}"),
        (
            "price",
            rf"\b{_SYMBOL}\s*(?:(?P<above>{_UP})|(?P<below>{_DOWN})|(?:{_MEET}))\s*{_NUMBER}",
        ),
    )
)
_BY = re.compile(r"\bby (?P<by>\d{1,2}(?:\.\d{1,4})?)\s*(?:%|percent)", _FLAGS)
_WITHIN = re.compile(
    r"\b(?:or )?(?:within|comes within|near) (?P<by>\d{1,2}(?:\.\d{1,4})?)\s*(?:%|percent)", _FLAGS
)
_DAY = re.compile(
    r"\((?:daily bars)\)|\b(?:on (?:a|the) )?(?:daily(?: (?:close|bars?))?|day close"
    r"|end of (?:the )?day|on the day|at the close)\b",
    _FLAGS,
)
_MINUTE = re.compile(r"\((?:minute bars)\)|\b(?:on )?(?:a )?minute (?:close|bars?)\b", _FLAGS)
_CLOSES = re.compile(r"\bcloses?\b", _FLAGS)
_REPEAT = re.compile(r"\b(?:each time|every time|repeatedly|again and again|always)\b", _FLAGS)
_ONCE = re.compile(r"\bonce\b", _FLAGS)
_UNTIL = re.compile(
    r",?\s*\buntil (?P<day>\d{4}-\d{2}-\d{2})(?:[ T](?P<time>\d{2}:\d{2}))?"
    r"(?:\s*(?P<zone>UTC|Z|GMT|EST|EDT|BST|CEST|CET|AEST|AEDT)\b)?",
    _FLAGS,
)
_OFFSETS_H = {"EST": -5, "EDT": -4, "BST": 1, "CET": 1, "CEST": 2, "AEST": 10, "AEDT": 11}
"""Hours that the exchanges' clocks run ahead of UTC by the zone they name; UTC and GMT by none."""
_FOR = re.compile(r"\bfor (?:the next )?(?P<days>\d{1,3}) days?\b", _FLAGS)
_FILLER = frozenset(
    [
        "$",
        "please",
        "pls",
        "hey",
        "ok",
        "can",
        "could",
        "you",
        "would",
        "i",
        "want",
        "to",
        "set",
        "an",
        "a",
        "the",
        "alert",
        "alerts",
        "me",
        "my",
        "notify",
        "tell",
        "warn",
        "ping",
        "remind",
        "know",
        "let",
        "add",
        "create",
        "make",
        "us",
        "for",
        "when",
        "whenever",
        "if",
        "once",
        "on",
        "stock",
        "price",
        "shares",
        "share",
        "of",
        "as",
        "soon",
        "and",
        "it",
        "its",
        "will",
    ]
)
_NO_SYMBOL = frozenset(
    [
        "when",
        "if",
        "alert",
        "notify",
        "price",
        "stock",
        "it",
        "the",
        "and",
        "vwap",
        "rvol",
        "me",
        "once",
    ]
)


def read_rule(text: str, *, as_of: datetime) -> AlertAsk:
    """Return what the words ask for; every word must be understood.

    The symbol stands before its condition; a plan stands by its id. Without a direction (`AAPL
    hits 200`) the last price decides it later. `until` and `for N days` count from `as_of`, the
    market's time.
    Raises `ALERT_RULE_UNREAD` with what could not be read. Worked: `notify when MSFT falls 2%
    below VWAP` is `vwap_cross` of MSFT at -2.
    """
    said = " ".join(text.replace("\u2019", "'").split()).rstrip(".!? ")
    if len(said) > TEXT_MAX:
        raise refuse("ALERT_RULE_UNREAD", field="text", reason="the text is too long")
    about = find_subject(said)
    if about is not None:
        match, wanted = about
        terms, left = _qualified(said[: match.start()] + " " + said[match.end() :], as_of)
        _require_nothing_left(left)
        _require_fit(terms)
        return AlertAsk(**{"repeat": True, **wanted, **terms})
    shape, found = _find_shape(said)
    rest = said[: found.start()] + " " + said[found.end() :]
    terms, rest = _qualified(rest, as_of)
    _require_nothing_left(rest)
    if _CLOSES.search(found[0]):
        terms["basis"] = "close"
    return _asked(shape, found, terms)


def read_until(text: str, *, as_of: datetime) -> datetime:
    """Return the end that words name: `2027-01-15 16:00 EST`, or `5 days` from `as_of`.

    Without a zone it is UTC, without a time the end of the day. Raises `ALERT_RULE_UNREAD`.
    """
    said = " ".join(text.split())
    for lead in ("until ", "for "):
        terms, rest = _with_expiry({}, lead + said.removeprefix(lead), as_of)
        if "expires_at" in terms and not rest.strip():
            return cast("datetime", terms["expires_at"])
    raise refuse("ALERT_RULE_UNREAD", field="until", reason=f"`{said[:40]}` is no time")


def _require_fit(terms: Mapping[str, object]) -> None:
    """Refuse what only a price has: a threshold or another bar; `each time` is the usual here."""
    if "threshold_pct" in terms or "timeframe" in terms:
        reason = "a plan or the risk is watched without a threshold and without daily bars"
        raise refuse("ALERT_RULE_UNREAD", field="text", reason=reason)


def _find_shape(said: str) -> tuple[str, re.Match[str]]:
    for shape, pattern in _SHAPES:
        for found in pattern.finditer(said):
            if found["symbol"].lower() not in _NO_SYMBOL:
                return shape, found
    raise refuse("ALERT_RULE_UNREAD", field="text", reason="no symbol with a condition")


def _qualified(rest: str, as_of: datetime) -> tuple[dict[str, object], str]:
    """Return the terms beside the condition, and what is left of the words."""
    terms: dict[str, object] = {}
    for pattern, name, value in (
        (_DAY, "timeframe", "day"),
        (_MINUTE, "timeframe", "minute"),
        (_REPEAT, "repeat", True),
        (_ONCE, "repeat", False),
    ):
        if pattern.search(rest):
            terms.setdefault(name, value)
            rest = pattern.sub(" ", rest)
    for pattern, sign in ((_BY, 1), (_WITHIN, -1)):
        found = pattern.search(rest)
        if found:
            terms["threshold_pct"] = sign * Decimal(found["by"])
            rest = pattern.sub(" ", rest)
    return _with_expiry(terms, rest, as_of)


def _with_expiry(
    terms: dict[str, object], rest: str, as_of: datetime
) -> tuple[dict[str, object], str]:
    until, days = _UNTIL.search(rest), _FOR.search(rest)
    if until:
        try:
            terms["expires_at"] = datetime.fromisoformat(
                f"{until['day']}T{until['time'] or '23:59'}"
            ).replace(tzinfo=UTC) - timedelta(
                hours=_OFFSETS_H.get((until["zone"] or "").upper(), 0)
            )
        except ValueError as error:
            raise refuse("ALERT_RULE_UNREAD", field="text", reason="no such date") from error
        rest = _UNTIL.sub(" ", rest)
    elif days:
        terms["expires_at"] = as_of + timedelta(days=int(days["days"]))
        rest = _FOR.sub(" ", rest)
    return terms, rest


def _require_nothing_left(rest: str) -> None:
    left = [word for word in re.findall(r"[^\s,;:.!?()]+", rest) if word.lower() not in _FILLER]
    if left:
        reason = f"I can not read `{' '.join(left)[:60]}`"
        raise refuse("ALERT_RULE_UNREAD", field="text", reason=reason)


def _asked(shape: str, found: re.Match[str], terms: dict[str, object]) -> AlertAsk:
    symbol, groups = found["symbol"].upper(), found.groupdict()
    side = _side(groups)
    match shape:
        case "vwap":
            pct = Decimal(groups["pct"]) if groups.get("pct") else None
            signed = None if pct is None else (-pct if side == "below" else pct)
            kind = AlertKind.VWAP_CROSS
            return AlertAsk(symbol=symbol, kind=kind, level=signed, side=side, **terms)  # type: ignore[arg-type]
        case "rvol":
            level = _level(found)
            return AlertAsk(symbol=symbol, kind=AlertKind.RVOL_ABOVE, level=level, **terms)  # type: ignore[arg-type]
        case "move":
            pct = Decimal(groups["pct"])
            away = -pct if side == "below" else pct
            return AlertAsk(symbol=symbol, kind=_kind(side), distance_pct=away, **terms)  # type: ignore[arg-type]
        case _:
            level = _level(found)
            return AlertAsk(symbol=symbol, kind=_kind(side), level=level, side=side, **terms)  # type: ignore[arg-type]


def _side(groups: dict[str, str | None]) -> Side | None:
    if groups.get("above"):
        return "above"
    return "below" if groups.get("below") else None


def _kind(side: Side | None) -> AlertKind | None:
    kinds = {"above": AlertKind.PRICE_ABOVE, "below": AlertKind.PRICE_BELOW}
    return kinds[side] if side else None


def _level(found: re.Match[str]) -> Decimal:
    return parse_decimal(found["level"].replace(",", ""), "level")
