"""Owns who reads which desk channel of a room, and who waits for a snapshot first."""

from __future__ import annotations

from collections.abc import Iterable

from app.http.desk_frames import Reader, Snapshots
from app.http.ws_client import Client
from app.http.ws_frames import DESK_CHANNELS, Channel

Waiting = dict[Client, set[Channel]]
"""Who waits for the snapshots of which desk channels."""


class DeskReaders:
    """The readers of one tenant's desk; none of their frames is ever left out."""

    def __init__(self) -> None:
        self.fresh: Waiting = {}
        self._desk: dict[Channel, dict[Client, None]] = {name: {} for name in DESK_CHANNELS}

    @property
    def live(self) -> frozenset[Reader]:
        """Return who reads which desk channel already."""
        return frozenset(
            (name, client.principal.user_id)
            for name, readers in self._desk.items()
            for client in readers
        )

    def readers_of(self, channel: Channel) -> tuple[Client, ...]:
        """Return who reads a channel already."""
        return tuple(self._desk[channel])

    def follow(self, client: Client, channel: Channel) -> None:
        """Let a client wait for the snapshot of a channel that it does not read yet."""
        if client not in self._desk[channel]:
            self.fresh.setdefault(client, set()).add(channel)

    def unfollow(self, client: Client, channel: Channel) -> None:
        """End a client's reading of a channel, and its waiting."""
        self._desk[channel].pop(client, None)
        self.fresh.get(client, set()).discard(channel)

    def leave(self, client: Client) -> None:
        """Forget a client."""
        self.fresh.pop(client, None)
        for readers in self._desk.values():
            readers.pop(client, None)

    def take_fresh(self) -> Waiting:
        """Return who waits for snapshots; who comes while they are read waits for the next look."""
        waiting, self.fresh = self.fresh, {}
        return waiting

    def put_back(self, waiting: Waiting) -> None:
        """Let them wait on, because their snapshots could not be read."""
        for client, names in waiting.items():
            still = names & client.channels
            if still:
                self.fresh.setdefault(client, set()).update(still)

    def settle(self, waiting: Waiting, snapshots: Snapshots) -> None:
        """Give those who wait their snapshots; from here on they get what comes after."""
        for client, names in waiting.items():
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

    def tell(self, frames: Iterable[tuple[Channel, bytes]]) -> None:
        """Send frames of desk channels to their readers; none is ever left out."""
        for channel, body in frames:
            for client in self._desk[channel]:
                client.send(body)
