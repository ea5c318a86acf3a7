"""Owns the order value, its hash, and the one table of legal state transitions."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from services.kit.canonical import bytes_hash, canonical, document, tagged_hash
from services.kit.errors import check, refuse
from services.kit.money import parse_decimal


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order names its price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class Tif(StrEnum):
    """How long an order works: until the session's close, or until cancelled."""

    DAY = "day"
    GTC = "gtc"


class OrderClass(StrEnum):
    """How orders hang together; an order without a class stands alone.

    `OTO` is an entry and one exit, `OTOCO` (a bracket) an entry and two exits that exclude each
    other, `OCO` a sale at a target or at a stop, whichever trades first.
    """

    OTO = "oto"
    OTOCO = "otoco"
    OCO = "oco"


class State(StrEnum):
    """Where an order stands. It is born `QUEUED`, in the transaction that confirms it."""

    QUEUED = "QUEUED"
    DENIED = "DENIED"
    CLAIMED = "CLAIMED"
    SUBMITTING = "SUBMITTING"
    UNKNOWN = "UNKNOWN"
    PRESUMED_NOT_ACCEPTED = "PRESUMED_NOT_ACCEPTED"
    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    CANCEL_PENDING = "CANCEL_PENDING"
    CANCEL_UNKNOWN = "CANCEL_UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DISPUTED = "DISPUTED"


class Event(StrEnum):
    """What happened to an order."""

    CLAIM = "claim"
    SEND = "send"
    REQUEUE = "requeue"
    DENY = "deny"
    ACKNOWLEDGE = "acknowledge"
    REJECT = "reject"
    LOSE = "lose"
    PRESUME = "presume"
    PART_FILL = "part_fill"
    FILL = "fill"
    ASK_CANCEL = "ask_cancel"
    CANCEL = "cancel"
    LOSE_CANCEL = "lose_cancel"
    KEEP = "keep"
    EXPIRE = "expire"
    DISPUTE = "dispute"


