"""Owns the live hub: one room a tenant, one look at the desk for all its readers, one beat."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import structlog

from agent.log import Cursor, desk_stream
from app.http.desk_frames import Seen, look, risk
from app.http.room import Room
from app.http.room_desk import Waiting
from app.http.room_market import Told
from app.http.ws_client import Client
from app.http.ws_frames import Channel, Heartbeat, Resynced, encode
from app.wiring import Product
from services.identity.standing import standing
from services.kit.context import Principal, system_principal
from services.kit.errors import refuse

LOOK_S = 1.0
"""A room looks at its desk by itself this often; a lost wake-up costs time, never an event."""
RECHECK_S = 60.0
"""How often it is asked whether the logins behind the open connections still stand."""
_REST_S = 0.5
_FOREIGN_MAX = 64
GOING, EXPIRED, IDLE = 1001, 4401, 4408
"""Close codes: the server ends, the login ended, nothing was heard for too long."""
_log = structlog.get_logger()


class Hub:
    """Every open `/ws` connection of this process."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._rooms: dict[str, Room] = {}
        self._duties: dict[str, list[asyncio.Task[None]]] = {}
        self._users: Counter[str] = Counter()
        self.asked = asyncio.Event()
        self.waiting = 0
        self.closed = False

    @property
    def rooms(self) -> tuple[Room, ...]:
        """Return the rooms with somebody in them."""
        return tuple(self._rooms.values())

    def require_place(self, principal: Principal) -> None:
        """Refuse a connection beyond the user's share. Raises `STREAM_LIMIT`."""
        limit = self._product.settings.ws_clients_max
        if self._users[principal.user_id] >= limit:
            raise refuse("STREAM_LIMIT", limit=limit, retry_after_s=2)

    def join(self, client: Client) -> Room:
        """Let an authenticated client in; the first one of a tenant opens its room."""
        principal = client.principal
        self._users[principal.user_id] += 1
        self._product.metrics.sockets.inc()
        room = self._rooms.get(principal.tenant_id)
        if room is None:
            room = self._rooms[principal.tenant_id] = Room(principal.tenant_id)
            self._duties[principal.tenant_id] = [
                asyncio.create_task(self._follow(room), name="ws desk"),
                asyncio.create_task(self._beat(room), name="ws beat"),
            ]
        room.enter(client)
        return room

    def leave(self, client: Client) -> None:
        """Forget a client; the last one of a tenant closes its room."""
        principal = client.principal
        room = self._rooms[principal.tenant_id]
        room.leave(client)
        self._users[principal.user_id] -= 1
        self._product.metrics.sockets.dec()
        if not self._users[principal.user_id]:
            del self._users[principal.user_id]
        if not room.clients:
            del self._rooms[principal.tenant_id]
            for task in self._duties.pop(principal.tenant_id):
                task.cancel()

    def wake(self, room: Room) -> None:
        """Look at the desk and the market now, because somebody has just subscribed."""
        self.asked.set()
        self._product.bus.publish("events", desk_stream(room.tenant_id))

    def tell(self, tenant_id: str, told: Sequence[Told]) -> None:
        """Send frames of the market to one tenant's readers, or with no tenant to all readers."""
        if tenant_id:
            room = self._rooms.get(tenant_id)
            if room is not None:
                room.market.tell(told)
            return
        for room in self._rooms.values():
            room.market.tell(told)

    def is_followed(self, channel: Channel, symbol: str) -> bool:
        """Return whether anybody here follows a symbol on a channel; from any thread."""
        return any(room.market.has_readers(channel, symbol) for room in self.rooms)

    def tell_fault(self, tenant_id: str, symbol: str, body: bytes) -> None:
        """Send the `error` frame of a symbol to one tenant's readers."""
        room = self._rooms.get(tenant_id)
        if room is not None:
            room.market.tell_fault(symbol, body)

    def close(self) -> None:
        """End every connection in order, because the server ends."""
        self.closed = True
        for room in self._rooms.values():
            for client in room.clients:
                client.end(GOING, "the server ends; connect again")

    async def _follow(self, room: Room) -> None:
        """Tell a room what happens at its desk, in the order of the event log."""
        place: Cursor | None = None
        stream = desk_stream(room.tenant_id)
        async with self._product.bus.subscribe("events") as wakes:
            while True:
                waiting = room.desk.take_fresh()
                try:
                    seen = await self._look(room, place, waiting)
                except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
                    _log.exception("ws.desk_failed", tenant=room.tenant_id)
                    room.desk.put_back(waiting)
                    await asyncio.sleep(_REST_S)
                    continue
                place = seen.place
                _pass_on(room, seen, waiting)
                if seen.frames or seen.more or room.desk.fresh:
                    continue
                for _ in range(_FOREIGN_MAX):
                    if await wakes.next(LOOK_S) in (None, stream):
                        break

    async def _look(self, room: Room, place: Cursor | None, waiting: Waiting) -> Seen:
        live = room.desk.live
        fresh = {
            (name, client.principal.user_id) for client, names in waiting.items() for name in names
        }
        return await self._product.runtime.read_async(
            system_principal(room.tenant_id), lambda ctx: look(ctx, place, live=live, fresh=fresh)
        )

    async def _beat(self, room: Room) -> None:
        """Tell a room in a steady beat that the server is there; end what is idle or revoked."""
        product = self._product
        beat_s = product.settings.ws_heartbeat_interval_ms / 1000
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        while True:
            await asyncio.sleep(beat_s)
            try:
                self._end_idle(room, loop.time())
                if loop.time() - checked_at >= RECHECK_S:
                    checked_at = loop.time()
                    await self._end_revoked(room)
                now = await self._risk(room)
                room.beat(encode(Heartbeat(at=product.clock.now())), now)
            except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
                _log.exception("ws.beat_failed", tenant=room.tenant_id)

    async def _risk(self, room: Room) -> bytes | None:
        if not room.desk.readers_of("risk"):
            return None
        principal = system_principal(room.tenant_id)
        return encode(await self._product.runtime.read_async(principal, risk))

    def _end_idle(self, room: Room, now: float) -> None:
        """End what was silent for too long: who follows something may answer pings instead."""
        longest_s = self._product.settings.ws_idle_close_ms / 1000
        for client in room.clients:
            heard = max(client.said_at, client.line.heard_at if client.channels else 0.0)
            if now - heard > longest_s:
                client.end(IDLE, "nothing was heard for too long")

    async def _end_revoked(self, room: Room) -> None:
        ids = {client.principal.session_id for client in room.clients}
        principal = system_principal(room.tenant_id)
        stand = await self._product.runtime.read_async(principal, lambda ctx: standing(ctx, ids))
        for client in room.clients:
            if client.principal.session_id in ids - stand:
                client.end(EXPIRED, "the login has ended")


def _pass_on(room: Room, seen: Seen, waiting: Waiting) -> None:
    """Hand a look's frames to the readers, then the snapshots to those who wait for them."""
    if seen.resync:
        said = encode(Resynced(channels=tuple(sorted({name for name, _ in room.desk.live}))))
        for client, names in room.desk.begin_again(said).items():
            waiting.setdefault(client, set()).update(names)
    room.desk.tell(seen.frames)
    if seen.more:
        room.desk.put_back(waiting)
    else:
        room.desk.settle(waiting, seen.snapshots)
