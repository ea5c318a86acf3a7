"""Owns `/ws`: the handshake, the first message, what a client may ask, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter
from pydantic import Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket

from app.http import ws_frames as frames
from app.http.body import parse_json
from app.http.desk_frames import failed
from app.http.errors import problem, status_of
from app.http.hub import EXPIRED, GOING, Hub
from app.http.limits import Limits
from app.http.room import Room
from app.http.wire import Body
from app.http.ws_client import Client, Key, Line
from app.http.ws_door import Door, Knock
from app.http.ws_frames import Channel, encode
from app.telemetry import stopwatch
from app.wiring import Product
from services.kit.context import Principal
from services.kit.errors import Refusal, refuse
from services.market.instrument import require_symbol

router = APIRouter()
SYMBOLS_MAX = 200
"""Symbols that one client may follow."""
AUTH_S = 10.0
"""How long a new connection may take to show its ticket."""
WAITING_MAX = 100
"""Connections of this process that have not shown a ticket yet."""
LINE = "cornerman.line"
FLOOD, TOO_MANY, NOT_TEXT, SWITCHED = 1008, 4429, 1003, 101
Ticket = Annotated[str, Field(min_length=1, max_length=64)]


class Auth(Body):
    """The first message: a ticket."""

    type: Literal["auth"]
    ticket: Ticket


class Subscribe(Body):
    """Follow more, or less: channels, and the symbols of `price` and `trades`."""

    type: Literal["subscribe", "unsubscribe"]
    channels: list[Channel] = Field(min_length=1, max_length=len(frames.CHANNELS))
    symbols: list[str] = Field(default_factory=list, max_length=SYMBOLS_MAX)


class Ping(Body):
    """A sign of life; answered by `pong`."""

    type: Literal["ping"]


_REQUESTS: TypeAdapter[Auth | Subscribe | Ping] = TypeAdapter(
    Annotated[Auth | Subscribe | Ping, Field(discriminator="type")]
)


class Sockets:
    """What every connection shares: the hub, the door and the limit of messages."""

    def __init__(self, product: Product, hub: Hub, door: Door) -> None:
        self.product, self.hub, self.door = product, hub, door
        self.limits = Limits(product.settings, product.clock.monotonic)
        self._count = 0

    def require_place(self, principal: Principal) -> None:
        """Refuse one connection too many, or too many in a minute.

        Raises `STREAM_LIMIT` and `RATE_LIMITED`.
        """
        self.hub.require_place(principal)
        self.limits.take("stream", principal.user_id)

    def number(self) -> str:
        """Return a name for one connection, for its limit."""
        self._count += 1
        return str(self._count)


@router.websocket("/ws")
async def open_socket(socket: WebSocket) -> None:
    """Judge the handshake, authenticate, then serve until either side ends."""
    shared = cast("Sockets", socket.app.state.sockets)
    started, status = stopwatch(), SWITCHED
    user = ""
    try:
        knock = _require_place(shared, socket)
        principal = await _known(shared, knock)
        if principal is not None:
            shared.require_place(principal)
        await socket.accept(knock.subprotocol)
        client = await _admitted(shared, socket, knock, principal)
        if client is not None:
            user = client.principal.user_id
            await _served(shared, socket, client)
    except Refusal as refusal:
        status = status_of(refusal)
        await socket.send_denial_response(problem(refusal, ""))
    finally:
        shared.product.access_log(
            shared.product.clock.now(),
            method="WS",
            route="/ws",
            status=status,
            duration_ms=round((stopwatch() - started) * 1000, 2),
            request_id="",
            user=user,
        )


def _require_place(shared: Sockets, socket: WebSocket) -> Knock:
    if shared.hub.closed or shared.hub.waiting >= WAITING_MAX:
        raise refuse("STREAM_LIMIT", limit=WAITING_MAX, retry_after_s=2)
    return shared.door.require_welcome(socket.scope)


async def _known(shared: Sockets, knock: Knock) -> Principal | None:
    """Return who knocks, when the handshake itself carries a credential that is good."""
    if knock.ticket:
        return await shared.door.redeem(knock.ticket)
    if knock.api_key:
        return await shared.door.find_by_key(knock.api_key)
    return None


async def _admitted(
    shared: Sockets, socket: WebSocket, knock: Knock, principal: Principal | None
) -> Client | None:
    """Return the client of an accepted connection, or close it and return None."""
    line = cast("Line", socket.scope["state"][LINE])
    if principal is None and not (knock.ticket or knock.api_key):
        shared.hub.waiting += 1
        try:
            principal = await _first_message(shared, socket)
        finally:
            shared.hub.waiting -= 1
    if shared.hub.closed:
        line.end(GOING, "the server ends; connect again")
        return None
    if principal is None:
        line.end(EXPIRED, "a fresh ticket is needed")
        return None
    try:
        if not (knock.ticket or knock.api_key):
            shared.require_place(principal)
        shared.hub.require_place(principal)
    except Refusal as refusal:
        line.end(TOO_MANY, refusal.message)
        return None
    return Client(line, principal)


async def _first_message(shared: Sockets, socket: WebSocket) -> Principal | None:
    try:
        async with asyncio.timeout(AUTH_S):
            message = await socket.receive()
    except TimeoutError:
        return None
    if message["type"] != "websocket.receive" or message.get("text") is None:
        return None
    try:
        asked = _parsed(message["text"])
    except Refusal:
        return None
    return await shared.door.redeem(asked.ticket) if isinstance(asked, Auth) else None


async def _served(shared: Sockets, socket: WebSocket, client: Client) -> None:
    """Answer a client's messages until it goes; what it follows comes to it by the hub."""
    settings, number = shared.product.settings, shared.number()
    room = shared.hub.join(client)
    loop = asyncio.get_running_loop()
    try:
        client.said_at = loop.time()
        welcome = frames.Welcome(
            channels=frames.CHANNELS,
            symbols_max=SYMBOLS_MAX,
            payload_bytes_max=settings.ws_max_payload_bytes,
            heartbeat_ms=settings.ws_heartbeat_interval_ms,
            idle_close_ms=settings.ws_idle_close_ms,
        )
        client.send(encode(welcome))
        while (message := await socket.receive())["type"] == "websocket.receive":
            client.said_at = loop.time()
            try:
                shared.limits.take("ws", number)
            except Refusal as refusal:
                client.end(FLOOD, refusal.message)
                continue
            if message.get("text") is None:
                client.end(NOT_TEXT, "text messages only")
                continue
            _answer(shared, room, client, message["text"])
    finally:
        shared.hub.leave(client)


