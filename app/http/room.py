"""Owns the room of one tenant: who follows what there, and who gets which frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.http.desk_frames import Reader, Snapshots
from app.http.ws_client import Client, Key
from app.http.ws_frames import DESK_CHANNELS, SYMBOL_CHANNELS, Channel

Waiting = dict[Client, set[Channel]]
"""Who waits for the snapshots of which desk channels."""
Told = tuple[Channel, str, bytes]
"""A frame of a symbol channel: the channel, the symbol, the bytes."""


class Room:
    """The readers of one tenant. Everything runs in the server's event loop and never waits."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.clients: dict[Client, None] = {}
        self.fresh: Waiting = {}
        self._desk: dict[Channel, dict[Client, None]] = {name: {} for name in DESK_CHANNELS}
        self._by_symbol: dict[Key, dict[Client, None]] = {}
        self._newest: dict[str, bytes] = {}
        self._faults: dict[str, bytes] = {}

    @property
    def live(self) -> frozenset[Reader]:
        """Return who reads which desk channel already."""
        return frozenset(
            (name, client.principal.user_id)
            for name, readers in self._desk.items()
            for client in readers
        )

    def follows_risk(self) -> bool:
        """Return whether somebody is to be told with every beat how the risk stands."""
        return bool(self._desk["risk"])

    def watched(self, channel: Channel = "price") -> frozenset[str]:
        """Return the symbols that somebody follows on a symbol channel."""
        return frozenset(symbol for name, symbol in self._by_symbol if name == channel)

    def unknown(self) -> frozenset[str]:
        """Return the followed symbols that no price has come for yet."""
        return self.watched() - self._newest.keys()

    def enter(self, client: Client) -> None:
        """Take a client in; it follows nothing yet."""
        self.clients[client] = None

    def leave(self, client: Client) -> None:
        """Forget a client and what only it followed."""
        self.clients.pop(client, None)
        self.fresh.pop(client, None)
        for readers in self._desk.values():
            readers.pop(client, None)
        for channel in SYMBOL_CHANNELS:
            self.unfollow(client, channel, set(client.symbols[channel]))

    def subscribe(
        self, client: Client, channels: Iterable[Channel], symbols: Iterable[str]
    ) -> list[tuple[Key, bytes]]:
        """Follow channels and, on `price` and `trades`, symbols; return the prices known already.

        They are to be sent before anything else happens. A price that is not known yet comes by
        itself; a desk channel waits in `fresh` for its snapshot.
        """
        chosen = list(symbols)
        known: list[tuple[Key, bytes]] = []
        for channel in channels:
            client.channels.add(channel)
            if channel in SYMBOL_CHANNELS:
                known += self._follow(client, channel, chosen)
            elif client not in self._desk[channel]:
                self.fresh.setdefault(client, set()).add(channel)
        return known

    def unsubscribe(
        self, client: Client, channels: Iterable[Channel], symbols: Iterable[str]
    ) -> None:
        """Follow less: these symbols of the symbol channels, or, without symbols, the channels."""
        chosen = set(symbols)
        for channel in channels:
            if channel in SYMBOL_CHANNELS:
                self.unfollow(client, channel, chosen or set(client.symbols[channel]))
            else:
                self._desk[channel].pop(client, None)
                self.fresh.get(client, set()).discard(channel)
            if channel not in SYMBOL_CHANNELS or not client.symbols[channel]:
                client.channels.discard(channel)

    def unfollow(self, client: Client, channel: Channel, symbols: set[str]) -> None:
        """Forget symbols of a client; what nobody follows any more is forgotten wholly."""
        for symbol in symbols & client.symbols[channel]:
            readers = self._by_symbol[(channel, symbol)]
            readers.pop(client, None)
            if not readers:
                del self._by_symbol[(channel, symbol)]
                if channel == "price":
                    self._newest.pop(symbol, None)
                    self._faults.pop(symbol, None)
        client.symbols[channel] -= symbols

    def tell_symbols(self, told: Sequence[Told]) -> None:
        """Send frames of symbol channels to their readers, all of a client's in one write."""
        mine: dict[Client, list[tuple[Key, bytes]]] = {}
        for channel, symbol, body in told:
            key = (channel, symbol)
            readers = self._by_symbol.get(key)
            if readers is None:
                continue
            if channel == "price":
                self._newest[symbol] = body
                self._faults.pop(symbol, None)
            item = (key, body)
            for client in readers:
                frames = mine.get(client)
                if frames is None:
                    mine[client] = [item]
                else:
                    frames.append(item)
        for client, frames in mine.items():
            client.offer(frames)

    def tell_fault(self, symbol: str, body: bytes) -> None:
        """Send an `error` frame to those who follow the price of a symbol; its price is void."""
        readers = self._by_symbol.get(("price", symbol), {})
        self._newest.pop(symbol, None)
        if readers:
            self._faults[symbol] = body
        for client in readers:
            client.offer([(("error", symbol), body)])

    def tell_desk(self, frames: Iterable[tuple[Channel, bytes]]) -> None:
        """Send frames of desk channels to their readers; none is ever left out."""
        for channel, body in frames:
            for client in self._desk[channel]:
                client.send(body)

    def take_fresh(self) -> Waiting:
        """Return who waits for snapshots; who comes while they are read waits for the next look."""
        waiting, self.fresh = self.fresh, {}
        return waiting

    def put_back(self, waiting: Waiting) -> None:
        """Let them wait on, because their snapshots could not be read."""
        for client, names in waiting.items():
            if client in self.clients:
                self.fresh.setdefault(client, set()).update(names & client.channels)

    def settle(self, waiting: Waiting, snapshots: Snapshots) -> None:
        """Give those who wait their snapshots; from here on they get what comes after."""
        for client, names in waiting.items():
            if client not in self.clients:
                continue
            still, user_id = names & client.channels, client.principal.user_id
            mine = [snapshots.get((name, user_id)) for name in DESK_CHANNELS if name in still]
            client.send(*(body for body in mine if body is not None))
            for name in still:
                self._desk[name][client] = None

    def begin_again(self, body: bytes) -> Waiting:
        """After missed events: every reader is told `body` and waits for its snapshots anew."""
        waiting: Waiting = {}
        for channel, readers in self._desk.items():
            for client in readers:
                waiting.setdefault(client, set()).add(channel)
            readers.clear()
        for client in waiting:
            client.send(body)
        return waiting

    def beat(self, heartbeat: bytes, risk: bytes | None) -> None:
        """Tell everybody that the server is there, and the readers of `risk` how it stands."""
        for client in self.clients:
            client.offer([(("heartbeat", ""), heartbeat)])
        for client in self._desk["risk"] if risk is not None else ():
            client.offer([(("risk", ""), risk or b"")])

    def _follow(
        self, client: Client, channel: Channel, symbols: list[str]
    ) -> list[tuple[Key, bytes]]:
        known: list[tuple[Key, bytes]] = []
        for symbol in symbols:
            client.symbols[channel].add(symbol)
            self._by_symbol.setdefault((channel, symbol), {})[client] = None
            if channel == "price" and symbol in self._newest:
                known.append(((channel, symbol), self._newest[symbol]))
            elif channel == "price" and symbol in self._faults:
                known.append((("error", symbol), self._faults[symbol]))
        return known
