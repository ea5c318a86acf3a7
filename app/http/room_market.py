"""Owns who follows which symbol in a room, and what its readers were told last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.http.ws_client import Client, Key
from app.http.ws_frames import Channel

Told = tuple[Channel, str, bytes]
"""A frame of a symbol channel: the channel, the symbol, the bytes."""


class MarketReaders:
    """The readers of prices and trades; a slow one gets the newest of each symbol."""

    def __init__(self) -> None:
        self._by_symbol: dict[Key, dict[Client, None]] = {}
        self._newest: dict[str, bytes] = {}
        self._faults: dict[str, bytes] = {}

    def watched(self, channel: Channel = "price") -> frozenset[str]:
        """Return the symbols that somebody follows on a symbol channel."""
        return frozenset(symbol for name, symbol in self._by_symbol if name == channel)

    def has_readers(self, channel: Channel, symbol: str) -> bool:
        """Return whether somebody follows a symbol; from any thread."""
        return (channel, symbol) in self._by_symbol

    def unknown(self) -> frozenset[str]:
        """Return the followed symbols that no price has come for yet."""
        return self.watched() - self._newest.keys()

    def follow(
        self, client: Client, channel: Channel, symbols: Iterable[str]
    ) -> list[tuple[Key, bytes]]:
        """Follow symbols; return what is known of them, to be sent before anything else."""
        known: list[tuple[Key, bytes]] = []
        for symbol in symbols:
            client.symbols[channel].add(symbol)
            self._by_symbol.setdefault((channel, symbol), {})[client] = None
            if channel == "price" and symbol in self._newest:
                known.append(((channel, symbol), self._newest[symbol]))
            elif channel == "price" and symbol in self._faults:
                known.append((("error", symbol), self._faults[symbol]))
        return known

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

    def tell(self, told: Sequence[Told]) -> None:
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
