"""Owns who may open `/ws`: host and origin before the handshake, then one ticket, used once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from app.http.gate import Gate
from app.http.origin import Origins
from app.http.ws_frames import PROTOCOL
from app.wiring import Product
from services.identity.standing import standing
from services.identity.ticket import find_ticket, use_ticket
from services.identity.user import NOBODY
from services.kit.context import Context, Principal
from services.kit.errors import Refusal, refuse

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_TICKET = "ticket."
_QUERY_MAX = 200


@dataclass(frozen=True, slots=True)
class Knock:
    """What a handshake asks for: the subprotocol to answer with, and a credential if it has one."""

    subprotocol: str | None
    ticket: str
    api_key: str


class Door:
    """Judges handshakes and redeems tickets."""

    def __init__(self, product: Product, gate: Gate) -> None:
        self._product = product
        self._gate = gate
        self._origins = Origins(product.settings)

    def require_welcome(self, scope: Scope) -> Knock:
        """Return what a handshake asks for, when its host, origin and protocol are ours.

        A browser always says the origin; a program that says none still needs a ticket.
        Raises `HOST_REFUSED`, `ORIGIN_REFUSED`, `PARAM_INVALID`, `UNAUTHENTICATED`.
        """
        headers = Headers(scope=scope)
        self._origins.require_host(headers.get("host", ""))
        origin = headers.get("origin", "")
        given = {name.encode("latin-1"): value for name, value in headers.items()}
        if origin:
            self._origins.require_origin(given, cookie=False)
        offered = list(scope.get("subprotocols") or ())
        if offered and PROTOCOL not in offered:
            raise refuse(
                "PARAM_INVALID", name="subprotocol", value="(not shown)", rule=f"offer {PROTOCOL}"
            )
        tickets = [one.removeprefix(_TICKET) for one in offered if one.startswith(_TICKET)]
        return Knock(
            PROTOCOL if offered else None, tickets[0] if tickets else "", self._key_of(scope)
        )

    def _key_of(self, scope: Scope) -> str:
        """Return the key of the old address form, where it is allowed. Raises `UNAUTHENTICATED`."""
        query: bytes = scope["query_string"]
        if not query:
            return ""
        if b"api_key" not in query or not self._product.settings.ws_legacy_api_key:
            raise refuse("UNAUTHENTICATED", hint="Get a ticket from POST /api/v1/auth/ws-token.")
        return parse_qs(query[:_QUERY_MAX].decode("latin-1")).get("api_key", [""])[0]

    async def find_by_key(self, text: str) -> Principal | None:
        """Return whose API key it is, when it may read."""
        caller = await self._gate.find_caller("key", text)
        if caller is None or "read" not in caller.principal.scopes:
            return None
        return caller.principal

    async def redeem(self, ticket: str) -> Principal | None:
        """Use a ticket up and return whose it was; None for one that is used, old or unknown."""
        if not _SECRET.fullmatch(ticket):
            return None
        return await self._product.runtime.in_thread(lambda: self._redeem(ticket))

    def _redeem(self, ticket: str) -> Principal | None:
        runtime = self._product.runtime
        with runtime.database.read(None) as db:
            holder = find_ticket(runtime.context(db, NOBODY), "ws", ticket)
        if holder is None:
            return None

        def act(ctx: Context) -> bool:
            use_ticket(ctx, "ws", ticket)
            return bool(standing(ctx, [holder.session_id]))

        try:
            return holder if runtime.write(holder, act) else None
        except Refusal:
            return None  # somebody was quicker with it
