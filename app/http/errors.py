"""Owns the answer to a "no": refusal kind to status, and the RFC 9457 problem document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.http.wire import dump
from services.kit.errors import Kind, Refusal, refuse
from services.kit.redact import Redactor

STATUS = {
    Kind.INPUT: 422,
    Kind.STATE: 409,
    Kind.DATA: 503,
    Kind.RISK: 403,
    Kind.INTERNAL: 500,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.LIMITED: 429,
}
STATUS_OF_CODE = {
    "CONTENT_TYPE": 415,
    "BODY_TOO_LARGE": 413,
    "METHOD_NOT_ALLOWED": 405,
    "IDEMPOTENCY_KEY_MISSING": 428,
    "HOST_REFUSED": 421,
}
"""Codes of the transport that HTTP has its own status for."""
PROBLEM = "application/problem+json"
_REDACTOR = Redactor()
_FIELD_MAX, _REASON_MAX = 120, 200
INTERNAL = refuse("INTERNAL_ERROR")


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal."""
    return STATUS_OF_CODE.get(refusal.code, STATUS[refusal.kind])


def problem(refusal: Refusal, request_id: str) -> Response:
    """Return the problem document; nothing of the inside, secrets redacted.

    `Retry-After` is set when the refusal says when a repeat makes sense, `Allow` on a 405.
    """
    status = status_of(refusal)
    document = _REDACTOR.document(
        {
            "type": f"urn:cornerman:refusal:{refusal.code}",
            "title": refusal.code,
            "status": status,
            "detail": refusal.message,
            "code": refusal.code,
            "message": refusal.message,
            "hint": refusal.hint,
            "facts": _plain_facts(refusal),
            "retryable": refusal.retryable,
            "request_id": request_id,
        }
    )
    if refusal.field is not None:
        document["field"] = refusal.field[:_FIELD_MAX]
    headers = {"Cache-Control": "no-store"}
    wait_s = refusal.facts.get("retry_after_s")
    if isinstance(wait_s, int):
        headers["Retry-After"] = str(wait_s)
    if refusal.code == "METHOD_NOT_ALLOWED":
        headers["Allow"] = str(refusal.facts.get("allow", ""))
    if status == STATUS[Kind.UNAUTHENTICATED]:
        headers["WWW-Authenticate"] = 'Bearer realm="cornerman"'
    return Response(dump(document), status, headers, media_type=PROBLEM)


def validation_refusal(errors: Sequence[Any]) -> Refusal:
    """Return one refusal for the first fault that validation found; the input is not repeated."""
    first = errors[0]
    where, *path = [str(part) for part in first["loc"]] or ["body"]
    field = ".".join(path)[:_FIELD_MAX] or where
    reason = str(first["msg"])[:_REASON_MAX]
    if where == "body":
        return refuse("BODY_INVALID", field=field, reason=f"{field}: {reason}")
    return refuse("PARAM_INVALID", field=field, name=field, value="(not shown)", rule=reason)


async def on_refusal(request: Request, error: Exception) -> Response:
    """Answer a refusal that a service or a route raised."""
    if not isinstance(error, Refusal):
        raise TypeError(type(error).__name__)
    return problem(error, request.scope.get("request_id", ""))


async def on_validation(request: Request, error: Exception) -> Response:
    """Answer a request that does not fit its route's types."""
    if not isinstance(error, RequestValidationError):
        raise TypeError(type(error).__name__)
    return problem(validation_refusal(error.errors()), request.scope.get("request_id", ""))


async def on_http(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refused, such as a file that is not there."""
    if not isinstance(error, HTTPException):
        raise TypeError(type(error).__name__)
    path = request.scope.get("path", "")[:_FIELD_MAX]
    refusal = (
        refuse("METHOD_NOT_ALLOWED", method=request.method, path=path)
        if error.status_code == STATUS_OF_CODE["METHOD_NOT_ALLOWED"]
        else refuse("NOT_FOUND", path=path)
        if error.status_code == STATUS[Kind.MISSING]
        else refuse("BODY_INVALID", reason="the request can not be read")
    )
    return problem(refusal, request.scope.get("request_id", ""))


async def on_defect(request: Request, _error: Exception) -> Response:
    """Answer a defect with the request id only; the guard logs it with its traceback."""
    return problem(INTERNAL, request.scope.get("request_id", ""))


def _plain_facts(refusal: Refusal) -> dict[str, Any]:
    return {} if refusal.kind is Kind.INTERNAL else dict(refusal.facts)
