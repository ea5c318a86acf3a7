"""Owns one connection to Massive's stream, from the welcome to its end; it never tries again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.kit.ids import sha256_hex
from services.market.live import LiveBook
from services.market.massive_refusal import PROVIDER
from services.market.session import market_state
from services.market.stream_channel import Cluster, batches, channels_of, find_canary, find_denied
from services.market.stream_decode import decode_frame
from services.market.stream_frame import Frame, StreamStatus
from services.market.stream_state import Backoff, Ended, StreamTiming, Watchdog
from services.market.vendor_bars import DELAYED_S

_log = structlog.get_logger("stream")
_wire_log = logging.getLogger("cornerman.stream.wire")
_wire_log.setLevel(logging.WARNING)
# At debug level the library writes every message it sends, the key among them.
_MESSAGE_BYTES_MAX = 8_000_000
_PING_S, _PONG_S = 25, 30
_SLOW_READER = 1008
_THIN = 5
"""Times the silence that is borne where no channel is known to speak every second."""
_CROWDED_TODO = (
    "Stop the other process that uses this key, or ask the provider for more connections."
)
_KEY_TODO = "Correct MASSIVE_API_KEY and restart; the stream's plan must include WebSockets."
_PLAN_TODO = "Upgrade the plan at the provider, or set FEATURE_ENABLE_MASSIVE_STREAM=false."


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAccount:
    """Where to connect and as whom; a delayed cluster is 15 minutes behind.

    `halts` says that the plan includes halts, so that they are followed too.
    """

    base_url: str
    cluster: Cluster
    key: str = field(repr=False)
    delayed: bool
    halts: bool = False

    @property
    def url(self) -> str:
        """Return the address of the cluster's socket."""
        return f"{self.base_url}/{self.cluster}"

    @property
    def lease_name(self) -> str:
        """Return the lease of the account: the provider counts connections over all clusters."""
        return f"massive_stream:{sha256_hex(self.key)[:16]}"

    @property
    def delay_s(self) -> int:
        """Return how far behind the cluster is, in seconds."""
        return DELAYED_S if self.delayed else 0


class Told(Protocol):
    """What the owner of a connection is told and asked while it runs."""

    @property
    def wanted(self) -> frozenset[str]:
        """Return the symbols to follow now."""
        ...

    @property
    def denied(self) -> frozenset[str]:
        """Return the kinds of events that the plan is known to lack."""
        ...

    def find_end(self) -> Ended | None:
        """Return why the connection has to end now, or None."""
        ...

    def note_live(self) -> None:
        """Hear that the server confirmed a subscription, or that data came."""
        ...

    def note_values(self, at: datetime) -> None:
        """Hear that data came."""
        ...

    def note_settled(self) -> None:
        """Hear that data have flowed for a while."""
        ...

    def note_denied(self, kinds: frozenset[str]) -> None:
        """Hear that the plan lacks these kinds of events."""
        ...

    def note_gap(self, symbols: Iterable[str], at: datetime) -> None:
        """Hear that data of these symbols from before `at` may be missing."""
        ...


