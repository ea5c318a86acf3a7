"""Owns the one ASGI layer before the routes: it judges, logs and counts every request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.access import Access, find_access, methods_at
from app.http.body import parse_json, require_plain
from app.http.errors import INTERNAL, problem
from app.http.gate import Caller, Gate
from app.http.limits import Limits
from app.http.origin import Origins
from app.telemetry import REQUEST_ID, stopwatch
from app.wiring import Product
from services.kit.context import Surface
from services.kit.errors import Refusal, refuse

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_WANTED = frozenset(
    (
        b"host",
        b"origin",
        b"cookie",
        b"authorization",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"idempotency-key",
        b"x-request-id",
        b"sec-fetch-site",
        b"x-forwarded-for",
        b"transfer-encoding",
    )
)
_PATH_MAX, _QUERY_MAX, _HEADERS_MAX = 512, 2048, 32_768
_VERSIONS = ("1.0", "1.1")
_CLIENT_GONE = 499
_FOREIGN_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
_log = structlog.get_logger()


@dataclass(slots=True)
class Call:
    """What the guard found out about one request; routes read it from `scope["call"]`."""

    request_id: str
    headers: Mapping[bytes, str]
    access: Access | None = None
    caller: Caller | None = None
    address: str = ""
    idempotency_key: str = ""
    document: Any = None


class Guard:
    """Pure ASGI: no request reaches a route without a row of the access table that allows it."""

    def __init__(self, app: ASGIApp, product: Product, gate: Gate) -> None:
        self._app = app
        self._product = product
        self._gate = gate
        self._origins = Origins(product.settings)
        self._limits = Limits(product.settings, product.clock.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge, pass on, log and count one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = stopwatch()
        call = self._opened(scope)
        if scope["method"] == "OPTIONS" and self._origins.is_foreign(
            call.headers.get(b"origin", "")
        ):
            await self._preflight(scope, receive, send)
            return
        answer = _Answer(send, self._answer_headers(scope, call))
        try:
            inner = await self._judged(scope, receive, call)
            await self._app(scope, inner, answer)
        except Refusal as refusal:
            await problem(refusal, call.request_id)(scope, receive, answer)
        except Exception:  # noqa: BLE001 - the door; see architecture 4
            _log.exception("http.failed", request_id=call.request_id, route=_route(call))
            if not answer.started:
                await problem(INTERNAL, call.request_id)(scope, receive, answer)
        finally:
            self._closed(scope, call, answer.status, stopwatch() - started)

    async def _preflight(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the preflight of an allow-listed origin; keys only, never our cookie."""
        allowed = ", ".join(methods_at(scope["path"]))
        await Response(
            status_code=204,
            headers={
                "access-control-allow-origin": scope["call"].headers[b"origin"],
                "access-control-allow-methods": allowed,
                "access-control-max-age": "600",
                "access-control-allow-headers": _FOREIGN_HEADERS,
                "vary": "Origin",
            },
        )(scope, receive, send)

    def _opened(self, scope: Scope) -> Call:
        headers = {
            name: value.decode("latin-1") for name, value in scope["headers"] if name in _WANTED
        }
        given = headers.get(b"x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else self._product.ids.new("req")
        call = Call(request_id, headers)
        scope["request_id"], scope["call"] = request_id, call
        REQUEST_ID.set(request_id)
        return call

    async def _judged(self, scope: Scope, receive: Receive, call: Call) -> Receive:
        method, path = scope["method"], scope["path"]
        self._require_readable(scope)
        found = find_access(method, path)
        if found is None or "anyhost" not in found.access.flags:
            self._origins.require_host(call.headers.get(b"host", ""))
        if found is None:
            raise _absent(method, path)
        call.access = access = found.access
        call.address = self._address(scope, call.headers)
        if found.bad_param:
            raise refuse(
                "PARAM_INVALID",
                field=found.bad_param,
                name=found.bad_param,
                value="(not shown)",
                rule="not a valid identifier",
            )
        await self._require_allowed(call, access)
        user = call.caller.principal.user_id if call.caller else call.address
        self._limits.take(access.group, user)
        if not access.mutates:
            return receive
        self._require_key(call, access)
        return await self._read_body(receive, call)

    async def _require_allowed(self, call: Call, access: Access) -> None:
        """Authenticate, then compare scope, surface and origin with the row."""
        kind, credential = self._credential(call.headers)
        if access.scope == "public" or self._is_open(access):
            if access.mutates:
                self._origins.require_origin(call.headers, cookie=True)
            return
        caller = await self._gate.find_caller(kind, credential) if credential else None
        if caller is None:
            self._limits.take("read", call.address)
            raise refuse("UNAUTHENTICATED")
        call.caller = caller
        if access.mutates:
            self._origins.require_origin(call.headers, cookie=kind == "session")
        elif kind == "session":
            self._origins.require_own_fetch(call.headers, exactly="own" in access.flags)
        principal = caller.principal
        if access.scope != "any" and access.scope not in principal.scopes:
            raise refuse("SCOPE_MISSING", scope=access.scope)
        if principal.surface is Surface.FRAME and "top" in access.flags:
            raise refuse("CONFIRM_FRAMED")

    def _credential(self, headers: Mapping[bytes, str]) -> tuple[str, str]:
        authorization = headers.get(b"authorization", "")
        if authorization:
            kind, _, key = authorization.partition(" ")
            return "key", key.strip() if kind.lower() == "bearer" else ""
        cookies = read_cookies(headers.get(b"cookie", ""))
        framed = cookies.get(self._gate.cookie_name(framed=True), "")
        return "session", cookies.get(self._gate.cookie_name(), "") or framed

    def _is_open(self, access: Access) -> bool:
        return "local" in access.flags and self._product.settings.cornerman_mode == "local"

    def _require_readable(self, scope: Scope) -> None:
        if scope["http_version"] not in _VERSIONS:
            raise refuse("PARAM_INVALID", name="version", value="(not shown)", rule="HTTP/1.1")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > _HEADERS_MAX:
            raise refuse("PARAM_INVALID", name="headers", value="(not shown)", rule="too long")
        if len(scope["path"]) > _PATH_MAX or len(scope["query_string"]) > _QUERY_MAX:
            raise refuse("PARAM_INVALID", name="path", value="(not shown)", rule="too long")
        require_plain(scope["path"], "path")
        query = scope["query_string"]
        if b"%" in query:
            lowered = query.lower()
            if b"%0" in lowered or b"%1" in lowered or b"%7f" in lowered:
                raise refuse(
                    "PARAM_INVALID", name="query", value="(not shown)", rule="no control characters"
                )

    def _require_key(self, call: Call, access: Access) -> None:
        key = call.headers.get(b"idempotency-key", "")
        if not key and "money" in access.flags:
            raise refuse("IDEMPOTENCY_KEY_MISSING", field="Idempotency-Key")
        if key and not _KEY.fullmatch(key):
            raise refuse("IDEMPOTENCY_KEY_INVALID", field="Idempotency-Key")
        call.idempotency_key = key

    async def _read_body(self, receive: Receive, call: Call) -> Receive:
        """Read the whole bounded body, parse it strictly, and hand it on to the route."""
        limit = self._product.settings.request_body_limit
        length = call.headers.get(b"content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise refuse("BODY_INVALID", reason="Content-Length is not a number")
        if b"transfer-encoding" in call.headers and b"content-length" in call.headers:
            raise refuse("BODY_INVALID", reason="the body has two lengths")
        if len(length) > len(str(limit)) or int(length) > limit:
            raise refuse("BODY_TOO_LARGE", limit=limit)
        content_type = call.headers.get(b"content-type", "")
        body = await _whole(receive, limit)
        if (body or content_type) and not _is_json(content_type):
            raise refuse("CONTENT_TYPE", got=content_type.split(";")[0][:80] or "nothing")
        if call.headers.get(b"content-encoding", "identity") != "identity":
            raise refuse("CONTENT_TYPE", got="an encoded body")
        call.document = parse_json(body) if body else None
        message: Message = {"type": "http.request", "body": body, "more_body": False}
        waiting = [message]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        return replay

    def _address(self, scope: Scope, headers: Mapping[bytes, str]) -> str:
        forwarded = headers.get(b"x-forwarded-for", "")
        if self._product.settings.trust_proxy and forwarded:
            return forwarded.rsplit(",", 1)[-1].strip()[:64]
        client = cast("tuple[str, int] | None", scope.get("client"))
        return client[0] if client else "unknown"

    def _answer_headers(self, scope: Scope, call: Call) -> list[tuple[bytes, bytes]]:
        fixed = self._origins.fixed_headers(scope["path"])
        extra = [(b"x-request-id", call.request_id.encode())]
        origin = call.headers.get(b"origin", "")
        if origin and self._origins.is_foreign(origin):
            extra += [(b"access-control-allow-origin", origin.encode()), (b"vary", b"Origin")]
        return fixed + extra

    def _closed(self, scope: Scope, call: Call, status: int, seconds: float) -> None:
        method = scope["method"] if call.access else "OTHER"
        self._product.metrics.observe(method, _route(call), status, seconds)
        self._product.access_log(
            self._product.clock.now(),
            method=scope["method"][:10],
            route=_route(call),
            status=status,
            duration_ms=round(seconds * 1000, 2),
            request_id=call.request_id,
            user=call.caller.principal.user_id if call.caller else "",
        )


class _Answer:
    """Adds our headers to the first message and remembers the status."""

    __slots__ = ("_headers", "_send", "started", "status")

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.started = False
        self.status = _CLIENT_GONE

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            message = {**message, "headers": [*message["headers"], *self._headers]}
        await self._send(message)


def read_cookies(header: str) -> dict[str, str]:
    """Return the cookies of a Cookie header; a malformed one counts as none."""
    if not header:
        return {}
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


async def _whole(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise refuse("BODY_INVALID", reason="the body broke off")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise refuse("BODY_TOO_LARGE", limit=limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _is_json(content_type: str) -> bool:
    kind, _, rest = content_type.partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    return kind.strip().lower() == "application/json" and charset in ("", "utf-8", "utf8")


def _absent(method: str, path: str) -> Refusal:
    allowed = methods_at(path)
    if allowed:
        return refuse("METHOD_NOT_ALLOWED", method=method[:10], path=path, allow=", ".join(allowed))
    return refuse("NOT_FOUND", path=path)


def _route(call: Call) -> str:
    return call.access.path if call.access else "(none)"