class Status(StrEnum):
    """Where a proposal stands; only `pending` has ways out."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    INVALIDATED = "invalidated"


ORDER_STATES = tuple(state.value for state in State)
PROPOSAL_STATUSES = tuple(status.value for status in Status)

_S, _E = State, Event
_ENDS = {
    _E.REJECT: _S.REJECTED,
    _E.CANCEL: _S.CANCELLED,
    _E.EXPIRE: _S.EXPIRED,
    _E.DISPUTE: _S.DISPUTED,
    _E.FILL: _S.FILLED,
}
_AT_BROKER = {**_ENDS, _E.ACKNOWLEDGE: _S.WORKING, _E.PART_FILL: _S.PARTIALLY_FILLED}
_LATE = {_E.PART_FILL, _E.FILL, _E.DISPUTE}


def _arrows() -> dict[tuple[State, Event], State]:
    arrows: dict[State, dict[Event, State]] = {
        _S.QUEUED: {
            _E.CLAIM: _S.CLAIMED,
            _E.DENY: _S.DENIED,
            _E.CANCEL: _S.CANCELLED,
            _E.EXPIRE: _S.EXPIRED,
            _E.LOSE: _S.UNKNOWN,
        },
        _S.CLAIMED: {
            _E.SEND: _S.SUBMITTING,
            _E.REQUEUE: _S.QUEUED,
            _E.DENY: _S.DENIED,
            _E.CANCEL: _S.CANCELLED,
            _E.EXPIRE: _S.EXPIRED,
        },
        _S.SUBMITTING: {**_AT_BROKER, _E.LOSE: _S.UNKNOWN, _E.REQUEUE: _S.QUEUED},
        _S.UNKNOWN: {**_AT_BROKER, _E.PRESUME: _S.PRESUMED_NOT_ACCEPTED, _E.REQUEUE: _S.QUEUED},
        _S.PRESUMED_NOT_ACCEPTED: dict(_AT_BROKER),
        _S.WORKING: {**_ENDS, _E.PART_FILL: _S.PARTIALLY_FILLED, _E.ASK_CANCEL: _S.CANCEL_PENDING},
        _S.PARTIALLY_FILLED: {
            **_ENDS,
            _E.PART_FILL: _S.PARTIALLY_FILLED,
            _E.ASK_CANCEL: _S.CANCEL_PENDING,
        },
        _S.CANCEL_PENDING: {
            **_ENDS,
            _E.PART_FILL: _S.CANCEL_PENDING,
            _E.KEEP: _S.WORKING,
            _E.LOSE_CANCEL: _S.CANCEL_UNKNOWN,
        },
        _S.CANCEL_UNKNOWN: {
            **_ENDS,
            _E.PART_FILL: _S.CANCEL_UNKNOWN,
            _E.KEEP: _S.WORKING,
            _E.ASK_CANCEL: _S.CANCEL_PENDING,
        },
        _S.CANCELLED: {_E.PART_FILL: _S.CANCELLED, _E.FILL: _S.FILLED, _E.DISPUTE: _S.DISPUTED},
        _S.EXPIRED: {_E.PART_FILL: _S.EXPIRED, _E.FILL: _S.FILLED, _E.DISPUTE: _S.DISPUTED},
        _S.REJECTED: {_E.PART_FILL: _S.REJECTED, _E.FILL: _S.FILLED, _E.DISPUTE: _S.DISPUTED},
    }
    return {
        (state, event): target for state, ways in arrows.items() for event, target in ways.items()
    }


TRANSITIONS: dict[tuple[State, Event], State] = _arrows()
"""Every legal arrow. `FILLED`, `DENIED` and `DISPUTED` have none; late fills reach ended orders."""

WITH_BROKER = (
    State.SUBMITTING,
    State.UNKNOWN,
    State.WORKING,
    State.PARTIALLY_FILLED,
    State.CANCEL_PENDING,
    State.CANCEL_UNKNOWN,
)
OPEN = (State.QUEUED, State.CLAIMED, *WITH_BROKER)
IN_DOUBT = (State.UNKNOWN, State.CANCEL_UNKNOWN)
ENDED = tuple(state for state in State if state not in OPEN)


def next_state(state: State, event: Event) -> State:
    """Return where `event` leads from `state`. Raises `ILLEGAL_TRANSITION`."""
    target = TRANSITIONS.get((state, event))
    if target is None:
        raise refuse("ILLEGAL_TRANSITION", state=state.value, event=event.value)
    return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order exactly as a person confirms it; every field is hashed.

    Prices are per unit in the instrument's currency. `worst_price` bounds what is paid per unit
    (a buy) or is the expected price of a sale. `protective_stop` and `basis_ref` are attachments:
    they say what the risk was measured against and place nothing.

    `order_class` makes it a group. An entry (`OTO`, `OTOCO`) names the exits that are placed when
    it has filled: a sale at `take_profit` or better, and one at market once `stop_loss` trades. An
    `OCO` sells at `limit_price`, or at market once `stop_loss` trades.
    """

    instrument_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType
    tif: Tif
    currency: str
    worst_price: Decimal
    account_id: str
    portfolio_id: str
    mode: str
    provenance: str
    client_order_id: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    protective_stop: Decimal | None = None
    basis_ref: str | None = None
    order_class: OrderClass | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None

    @property
    def has_exits(self) -> bool:
        """Return True for an entry that places exits when it has filled."""
        return self.order_class in (OrderClass.OTO, OrderClass.OTOCO)

    @property
    def trigger(self) -> Decimal | None:
        """Return the price at which it trades at market: of a stop, or of an `OCO`'s stop."""
        return self.stop_loss if self.order_class is OrderClass.OCO else self.stop_price

    @property
    def sign(self) -> int:
        """Return 1 for a buy, -1 for a sell."""
        return 1 if self.side is Side.BUY else -1


def order_json(order: Order) -> str:
    """Return the canonical text that is stored and hashed."""
    return canonical(order).decode()


def order_hash(order: Order) -> str:
    """Return the tagged hash (`order/v1`) over every field."""
    return tagged_hash("order/v1", order)


def stored_hash(text: str) -> str:
    """Return the tagged hash of stored canonical text, byte for byte."""
    return bytes_hash("order/v1", text.encode())


def intent_hash(order: Order) -> str:
    """Return the hash of what is wanted: the order without its id and without the moving price."""
    body = document(order)
    for name in ("client_order_id", "worst_price"):
        body.pop(name)
    return tagged_hash("intent/v1", body)


_ENUMS = {"side": Side, "type": OrderType, "tif": Tif, "order_class": OrderClass}
_NUMBERS = (
    "quantity",
    "worst_price",
    "limit_price",
    "stop_price",
    "protective_stop",
    "take_profit",
    "stop_loss",
)


def order_from_json(text: str) -> Order:
    """Return the order of stored canonical text; anything else in it is a broken invariant."""
    body: dict[str, Any] = json.loads(text)
    names = {field.name for field in fields(Order)}
    check(set(body) <= names, "stored order has unknown fields", extra=sorted(set(body) - names))
    for name, kind in _ENUMS.items():
        if name in body:
            body[name] = kind(body[name])
    for name in _NUMBERS:
        if name in body:
            body[name] = parse_decimal(body[name], name)
    return Order(**body)
