"""Owns what every route does alike: find the caller, open the unit of work, render the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from fastapi import Request
from starlette.responses import Response

from app.http.gate import Gate
from app.http.guard import Call
from app.http.wire import document, dump
from app.wiring import Product
from services.kit.context import Context, Principal
from services.kit.errors import check, refuse
from services.kit.idempotency import once
from services.kit.redact import holds_token

T = TypeVar("T")
NO_STORE = {"Cache-Control": "no-store"}
OK, CREATED, ACCEPTED = 200, 201, 202


def product_of(request: Request) -> Product:
    """Return the product that this server serves."""
    return cast("Product", request.app.state.product)


def gate_of(request: Request) -> Gate:
    """Return the gate, to drop its look-ups after a revocation."""
    return cast("Gate", request.app.state.gate)


def call_of(request: Request) -> Call:
    """Return what the guard found out about this request."""
    return cast("Call", request.scope["call"])


def principal_of(request: Request) -> Principal:
    """Return who calls; a route of the table with a scope always has a caller."""
    caller = call_of(request).caller
    check(caller is not None, "a guarded route has a caller", path=request.url.path)
    return caller.principal  # type: ignore[union-attr]


async def read(request: Request, act: Callable[[Context], object], *, status: int = OK) -> Response:
    """Run `act` in a reading transaction and render what it returns."""
    return render(await fetch(request, act), status=status)


async def fetch(request: Request, act: Callable[[Context], T]) -> T:
    """Run `act` in a reading transaction and return its result."""
    return await product_of(request).runtime.read_async(
        principal_of(request), act, trace=call_of(request).request_id
    )


async def write(
    request: Request,
    act: Callable[[Context], object],
    *,
    status: int = OK,
    shown_once: str | None = None,
) -> Response:
    """Run `act` in a writing transaction, once per Idempotency-Key, and render what it returns.

    A repeat gets the stored answer with `Idempotency-Replayed: true`. A refusal rolls everything
    back and is judged anew when repeated. The field `shown_once` is a secret: it is in the first
    answer only and never stored, so a repeat has null there.
    """
    call = call_of(request)
    route = f"{call.access.method} {call.access.path}" if call.access else ""
    asked = {"path": dict(request.path_params), "body": call.document}

    def unit(ctx: Context) -> tuple[int, Any, bool]:
        if not call.idempotency_key:
            return status, act(ctx), False
        secret: dict[str, Any] = {}

        def effect() -> tuple[int, Any]:
            made = document(act(ctx))
            if shown_once is not None:
                secret[shown_once] = made[shown_once]
                made[shown_once] = None
            return status, made

        done = once(ctx, route, call.idempotency_key, asked, effect)
        return done.status, {**done.body, **secret} if secret else done.body, done.replayed

    code, body, replayed = await product_of(request).runtime.write_async(
        principal_of(request), unit, trace=call.request_id
    )
    return render(body, status=code, headers={"Idempotency-Replayed": "true"} if replayed else None)


def render(
    value: object,
    *,
    status: int = OK,
    headers: dict[str, str] | None = None,
    token_expected: bool = False,
) -> Response:
    """Return the JSON response of `value`.

    Fails closed with `EGRESS_TOKEN` when a confirmation token is in it and none is expected.
    """
    body = dump(value)
    if b"ct_" in body and not token_expected and holds_token(body.decode()):
        raise refuse("EGRESS_TOKEN")
    return Response(body, status, {**NO_STORE, **(headers or {})}, media_type="application/json")
