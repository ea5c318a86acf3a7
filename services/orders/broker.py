"""Owns the broker port: what is asked of any broker, and the four answers to a submit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from services.kit.context import Context, Principal, system_principal
from services.kit.work import Runtime
from services.orders.order import Order, OrderType, Tif


class BrokerUnreachable(Exception):
    """A question could not be answered. It never means "no order" or "flat"."""


class BrokerStatus(StrEnum):
    """How a broker names the standing of an order."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker has the order."""

    broker_order_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The broker has refused the order for good."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """It is proved that nothing reached the broker."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows; the default of every adapter. It is resolved by looking, never by sending."""

    reason: str


Outcome = Accepted | Rejected | NotSent | Ambiguous


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFill:
    """One execution. `commission` is in the order's currency."""

    exec_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    at: datetime
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTotal:
    """What has been filled in all, where a broker names no executions.

    `price` is the average per unit over `quantity`; `at` is the broker's time of the last change.
    """

    quantity: Decimal
    price: Decimal
    at: datetime
    provenance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLeg:
    """What the broker says about one order of a group, `filled` units of `quantity`."""

    broker_order_id: str
    symbol: str
    side: str
    type: str
    status: BrokerStatus
    quantity: Decimal
    filled: Decimal
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerView:
    """What the broker says about one order: its standing and all its fills so far.

    A broker that names its executions fills in `fills`; one that only counts fills in `total`,
    and our books make the executions of it. `legs` are the orders of a group, in its order.
    `terms` says at what the order stands; None where the broker does not say.
    """

    client_order_id: str
    broker_order_id: str
    status: BrokerStatus
    fills: tuple[BrokerFill, ...] = ()
    reason: str = ""
    total: BrokerTotal | None = None
    legs: tuple[BrokerLeg, ...] = ()
    terms: Change | None = None

    @property
    def filled(self) -> Decimal:
        """Return how many units have been filled in all."""
        if self.total is not None:
            return self.total.quantity
        return sum((made.quantity for made in self.fills), Decimal(0))


@dataclass(frozen=True, slots=True)
class BrokerTraits:
    """What an adapter promises. Only a broker that dedupes client ids may be sent one twice.

    `replaces` means that a working order can be changed in place (`Replaces`); with `changes_anew`
    a change is a new order of the same type over the whole quantity, so one that has filled in
    part is not changed. `groups` means that
    it takes an entry with its exits in one order and works them itself; then a look for the exits'
    client id (`bracket.exit_client_id`) says how they stand. Otherwise our books send the exits
    when the entry has filled. So they do for entries that last as none of `group_tifs`. `previews`
    means that it reckons an order without placing it (`preview.Previews`).
    """

    name: str
    dedupes_client_id: bool
    replaces: bool = False
    changes_anew: bool = False
    groups: bool = False
    previews: bool = False
    group_tifs: tuple[Tif, ...] = (Tif.DAY, Tif.GTC)

    def carries(self, entry: Order) -> bool:
        """Return True when the exits of this entry travel with it in one ticket."""
        return self.groups and entry.has_exits and entry.tif in self.group_tifs


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a broker is asked from: the runtime, and the tenant whose account it is."""

    runtime: Runtime
    tenant_id: str

    @property
    def principal(self) -> Principal:
        """Return the product itself, acting for this tenant."""
        return system_principal(self.tenant_id)


class Broker(Protocol):
    """A broker. Calls are blocking, bounded in time, and made outside of any transaction."""

    @property
    def traits(self) -> BrokerTraits:
        """Return what the adapter promises."""
        ...

    def submit(self, desk: Desk, order: Order) -> Outcome:
        """Send `order` exactly once, its client id as the broker's tag. Never raises."""
        ...

    def cancel(self, desk: Desk, account_id: str, client_order_id: str) -> Outcome:
        """Ask to cancel; repeating it is safe. `Rejected` means that the order has ended."""
        ...

    def look(
        self, desk: Desk, account_id: str, client_order_ids: Sequence[str]
    ) -> list[BrokerView]:
        """Return what the broker knows of these orders, after a complete scan of its pages.

        An order that is absent from the answer is absent from the scan. Raises
        `BrokerUnreachable` when the scan could not be completed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a working order becomes, or stands at. Prices per unit; the quantity stays as it is.

    A stop with a limit beside it is a stop-limit, as the stop of a buy with its price band.
    """

    type: OrderType
    tif: Tif
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class Replaces(Protocol):
    """A broker that can change a working order in place."""

    def replace(self, desk: Desk, account_id: str, client_order_id: str, change: Change) -> Outcome:
        """Ask for the change once. `Accepted` is an acknowledgement; looking tells the result."""
        ...


def broker_of(ports: Runtime | Context) -> Broker:
    """Return the wired broker, by default the paper broker."""
    wired = ports.ports.get(Broker)
    if wired is None:
        from services.orders.paper import PaperBroker

        return PaperBroker()
    return wired  # type: ignore[return-value]
