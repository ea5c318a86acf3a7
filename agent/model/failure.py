"""Owns how an endpoint's refusal becomes ours, and whether and when another attempt is worth it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from agent.model.assembler import ERROR_FRAME
from agent.model.chunk import NotACompletion, WireError, decode_body, load_document, wire_error
from agent.model.port import AssistantStep
from agent.model.reader import Form
from services.kit.errors import Refusal, refuse

_RETRYABLE = (408, 409, 429)
_OVERLOAD_WORDS = (
    "overloaded",
    "rate_limit",
    "rate limit",
    "too many requests",
    "unavailable",
    "capacity",
    "server_error",
    "internal_error",
    "timeout",
)


class StepFailure(Exception):
    """One attempt failed: our refusal, and whether the same request may be sent again."""

    def __init__(
        self, refusal: Refusal, *, retryable: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.retryable = retryable
        self.retry_after_s = retry_after_s


def is_retryable_status(status: int) -> bool:
    """True for 408, 409, 429 and every 5xx."""
    return status in _RETRYABLE or 500 <= status <= 599


def error_refusal(status: int, body: bytes, *, retry_after_s: float | None = None) -> Refusal:
    """Return the refusal for an answer with an error status, or an error object in a 200.

    401, 402 and 403 are `MODEL_UNAUTHORIZED`, 404 and 410 `MODEL_NOT_FOUND`, 429
    `MODEL_RATE_LIMITED`, 5xx, 408 and 409 `MODEL_UNAVAILABLE`, every other status
    `MODEL_BAD_REQUEST`; a tool call that the endpoint itself refused is
    `MODEL_TOOL_CALL_INVALID` whatever the status.
    """
    error, tool_call = read_error(body)
    status = status if status >= 400 else error.status or status
    return refuse(
        _code_of(status, tool_call=tool_call),
        reason=error.message,
        what=error.message,
        status=status,
        wire_code=error.code,
        retry_after_s="a few" if retry_after_s is None else round(retry_after_s),
    )


_CODES = {
    401: "MODEL_UNAUTHORIZED",
    402: "MODEL_UNAUTHORIZED",
    403: "MODEL_UNAUTHORIZED",
    404: "MODEL_NOT_FOUND",
    410: "MODEL_NOT_FOUND",
    429: "MODEL_RATE_LIMITED",
}


def _code_of(status: int, *, tool_call: bool) -> str:
    if status < 400:
        return "MODEL_BODY_INVALID"
    if tool_call and status < 500:
        return "MODEL_TOOL_CALL_INVALID"
    known = _CODES.get(status)
    if known is not None:
        return known
    return "MODEL_UNAVAILABLE" if is_retryable_status(status) else "MODEL_BAD_REQUEST"


def read_error(body: bytes) -> tuple[WireError, bool]:
    """Return the error of a body in any usual form, and whether it refuses a tool call."""
    found = _error_object(body)
    error = wire_error(found)
    if error.code == "tool_use_failed":
        return error, True
    has_generation = isinstance(found, Mapping) and "failed_generation" in found
    return error, has_generation and "tool" in error.message.lower()


def error_param(body: bytes) -> str:
    """Return the `param` of an error body, empty when there is none."""
    found = _error_object(body)
    param = found.get("param") if isinstance(found, Mapping) else None
    return param if isinstance(param, str) else ""


def _error_object(body: bytes) -> Any:
    try:
        document = load_document(body)
    except NotACompletion:
        text = body[:500].decode("utf-8", "replace").strip()
        return "a page came instead of an answer" if text.startswith("<") else text
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, Mapping):
        return str(document)
    for name in ("error", "detail", "errors"):
        if document.get(name):
            found = document[name]
            return found if isinstance(found, (Mapping, str)) else str(found)
    return document


def require_reply(body: bytes, *, status: int = 200) -> bytes:
    """Return `body` when it is a whole completion that did not stream.

    Raises `MODEL_BODY_INVALID`, or the refusal of the status or of the error object in it.
    """
    if status >= 400:
        raise error_refusal(status, body)
    try:
        chunk = decode_body(body.strip())
    except NotACompletion as broken:
        raise refuse("MODEL_BODY_INVALID", reason=str(broken)) from broken
    if chunk.error is not None:
        raise error_refusal(status, body)
    return body


def require_complete(step: AssistantStep) -> AssistantStep:
    """Return the step when it is complete. Raises `MODEL_STREAM_FAULT`."""
    if not step.complete:
        fault = step.faults[0] if step.faults else ""
        raise refuse("MODEL_STREAM_FAULT", reason=step.reason, fault=fault)
    return step


def step_failure(
    step: AssistantStep, form: Form, *, status: int | None, chunks_seen: int
) -> StepFailure:
    """Return the failure of a step that did not complete.

    A stream that was cut, and an error frame that tells of overload, may be asked again; a
    body that is no completion may not.
    """
    if form is Form.PAGE or (form is Form.BODY and not chunks_seen):
        return StepFailure(refuse("MODEL_BODY_INVALID", reason=step.reason))
    refusal = refuse("MODEL_STREAM_FAULT", reason=step.reason, fault=step.faults[0])
    if ERROR_FRAME not in step.faults:
        return StepFailure(refusal, retryable=True)
    if status is not None:
        return StepFailure(refusal, retryable=is_retryable_status(status))
    words = step.reason.lower()
    return StepFailure(refusal, retryable=any(word in words for word in _OVERLOAD_WORDS))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that the answer asks to wait: milliseconds, seconds or a date; else None.

    Worked: `retry-after-ms: 1500` is 1.5; `retry-after: 2` is 2.0; a date in the past is 0.0.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if not text:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            seconds = _seconds_until(text, now)
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def _seconds_until(text: str, now: datetime) -> float:
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return -1.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return max(0.0, (then - now).total_seconds())