class StreamLink:
    """One connection; `run` blocks in the reader's thread and reads as fast as it can."""

    def __init__(
        self,
        account: StreamAccount,
        book: LiveBook,
        clock: Clock,
        *,
        told: Told,
        timing: StreamTiming,
        backoff: Backoff,
    ) -> None:
        self._account = account
        self._book = book
        self._clock = clock
        self._told = told
        self._timing = timing
        self._backoff = backoff
        self._followed: frozenset[str] = frozenset()
        self._bad_in_a_row = 0
        self._dog = Watchdog(timing, clock.monotonic())

    def run(self) -> Ended:
        """Connect, sign in, subscribe and read until the end; return why it ended."""
        try:
            with self._connect() as connection:
                return self._greet(connection) or self._follow(connection)
        except ConnectionClosed as closed:
            return _closed(closed)
        except (OSError, WebSocketException) as error:
            return Ended("lost", f"no connection ({type(error).__name__})")

    def _connect(self) -> AbstractContextManager[ClientConnection]:
        return connect(
            self._account.url,
            proxy=None,
            compression=None,
            open_timeout=self._timing.connect_s,
            close_timeout=self._timing.close_s,
            ping_interval=_PING_S,
            ping_timeout=_PONG_S,
            max_size=_MESSAGE_BYTES_MAX,
            logger=_wire_log,
        )

    def _greet(self, connection: ClientConnection) -> Ended | None:
        """Answer the welcome with the key; None once the key was accepted."""
        deadline = self._clock.monotonic() + self._timing.greet_s
        while self._clock.monotonic() < deadline:
            end = self._told.find_end()
            if end is not None:
                return end
            frame = self._receive(connection)
            for status in frame.statuses if frame is not None else ():
                if status.status == "connected":
                    _send(connection, "auth", self._account.key)
                elif status.status == "auth_success":
                    return None
                else:
                    end = self._read_status(status)
                    if end is not None:
                        return end
        return Ended("lost", "the server did not answer the sign-in")

    def _follow(self, connection: ClientConnection) -> Ended:
        self._dog = Watchdog(self._timing, self._clock.monotonic())
        while True:
            end = self._told.find_end()
            if end is not None:
                return end
            if self._followed != self._told.wanted:
                self._subscribe(connection)
            frame = self._receive(connection)
            end = self._take(frame)
            if end is not None:
                return end

    def _receive(self, connection: ClientConnection) -> Frame | None:
        """Return the next frame; None when nothing came for a moment or it can not be read."""
        try:
            body = connection.recv(timeout=self._timing.poll_s, decode=False)
        except TimeoutError:
            return None
        try:
            frame = decode_frame(body, self._clock.now())
        except Refusal as refusal:
            self._bad_in_a_row += 1
            self._book.counts["undecodable"] += 1
            _log.warning("stream.undecodable", size=len(body), code=refusal.code)
            self._told.note_gap(self._followed, self._clock.now())
            return None
        self._bad_in_a_row = 0
        return frame

    def _take(self, frame: Frame | None) -> Ended | None:
        """Put a frame into the book; return why the connection has to end, or None."""
        if self._bad_in_a_row >= self._timing.undecodable_max:
            return Ended("lost", "messages that can not be read")
        now = self._clock.monotonic()
        self._book.note(frame or Frame(received_at=self._clock.now()))
        if frame is not None and frame.has_values:
            self._dog.note(now)
            if self._backoff.note_flow(self._dog.flowing_s(now)):
                self._told.note_settled()
            self._told.note_values(frame.received_at)
            self._told.note_live()
            return None
        for status in frame.statuses if frame is not None else ():
            end = self._read_status(status)
            if end is not None:
                return end
        return self._find_silence(now)

    def _find_silence(self, now: float) -> Ended | None:
        market_now = self._clock.now() - timedelta(seconds=self._account.delay_s)
        if not self._followed or market_state("XNYS", market_now).state != "open":
            self._dog.rest(now)
        if not self._dog.is_silent(now, 1 if self._canary else _THIN):
            return None
        return Ended("silent", "no data in an open market while the connection answers")

    @property
    def _canary(self) -> str | None:
        return find_canary(self._account.cluster, self._told.denied)

    def _read_status(self, status: StreamStatus) -> Ended | None:
        match status.status:
            case "success":
                self._told.note_live()
            case "max_connections":
                return Ended("crowded", "another process uses this key", _CROWDED_TODO)
            case "auth_failed":
                return Ended("refused", f"{PROVIDER} refused the key", _KEY_TODO)
            case "auth_timeout":
                return Ended("lost", "the sign-in took too long")
            case "error" | "not_authorized":
                return self._read_error(status.message)
        return None

    def _read_error(self, message: str) -> Ended | None:
        kinds = find_denied(message, self._account.cluster)
        if not kinds:
            _log.warning("stream.error", message=message)
            return None
        self._told.note_denied(kinds)
        denied = self._told.denied
        if channels_of(["SPY"], self._account.cluster, denied):
            return None
        return Ended("refused", "the plan does not include this stream", _PLAN_TODO)

    def _subscribe(self, connection: ClientConnection) -> None:
        """Follow what is wanted now; a gap is marked before the first value can come."""
        wanted, denied, size = self._told.wanted, self._told.denied, self._timing.symbols_batch
        added, gone = wanted - self._followed, self._followed - wanted
        cluster = self._account.cluster
        canary = self._canary
        channels = [canary] if canary is not None and not self._followed else []
        if added:
            self._told.note_gap(added, self._clock.now())
        halts = self._account.halts
        channels += channels_of(added, cluster, denied, halts=halts)
        for params in batches(channels, size):
            _send(connection, "subscribe", params)
        for params in batches(channels_of(gone, cluster, denied, halts=halts), size):
            _send(connection, "unsubscribe", params)
        self._followed = wanted


def _send(connection: ClientConnection, action: str, params: str) -> None:
    connection.send(json.dumps({"action": action, "params": params}))


def _closed(closed: ConnectionClosed) -> Ended:
    if closed.rcvd is None:
        return Ended("lost", "the connection broke off")
    if closed.rcvd.code == _SLOW_READER:
        return Ended("lost", "the server cut the connection off: read too slowly (1008)")
    return Ended("closed", f"the server closed the connection ({closed.rcvd.code})")
