"""Owns the rule model's errands about alerts: calls from the words, and what is said; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.alerts.alert import BY_SUBJECT, AlertAsk, AlertKind
from services.alerts.words import read_rule
from services.kit.clock import EPOCH
from services.kit.errors import Refusal
from services.kit.money import decimal_text

if TYPE_CHECKING:
    from agent.model.errands import Known
    from agent.model.phrases import Wish

Call = tuple[str, dict[str, Any]]
_EXAMPLES = "`alert me when AAPL goes above 420`, or `notify when MSFT falls 2% below VWAP`"
_TO = re.compile(r"\bto\s+\$?\s?(\d{1,9}(?:,\d{3})*(?:\.\d{1,8})?)\b(?!\s*%)")
_ID = re.compile(r"\b(al_[a-z0-9]{6,40})\b")
_MOST = 5
_DAYS_MAX = 999


def read_ask(wish: Wish) -> AlertAsk | str:
    """Return the alert in the words of the wish, or why there is none."""
    try:
        ask = read_rule(wish.text, as_of=EPOCH)
    except Refusal as refusal:
        return str(refusal.facts.get("reason", "I can not read it"))
    return ask


def alert(wish: Wish, known: Known) -> list[Call]:
    """Return the call that sets the alert; without a direction the quote comes first."""
    ask = read_ask(wish)
    if isinstance(ask, str) or known.done("alert_set") or not known.may("alert_set"):
        return []
    if ask.kind in BY_SUBJECT:
        return [("alert_set", _of_subject(ask))]
    symbol = wish.symbol or ask.symbol
    if ask.kind is None and known.done("quote") is None:
        return [("quote", {"symbols": [symbol]})]
    given = {
        "symbol": symbol,
        "kind": str(ask.kind or _kind(ask, known)),
        "level": None if ask.level is None else decimal_text(ask.level),
        "distance_pct": None if ask.distance_pct is None else decimal_text(ask.distance_pct),
        "timeframe": "day" if ask.timeframe == "day" else None,
        "often": "each_time" if ask.repeat else None,
        "basis": ask.basis,
        "threshold_pct": decimal_text(ask.threshold_pct) if ask.threshold_pct else None,
        "until": _until(ask),
    }
    if ask.kind is AlertKind.VWAP_CROSS:
        given["distance_pct"], given["level"] = given["level"], None
    return [("alert_set", {name: value for name, value in given.items() if value is not None})]


def _of_subject(ask: AlertAsk) -> dict[str, Any]:
    """Return the arguments of an alert on a plan or the risk."""
    given = {
        "kind": str(ask.kind),
        "plan_id": ask.plan_id or None,
        "moments": list(ask.moments) or None,
        "risk_state": ask.risk_state or None,
        "often": None if ask.repeat else "once",
        "until": _until(ask),
    }
    return {name: value for name, value in given.items() if value is not None}


def _until(ask: AlertAsk) -> str | None:
    """Return the end of an alert as the tool reads it: days from now, or a time in UTC.

    The words were read as of the epoch, so an end soon after it was said in days.
    """
    if ask.expires_at is None:
        return None
    days = (ask.expires_at - EPOCH).days
    return f"{days} days" if days <= _DAYS_MAX else f"{ask.expires_at:%Y-%m-%d %H:%M} UTC"


def _kind(ask: AlertAsk, known: Known) -> AlertKind:
    quoted = known.done("quote")
    last = Decimal(quoted.body["quotes"][0]["last"]) if quoted else Decimal(0)
    above = ask.level is not None and ask.level > last
    return AlertKind.PRICE_ABOVE if above else AlertKind.PRICE_BELOW


def change(wish: Wish, known: Known) -> list[Call]:
    """Return the call that moves the one alert that is meant to the level named."""
    level = _TO.search(wish.text)
    if level is None or known.done("alert_update") or not known.may("alert_update"):
        return []
    if known.done("alert_list") is None:
        return [("alert_list", {})]
    meant = meant_alerts(wish, known)
    if len(meant) != 1:
        return []
    arguments = {"alert_id": meant[0]["id"], "level": level[1].replace(",", "")}
    return [("alert_update", arguments)]


def drop(wish: Wish, known: Known) -> list[Call]:
    """Return the calls that delete the one alert that is meant, or all when all are."""
    if known.done("alert_delete") or not known.may("alert_delete"):
        return []
    if known.done("alert_list") is None:
        return [("alert_list", {})]
    meant = meant_alerts(wish, known)
    if len(meant) != 1 and not wish.everything:
        return []
    return [("alert_delete", {"alert_id": row["id"]}) for row in meant[:_MOST]]


def meant_alerts(wish: Wish, known: Known) -> list[Mapping[str, Any]]:
    """Return the alerts that the wish may mean: by id, by symbol, or all there are."""
    listed = known.done("alert_list")
    rows: list[Mapping[str, Any]] = list(listed.body["alerts"]) if listed else []
    named = _ID.search(wish.text)
    if named is not None:
        return [row for row in rows if row["id"] == named[1]]
    return [row for row in rows if not wish.symbols or row["symbol"] in wish.symbols]


def alert_words(wish: Wish, known: Known) -> str:
    """Return what came of setting, changing or deleting an alert."""
    told = [
        str(item.body["summary"])
        for item in known.now
        if item.ok and item.name in ("alert_set", "alert_update", "alert_delete")
    ]
    if told:
        return "\n\n".join(told)
    if not known.may("alert_set"):
        return f"I read that as a question, so no alert is set. Say it plainly: {_EXAMPLES}."
    listed = known.done("alert_list")
    if listed is not None:
        words = str(listed.body["summary"])
        return f"{words}\n\nWhich one? Say its symbol or its id, and for a change the new level."
    found = read_ask(wish)
    why = found if isinstance(found, str) else "I can not read it"
    return f"No alert is set: {why}. Say it like {_EXAMPLES}."
