"""Owns the frames of `/ws`: what the server may say, its types, and their bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal, get_args

from agent.events import Alert
from app.http.wire import dump
from services.kit.clock import instant_text
from services.kit.errors import check
from services.kit.money import decimal_text

PROTOCOL = "cornerman.v1"
"""The subprotocol that both sides name; a frame's type is never changed under it."""
Channel = Literal["price", "trades", "risk", "alerts", "orders", "positions"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
SYMBOL_CHANNELS: tuple[Channel, ...] = ("price", "trades")
"""Channels that carry what is subscribed by symbol; the others carry the tenant's desk."""
DESK_CHANNELS = tuple(name for name in CHANNELS if name not in SYMBOL_CHANNELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The connection is authenticated; the limits that the client lives with."""

    type: ClassVar[str] = "welcome"
    channels: tuple[str, ...]
    symbols_max: int
    payload_bytes_max: int
    heartbeat_ms: int
    idle_close_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """Everything that the client follows after its last request; snapshots come behind it."""

    type: ClassVar[str] = "subscribed"
    channels: tuple[str, ...]
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The newest bid, ask and last trade; `change_pct` is a fraction of the close before."""

    type: ClassVar[str] = "price"
    symbol: str
    last: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    currency: str
    ts: datetime
    provenance: str
    source: str
    change_pct: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One trade."""

    ts: datetime
    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trades:
    """New trades of one symbol, oldest first; `left_out` earlier ones were too many to tell."""

    type: ClassVar[str] = "trades"
    symbol: str
    items: tuple[Trade, ...]
    left_out: int
    provenance: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The worst state of the accounts' risk, and the person's switch of orders.

    Told on change, when a figure moves by more than a hundredth of its limit, and with every
    heartbeat. `items` are the accounts, each with its limits, label and time.
    """

    type: ClassVar[str] = "risk"
    state: str
    reason: str
    switch: str
    switch_reason: str
    items: tuple[Mapping[str, Any], ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised:
    """The `alert` event of the desk; `meta` holds its further fields and its `cursor`."""

    type: ClassVar[str] = Alert.type
    level: Literal["info", "warning", "critical"]
    msg: str
    at: datetime
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """The alerts that stand now; the whole list."""

    type: ClassVar[str] = "alerts"
    items: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Orders as the API shows them: all that are open (`whole`), or those that changed."""

    type: ClassVar[str] = "orders"
    items: tuple[Mapping[str, Any], ...]
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """Everything that is held, valued; the whole list, each with its `portfolio_id`."""

    type: ClassVar[str] = "positions"
    items: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resynced:
    """Events were missed: what the client knows is void, snapshots follow."""

    type: ClassVar[str] = "resync"
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A request, or one symbol, was refused; everything else goes on."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    hint: str
    symbol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The answer to `ping`."""

    type: ClassVar[str] = "pong"
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The server is there; told in a steady beat."""

    type: ClassVar[str] = "heartbeat"
    at: datetime


Frame = (
    Welcome
    | Subscribed
    | Price
    | Trades
    | Risk
    | AlertRaised
    | Alerts
    | Orders
    | Positions
    | Resynced
    | Failed
    | Pong
    | Heartbeat
)
FRAMES: tuple[type[Frame], ...] = get_args(Frame)
TYPES = frozenset(frame.type for frame in FRAMES)
"""The allow-list of what may leave; `encode` knows no other type."""
_MEMBERS = {frame: tuple(item.name for item in fields(frame)) for frame in FRAMES}
_TEXTS: dict[type, Callable[[Any], str]] = {Decimal: decimal_text, datetime: instant_text}
"""Forms that `dump` would come to as well, by a longer way."""


def fields_of(frame: Frame) -> dict[str, Any]:
    """Return a frame's members by name, without its type; those that are None are left out."""
    found = ((name, getattr(frame, name)) for name in _MEMBERS[type(frame)])
    return {name: value for name, value in found if value is not None}


def encode(frame: Frame) -> bytes:
    """Return a frame's members as JSON without the opening brace, for `numbered`.

    An event is encoded once for all its readers; only its number differs.
    """
    members = _MEMBERS.get(type(frame))
    check(members is not None, "only frames of the union leave", type=type(frame).__name__)
    body: dict[str, Any] = {"type": frame.type}
    for name in members or ():
        value = getattr(frame, name)
        if value is not None:
            text = _TEXTS.get(type(value))
            body[name] = value if text is None else text(value)
    return dump(body)[1:]


def numbered(seq: int, body: bytes, skipped: int = 0) -> bytes:
    """Return the frame that is `seq` of its connection.

    `skipped` is how many older frames of the same channel and symbol a slow reader did not get.
    Worked: 7 and `"type":"pong"}` are `{"seq":7,"type":"pong"}`.
    """
    if skipped:
        return b'{"seq":%d,"skipped":%d,%b' % (seq, skipped, body)
    return b'{"seq":%d,%b' % (seq, body)
