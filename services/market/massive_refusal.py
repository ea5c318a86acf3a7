"""Owns what Massive's errors mean: status, text and stream words become refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.kit.errors import Refusal, refuse
from services.market.decode import Given, is_page, text

PROVIDER = "Massive"
_STATUS_CODES = {
    400: "PROVIDER_BAD_REQUEST",
    401: "PROVIDER_UNAUTHORIZED",
    403: "PROVIDER_NOT_ENTITLED",
    404: "PROVIDER_NOT_FOUND",
    408: "PROVIDER_UNAVAILABLE",
    413: "PROVIDER_UNAVAILABLE",
    422: "PROVIDER_BAD_REQUEST",
    429: "PROVIDER_RATE_LIMITED",
    499: "PROVIDER_UNAVAILABLE",
}
_WORD_CODES = (
    (("unknown api key", "api key was not provided", "invalid api key"), "PROVIDER_UNAUTHORIZED"),
    (("not entitled", "not authorized", "upgrade your plan"), "PROVIDER_NOT_ENTITLED"),
    (("maximum requests", "too many requests", "rate limit"), "PROVIDER_RATE_LIMITED"),
    (("ticker not found", "unknown ticker", "ticker was not found"), "SYMBOL_UNKNOWN"),
    (("not found",), "PROVIDER_NOT_FOUND"),
)
_BODY_STATUS = {
    "NOT_AUTHORIZED": "PROVIDER_NOT_ENTITLED",
    "NOT_ENTITLED": "PROVIDER_NOT_ENTITLED",
    "NOT_FOUND": "PROVIDER_NOT_FOUND",
    "ERROR": "PROVIDER_BAD_REQUEST",
}
_GOOD_STREAM_WORDS = ("connected", "auth_success", "success")


def _refusal(code: str, reason: str, given: Given) -> Refusal:
    what = given.symbol or reason or "this"
    return refuse(
        code, provider=PROVIDER, reason=reason, what=what, kind="symbol", value=given.symbol
    )


def find_status_refusal(body: bytes, given: Given) -> Refusal | None:
    """Return what an HTTP status outside 200 to 299 means, or None for a good one."""
    status = given.http_status
    if 200 <= status < 300:
        return None
    message = _message(body)
    if status >= 500 or (is_page(body) and status not in (401, 429)):
        return _refusal("PROVIDER_UNAVAILABLE", f"HTTP {status}", given)
    code = _STATUS_CODES.get(status)
    if code is None:
        code = "PROVIDER_UNAVAILABLE" if status < 400 else "PROVIDER_BAD_REQUEST"
    if status in (400, 403, 404):
        code = _code_of_words(message) or code
    return _refusal(code, message or f"HTTP {status}", given)


def find_body_refusal(document: Any, given: Given) -> Refusal | None:
    """Return what an error inside a 200 means, or None for an answer."""
    if not isinstance(document, dict):
        return None
    code = _BODY_STATUS.get(str(document.get("status", "")).upper())
    if code is None:
        return None
    message = _message_of(document)
    return _refusal(_code_of_words(message) or code, message, given)


def find_stream_refusal(row: Mapping[str, Any], given: Given) -> Refusal | None:
    """Return what a status event of the stream refuses, or None for good news."""
    status, message = str(row.get("status", "")), text(row.get("message")) or ""
    match status:
        case "max_connections":
            return _refusal("PROVIDER_CONNECTION_LIMIT", message, given)
        case "auth_failed":
            return _refusal("PROVIDER_UNAUTHORIZED", message, given)
        case "auth_timeout":
            return _refusal("PROVIDER_UNAVAILABLE", message or "auth_timeout", given)
        case "error" | "not_authorized":
            return _refusal(_code_of_words(message) or _stream_code(status), message, given)
    return None


def _stream_code(status: str) -> str:
    return "PROVIDER_NOT_ENTITLED" if status == "not_authorized" else "PROVIDER_BAD_REQUEST"


def _code_of_words(message: str) -> str | None:
    lower = message.lower()
    found = (code for marks, code in _WORD_CODES if any(mark in lower for mark in marks))
    return next(found, None)


def _message(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "" if is_page(body) else body[:200].decode("utf-8", "replace").strip()
    return _message_of(document) if isinstance(document, dict) else ""


def _message_of(document: Mapping[str, Any]) -> str:
    return (text(document.get("message")) or text(document.get("error")) or "")[:200]
