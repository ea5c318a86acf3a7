"""Owns what Alpaca's errors mean: a number, a sentence and an HTTP status become refusals."""

from __future__ import annotations

import json
from typing import Any

from services.kit.errors import Refusal, refuse
from services.market.decode import Given, find_at, is_page, number, text

PROVIDER = "Alpaca"
_STATUS_CODES = {
    400: "PROVIDER_BAD_REQUEST",
    401: "PROVIDER_UNAUTHORIZED",
    403: "PROVIDER_UNAUTHORIZED",
    404: "PROVIDER_NOT_FOUND",
    408: "PROVIDER_UNAVAILABLE",
    422: "PROVIDER_BAD_REQUEST",
    429: "PROVIDER_RATE_LIMITED",
}
_NUMBERED = {400: "BROKER_REJECTED", 403: "BROKER_REJECTED", 422: "BROKER_REJECTED"}
"""What an error with a number means, whose first three digits are the HTTP status: it speaks of an
order. The same status without a number speaks of keys (403) or of a question (400, 422)."""
_WORD_CODES = (
    (("not cancelable", "already in", "order is not open", "unable to replace"), "FINAL"),
    (("subscription does not permit", "not entitled", "not permitted to query"), "ENTITLED"),
    (("asset not found", "could not find asset", "invalid symbol", "symbol not found"), "SYMBOL"),
    (("connection limit",), "CONNECTION"),
    (("too many requests", "rate limit"), "LIMITED"),
)
_CODES = {
    "FINAL": "BROKER_ORDER_FINAL",
    "ENTITLED": "PROVIDER_NOT_ENTITLED",
    "SYMBOL": "SYMBOL_UNKNOWN",
    "CONNECTION": "PROVIDER_CONNECTION_LIMIT",
    "LIMITED": "PROVIDER_RATE_LIMITED",
}


def find_status_refusal(body: bytes, given: Given) -> Refusal | None:
    """Return what an HTTP status outside 200 to 299 means, or None for a good one."""
    status = given.http_status
    if 200 <= status < 300:
        return None
    if status >= 500 or (is_page(body) and status not in (401, 403, 429)):
        return build_refusal("PROVIDER_UNAVAILABLE", f"HTTP {status}", given)
    said, named = error_of(body)
    usual = "PROVIDER_UNAVAILABLE" if status < 400 else "PROVIDER_BAD_REQUEST"
    code = code_of(said, status if named else 0, _STATUS_CODES.get(status, usual))
    if status == 429:
        code = "PROVIDER_RATE_LIMITED"
    return build_refusal(code, said or f"HTTP {status}", given)


def find_body_refusal(document: Any, given: Given) -> Refusal | None:
    """Return what an error inside a 200 means, or None for an answer."""
    if not isinstance(document, dict) or "message" not in document or "id" in document:
        return None
    named = text(document.get("code")) or ""
    if number(named) is None and set(document) - {"message"}:
        return None
    status = int(named[:3]) if named[:3].isdecimal() else 0
    said = (text(document["message"]) or "")[:400]
    code = code_of(said, status, _STATUS_CODES.get(status, "PROVIDER_BAD_REQUEST"))
    return build_refusal(code, said, given)


def code_of(said: str, numbered: int, usual: str) -> str:
    """Return the code that the words or the number's status mean, or `usual`."""
    lower = said.lower()
    found = (code for marks, code in _WORD_CODES if any(mark in lower for mark in marks))
    word = next(found, None)
    return _NUMBERED.get(numbered, usual) if word is None else _CODES[word]


def error_of(body: bytes) -> tuple[str, str]:
    """Return the words and the number of an error body; empty where it has none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ("" if is_page(body) else body[:400].decode("utf-8", "replace").strip()), ""
    said = text(find_at(document, "message")) or text(find_at(document, "error")) or ""
    return said[:400], text(find_at(document, "code")) or ""


def build_refusal(code: str, reason: str, given: Given) -> Refusal:
    """Return the refusal of a code with the facts that its message may name."""
    return refuse(
        code,
        provider=PROVIDER,
        reason=reason[:200],
        what=given.symbol or reason[:80] or "this",
        kind="symbol",
        value=given.symbol,
        id="",
    )
