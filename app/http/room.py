"""Owns the room of one tenant: its connections, what each follows, and the beat."""

from __future__ import annotations

from collections.abc import Iterable

from app.http.room_desk import DeskReaders
from app.http.room_market import MarketReaders
from app.http.ws_client import Client, Key
from app.http.ws_frames import SYMBOL_CHANNELS, Channel


class Room:
    """The readers of one tenant. Everything runs in the server's event loop and never waits."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.clients: dict[Client, None] = {}
        self.desk, self.market = DeskReaders(), MarketReaders()

    def enter(self, client: Client) -> None:
        """Take a client in; it follows nothing yet."""
        self.clients[client] = None

    def leave(self, client: Client) -> None:
        """Forget a client and what only it followed."""
        self.clients.pop(client, None)
        client.channels.clear()
        self.desk.leave(client)
        for channel in SYMBOL_CHANNELS:
            self.market.unfollow(client, channel, set(client.symbols[channel]))

    def subscribe(
        self, client: Client, channels: Iterable[Channel], symbols: Iterable[str]
    ) -> list[tuple[Key, bytes]]:
        """Follow channels and, on `price` and `trades`, symbols; return the prices known already.

        They are to be sent before anything else happens. A price that is not known yet comes by
        itself; a desk channel waits for its snapshot.
        """
        chosen = list(symbols)
        known: list[tuple[Key, bytes]] = []
        for channel in channels:
            client.channels.add(channel)
            if channel in SYMBOL_CHANNELS:
                known += self.market.follow(client, channel, chosen)
            else:
                self.desk.follow(client, channel)
        return known

    def unsubscribe(
        self, client: Client, channels: Iterable[Channel], symbols: Iterable[str]
    ) -> None:
        """Follow less: these symbols of the symbol channels, or, without symbols, the channels."""
        chosen = set(symbols)
        for channel in channels:
            if channel in SYMBOL_CHANNELS:
                self.market.unfollow(client, channel, chosen or set(client.symbols[channel]))
            else:
                self.desk.unfollow(client, channel)
            if channel not in SYMBOL_CHANNELS or not client.symbols[channel]:
                client.channels.discard(channel)

    def beat(self, heartbeat: bytes, risk: bytes | None) -> None:
        """Tell everybody that the server is there, and the readers of `risk` how it stands."""
        for client in self.clients:
            client.offer([(("heartbeat", ""), heartbeat)])
        for client in self.desk.readers_of("risk") if risk is not None else ():
            client.offer([(("risk", ""), risk or b"")])
