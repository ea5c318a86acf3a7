"""Owns what Tradier's errors mean: JSON, plain text and faults become refusals."""

from __future__ import annotations

import json
import re
from typing import Any

from services.kit.errors import Refusal, refuse
from services.market.decode import Given, as_list, find_at, is_page, text

PROVIDER = "Tradier"
_PARAMETER = re.compile(r"invalid parameter,? *([a-z_]+)", re.IGNORECASE)
_MARKET_PARAMETERS = frozenset(
    {
        *("symbols", "interval", "start", "end", "session_filter", "expiration", "greeks"),
        *("strikes", "month", "year", "delayed", "includeallroots", "exchanges", "types"),
        *("indexes", "q", "linebreak", "filter"),
    }
)
_STATUS_CODES = {
    400: "BROKER_REJECTED",
    401: "PROVIDER_UNAUTHORIZED",
    403: "PROVIDER_NOT_ENTITLED",
    404: "PROVIDER_NOT_FOUND",
    408: "PROVIDER_UNAVAILABLE",
    422: "BROKER_REJECTED",
    429: "PROVIDER_RATE_LIMITED",
}
_WORD_CODES = (
    (("finalized state", "already filled", "already canceled"), "BROKER_ORDER_FINAL"),
    (("unauthorized account",), "BROKER_ACCOUNT"),
    (("access token", "invalid api call", "unauthorized"), "PROVIDER_UNAUTHORIZED"),
    (("quota violation", "too many requests", "rate limit"), "PROVIDER_RATE_LIMITED"),
    (("datastore error", "gateway", "unavailable", "timeout"), "PROVIDER_UNAVAILABLE"),
    (("valid symbol", "symbol not found", "unknown symbol"), "SYMBOL_UNKNOWN"),
    (("too many sessions", "session limit"), "PROVIDER_CONNECTION_LIMIT"),
    (("session",), "PROVIDER_UNAUTHORIZED"),
)
_STREAM_NAME = re.compile(r"^(\S{1,40}) is not a valid symbol", re.ASCII)


def build_refusal(code: str, reason: str, given: Given) -> Refusal:
    """Return the refusal of a code with the facts that its message may name."""
    named = _STREAM_NAME.match(reason)
    value = named[1] if named else given.symbol
    return refuse(
        code,
        provider=PROVIDER,
        reason=reason[:200],
        what=given.symbol or reason[:80] or "this",
        kind="symbol",
        value=value,
        id="",
    )


def find_status_refusal(body: bytes, given: Given) -> Refusal | None:
    """Return what an HTTP status outside 200 to 299 means, or None for a good one."""
    status = given.http_status
    if 200 <= status < 300:
        return None
    reason = _reason(body)
    if status >= 500 or (is_page(body) and status not in (401, 429)):
        return build_refusal("PROVIDER_UNAVAILABLE", f"HTTP {status}", given)
    usual = "PROVIDER_UNAVAILABLE" if status < 400 else "PROVIDER_BAD_REQUEST"
    code = code_of_words(reason, _STATUS_CODES.get(status, usual))
    if status == 429:
        code = "PROVIDER_RATE_LIMITED"
    return build_refusal(code, reason or f"HTTP {status}", given)


def find_body_refusal(document: Any, given: Given) -> Refusal | None:
    """Return what an error inside a 200 means, or None for an answer."""
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("fault"), dict):
        reason = _reason_of(document)
        return build_refusal(code_of_words(reason, "PROVIDER_UNAVAILABLE"), reason, given)
    if text(document.get("error")) is not None:
        reason = _reason_of(document)
        usual = "PROVIDER_BAD_REQUEST" if given.feed else "BROKER_REJECTED"
        return build_refusal(code_of_words(reason, usual), reason, given)
    if as_list(find_at(document, "errors")) or as_list(find_at(document, "order.errors")):
        reason = _reason_of(document)
        return build_refusal(code_of_words(reason, "BROKER_REJECTED"), reason, given)
    return None


def code_of_words(reason: str, usual: str) -> str:
    """Return the code that the words of an error mean, or `usual`."""
    parameter = _PARAMETER.search(reason)
    if parameter is not None:
        about_market = parameter[1].lower() in _MARKET_PARAMETERS
        return "PROVIDER_BAD_REQUEST" if about_market else "BROKER_REJECTED"
    lower = reason.lower()
    found = (code for marks, code in _WORD_CODES if any(mark in lower for mark in marks))
    return next(found, usual)


def _reason(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "" if is_page(body) else body[:400].decode("utf-8", "replace").strip()
    return _reason_of(document) if isinstance(document, dict) else str(document)[:400]


def _reason_of(document: dict[str, Any]) -> str:
    places = ("fault.faultstring", "errors.error", "errors", "order.errors.error", "order.errors")
    for place in (*places, "error", "message"):
        found = [item for item in as_list(find_at(document, place)) if isinstance(item, str)]
        if found:
            return "; ".join(found)[:400]
    return ""
