"""Owns one connection to Tradier's account events: its session, its frames, and what they hint at.

An event is a hint and no truth: it says that asking may be worth it. What it names of status,
fills and prices is read by nobody; the order is looked up.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.market.decode import Given, Record
from services.market.stream_state import Ended, StreamTiming, Watchdog
from services.market.tradier_decode import decode_tradier
from services.market.tradier_link import TradierEnv
from services.orders.broker import BrokerUnreachable
from services.orders.order_client import OrderClient
from services.orders.tradier_answer import read_records
from services.orders.tradier_look import remember
from services.orders.tradier_seat import TradierSeat

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_log = structlog.get_logger("orders")
_wire_log = logging.getLogger("cornerman.orders.events")
_wire_log.setLevel(logging.WARNING)
# At debug level the library writes every message it sends, the session among them.
EVENT_HOSTS: dict[TradierEnv, str] = {
    "sandbox": "wss://sandbox-ws.tradier.com",
    "production": "wss://ws.tradier.com",
}
TIMING = StreamTiming(silence_s=150.0)
"""Heartbeats come every 60 s; two of them may stay away."""
_PATH = "/v1/accounts/events"
_MESSAGE_BYTES_MAX = 262_144
_PING_S, _PONG_S = 25, 30
_SESSION_ENDS = ("PROVIDER_UNAUTHORIZED", "PROVIDER_CONNECTION_LIMIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often hints may lead to a question: a rest after each, and so many in a minute."""

    rest_s: float = 1.0
    minute_max: int = 20


class Hints:
    """Passes hints on at a bounded pace; one that has to wait is passed on later, once."""

    def __init__(self, tell: Callable[[], None], pace: Pace) -> None:
        self._tell = tell
        self._pace = pace
        self._told: list[float] = []
        self._waits = False

    def note(self) -> None:
        """Say that something may have happened."""
        self._waits = True

    def flush(self, now: float) -> bool:
        """Tell what waits, when the pace allows it at the monotonic time `now`."""
        self._told = [at for at in self._told if now - at < 60]
        rests = bool(self._told) and now - self._told[-1] < self._pace.rest_s
        if not self._waits or rests or len(self._told) >= self._pace.minute_max:
            return False
        self._waits = False
        self._told.append(now)
        self._tell()
        return True


class TradierEvents:
    """One connection at a time; `run` blocks in the reader's thread until it has ended."""

    def __init__(
        self,
        seat: TradierSeat,
        wire: OrderClient,
        clock: Clock,
        *,
        ws_base: str,
        hints: Hints,
        timing: StreamTiming = TIMING,
    ) -> None:
        self._seat = seat
        self._wire = wire
        self._clock = clock
        self._url = f"{ws_base}{_PATH}"
        self._hints = hints
        self._timing = timing
        self._seen: dict[str, Record] = {}
        self._bad_in_a_row = 0
        self.counts = {"events": 0, "repeated": 0, "foreign": 0, "undecodable": 0}

    def run(self, *, live: Callable[[float], None], find_end: Callable[[], Ended | None]) -> Ended:
        """Open a session, connect and read; return why it ended.

        `live` hears how many seconds the connection has spoken; `find_end` is asked between
        frames whether to go on.
        """
        from websockets.exceptions import ConnectionClosed, WebSocketException
        from websockets.sync.client import connect

        try:
            session = self._open_session()
            with connect(
                self._url,
                open_timeout=self._timing.connect_s,
                close_timeout=self._timing.close_s,
                ping_interval=_PING_S,
                ping_timeout=_PONG_S,
                max_size=_MESSAGE_BYTES_MAX,
                compression=None,
                proxy=None,
                logger=_wire_log,
            ) as connection:
                asked = {"events": ["order"], "sessionid": session, "excludeAccounts": []}
                connection.send(json.dumps(asked))
                self._hints.note()
                return self._follow(connection, live, find_end)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                return Ended("lost", "the connection broke off")
            return Ended("closed", f"the server closed the connection ({closed.rcvd.code})")
        except BrokerUnreachable as error:
            return Ended("lost", f"no session: {error}")
        except (WebSocketException, OSError) as error:
            return Ended("lost", f"no connection: {type(error).__name__}")

    def _open_session(self) -> str:
        exchange = self._wire.send("POST", f"{_PATH}/session", template=f"{_PATH}/session")
        rows = read_records("stream_session", exchange)
        if not rows:
            raise BrokerUnreachable("the answer names no session")
        return str(rows[0]["session_id"])

    def _follow(
        self,
        connection: ClientConnection,
        live: Callable[[float], None],
        find_end: Callable[[], Ended | None],
    ) -> Ended:
        dog = Watchdog(self._timing, self._clock.monotonic())
        self._bad_in_a_row = 0
        while True:
            now = self._clock.monotonic()
            self._hints.flush(now)
            end = find_end()
            if end is None and dog.is_silent(now):
                end = Ended("silent", "no heartbeat came")
            if end is not None:
                return end
            try:
                body = connection.recv(timeout=self._timing.poll_s, decode=False)
            except TimeoutError:
                continue
            end = self._take(body)
            if end is not None:
                return end
            if not self._bad_in_a_row:
                dog.note(self._clock.monotonic())
                live(dog.flowing_s(self._clock.monotonic()))

    def _take(self, body: bytes) -> Ended | None:
        """Read one frame of one or several lines; return why the connection has to end."""
        for line in body.splitlines():
            if not line.strip():
                continue
            try:
                records = decode_tradier("account_event", line, Given())
            except Refusal as refusal:
                if refusal.code in _SESSION_ENDS:
                    crowded = refusal.code == "PROVIDER_CONNECTION_LIMIT"
                    said = f"the session was refused: {refusal.code}"
                    return Ended("crowded" if crowded else "lost", said)
                self._bad_in_a_row += 1
                self.counts["undecodable"] += 1
                _log.warning("broker.event_undecodable", size=len(line), code=refusal.code)
                continue
            self._bad_in_a_row = 0
            for record in records:
                self._hear(record)
        if self._bad_in_a_row >= self._timing.undecodable_max:
            return Ended("lost", "messages that can not be read")
        return None

    def _hear(self, record: Record) -> None:
        if record["type"] != "order":
            return
        name = str(record["broker_order_id"] or "")
        if record["account"] not in (None, self._seat.number):
            self.counts["foreign"] += 1
        elif self._seen.get(name) == record:
            self.counts["repeated"] += 1
        else:
            self.counts["events"] += 1
            remember(self._seen, {name: record})
            self._hints.note()