def _answer(shared: Sockets, room: Room, client: Client, text: str) -> None:
    """Do what one message asks; a refused one changes nothing and gets an `error` frame."""
    try:
        asked = _parsed(text)
        match asked:
            case Ping():
                client.send(encode(frames.Pong(at=shared.product.clock.now())))
            case Subscribe():
                _subscribe(shared, room, client, asked)
            case Auth():
                raise refuse("PARAM_INVALID", name="type", value="auth", rule="was done already")
    except Refusal as refusal:
        client.send(encode(failed(refusal)))


def _subscribe(shared: Sockets, room: Room, client: Client, asked: Subscribe) -> None:
    symbols = sorted({require_symbol(one) for one in asked.symbols})
    adding = asked.type == "subscribe"
    if adding and len(client.followed | set(symbols)) > SYMBOLS_MAX:
        raise refuse(
            "PARAM_INVALID", name="symbols", value=len(symbols), rule=f"at most {SYMBOLS_MAX}"
        )
    known: list[tuple[Key, bytes]] = []
    if adding:
        known = room.subscribe(client, asked.channels, symbols)
    else:
        room.unsubscribe(client, asked.channels, symbols)
    said = frames.Subscribed(
        channels=tuple(sorted(client.channels)), symbols=tuple(sorted(client.followed))
    )
    client.send(encode(said))
    client.offer(known)
    if adding:
        shared.hub.wake(room)


def _parsed(text: str) -> Auth | Subscribe | Ping:
    """Return one message. Raises `BODY_INVALID` and `PARAM_INVALID`."""
    document: Any = parse_json(text.encode("utf-8", "replace"))
    try:
        return _REQUESTS.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80] or "message"
        raise refuse(
            "PARAM_INVALID", field=where, name=where, value="(not shown)", rule=first["msg"][:200]
        ) from None
