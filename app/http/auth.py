"""Owns the routes of identity: login by link or password, sessions, API keys, WebSocket tickets."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from app.http.unit import CREATED, call_of, gate_of, principal_of, product_of, read, render, write
from app.http.wire import Body, Line, Name, Word, document
from services.identity.key import issue_key, list_keys, revoke_key
from services.identity.password import password_matches
from services.identity.session import list_sessions, open_session, revoke_session
from services.identity.ticket import find_ticket, issue_ticket, log_in_by_link
from services.identity.user import NOBODY, User, find_login
from services.kit.context import Context, Principal, Surface, system_principal
from services.kit.errors import refuse

router = APIRouter()
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class LoginBody(Body):
    """Name and password; `frame` asks for the partitioned session of a framed page."""

    name: Line
    password: Line
    frame: bool = False


class KeyBody(Body):
    """A new API key: what it is for, what it may do, and for how many days."""

    name: Name
    scopes: list[Word] = Field(min_length=1, max_length=4)
    days: int = Field(90, ge=1, le=365)


@router.get("/login", include_in_schema=False)
async def log_in_by_the_printed_link(request: Request, t: str = "") -> Response:
    """Use the one-time link up, set the session cookie, and go to the page."""
    product = product_of(request)
    holder = await product.runtime.in_thread(lambda: _link_holder(request, t))
    client = request.headers.get("user-agent", "")
    _, secret = await product.runtime.write_async(
        holder, lambda ctx: log_in_by_link(ctx, t, client=client), trace=call_of(request).request_id
    )
    answer = RedirectResponse("/", status_code=303)
    _set_cookie(request, answer, secret, framed=False)
    return answer


@router.post("/api/v1/auth/login")
async def log_in(request: Request, body: LoginBody) -> Response:
    """Log in by name and password (served mode); a new session id every time."""
    product = product_of(request)
    if product.settings.cornerman_mode != "served":
        raise refuse(
            "FEATURE_OFF",
            feature="login by password",
            reason="this is a local installation",
            todo="Open the printed login link.",
        )
    user = await product.runtime.in_thread(lambda: _checked_user(request, body))
    surface = Surface.FRAME if body.frame else Surface.WEB
    client = request.headers.get("user-agent", "")
    _, secret = await product.runtime.write_async(
        system_principal(user.tenant_id),
        lambda ctx: open_session(ctx, user, surface=surface, client=client),
    )
    answer = render({"user": {"id": user.id, "name": user.name}})
    _set_cookie(request, answer, secret, framed=body.frame)
    return answer


@router.get("/api/v1/auth/session")
async def show_session(request: Request) -> Response:
    """Return who is logged in, on which surface, with which scopes."""
    principal, caller = principal_of(request), call_of(request).caller
    return render(
        {
            "user": {"id": principal.user_id, "name": caller.name if caller else ""},
            "tenant": principal.tenant_id,
            "mode": product_of(request).settings.cornerman_mode,
            "surface": principal.surface,
            "scopes": sorted(principal.scopes),
            "csrf": "none",
        }
    )


@router.post("/api/v1/auth/logout")
async def log_out(request: Request) -> Response:
    """End this session at once and take its cookie back; a key stays what it is."""
    principal = principal_of(request)
    if principal.surface is Surface.API:
        raise refuse(
            "PARAM_INVALID",
            name="credential",
            value="API key",
            rule="only a session logs out; revoke a key instead",
        )

    def act(ctx: Context) -> dict[str, bool]:
        revoke_session(ctx, principal.session_id)
        return {"logged_out": True}

    answer = await write(request, act)
    gate_of(request).drop()
    answer.delete_cookie(gate_of(request).cookie_name(framed=principal.surface is Surface.FRAME))
    return answer


@router.get("/api/v1/auth/sessions")
async def show_sessions(request: Request) -> Response:
    """List the live sessions of this user."""
    return await read(request, lambda ctx: {"items": list_sessions(ctx)})


@router.delete("/api/v1/auth/sessions/{id}")
async def end_session(request: Request, id: Word) -> Response:  # noqa: A002
    """End one session of this user, on whatever device it is."""
    return await _revoked(request, id, revoke_session)


@router.post("/api/v1/auth/ws-token")
async def make_ws_ticket(request: Request) -> Response:
    """Return a ticket for one WebSocket connection within thirty seconds."""
    return await write(
        request,
        lambda ctx: {"ticket": issue_ticket(ctx, "ws"), "expires_in_s": 30},
        shown_once="ticket",
    )


@router.get("/api/v1/auth/keys")
async def show_keys(request: Request) -> Response:
    """List the API keys of this user; secrets are never shown again."""
    return await read(request, lambda ctx: {"items": list_keys(ctx)})


@router.post("/api/v1/auth/keys", status_code=CREATED)
async def make_key(request: Request, body: KeyBody) -> Response:
    """Create an API key; its text is in this answer and nowhere else."""

    def act(ctx: Context) -> dict[str, object]:
        key, text = issue_key(ctx, body.name, scopes=frozenset(body.scopes), days=body.days)
        return {"key": text, **document(key)}

    return await write(request, act, status=CREATED, shown_once="key")


@router.delete("/api/v1/auth/keys/{id}")
async def end_key(request: Request, id: Word) -> Response:  # noqa: A002
    """Revoke an API key at once."""
    return await _revoked(request, id, revoke_key)


async def _revoked(
    request: Request, subject: str, revoke: Callable[[Context, str], None]
) -> Response:
    def act(ctx: Context) -> dict[str, str]:
        revoke(ctx, subject)
        return {"revoked": subject}

    answer = await write(request, act)
    gate_of(request).drop()
    return answer


def _link_holder(request: Request, secret: str) -> Principal:
    """Return whose link it is. Raises `LOGIN_LINK_INVALID`."""
    runtime = product_of(request).runtime
    found = None
    if _SECRET.fullmatch(secret) and runtime.settings.cornerman_mode == "local":
        with runtime.database.read(None) as db:
            found = find_ticket(runtime.context(db, NOBODY), "login", secret)
    if found is None:
        raise refuse("LOGIN_LINK_INVALID")
    return found


def _checked_user(request: Request, body: LoginBody) -> User:
    """Return the user whose password it is; an unknown name takes as long.

    Raises `LOGIN_FAILED`.
    """
    runtime = product_of(request).runtime
    with runtime.database.read(None) as db:
        user = find_login(runtime.context(db, NOBODY), body.name)
    matches = password_matches(user.password_hash if user else None, body.password)
    if user is None or not matches:
        raise refuse("LOGIN_FAILED")
    return user


def _set_cookie(request: Request, answer: Response, secret: str, *, framed: bool) -> None:
    gate = gate_of(request)
    parts = [f"{gate.cookie_name(framed=framed)}={secret}", "HttpOnly", "Path=/"]
    if product_of(request).settings.cornerman_mode == "served":
        parts.append("Secure")
    parts += ["SameSite=None", "Partitioned"] if framed else ["SameSite=Strict"]
    answer.headers.append("set-cookie", "; ".join(parts))
    answer.headers["cache-control"] = "no-store"
