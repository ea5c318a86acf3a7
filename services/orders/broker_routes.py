"""Owns which broker an account belongs to; one whose broker is off is never filled on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.orders.broker import (
    Broker,
    BrokerTraits,
    BrokerUnreachable,
    BrokerView,
    Desk,
    NotSent,
    Outcome,
)
from services.orders.order import Order

OUTSIDE = ("alpaca", "tradier")
"""Brokers outside of this product. Their accounts are called `<broker>-<number>` here, so that an
order's hash binds broker and number; every other account is the paper broker's."""


def broker_name(account_id: str) -> str:
    """Return the name of the broker that an account belongs to, `paper` for our own."""
    name, dash, _number = account_id.partition("-")
    return name if dash and name in OUTSIDE else "paper"


class AbsentBroker:
    """A broker that is switched off: nothing leaves, and nobody knows what it holds."""

    def __init__(self, name: str, why: str) -> None:
        self.traits = BrokerTraits(name=name, dedupes_client_id=False)
        self._why = why

    def submit(self, _desk: Desk, _order: Order) -> Outcome:
        """Send nothing."""
        return NotSent(self._why)

    def cancel(self, _desk: Desk, _account_id: str, _client_order_id: str) -> Outcome:
        """Ask nothing."""
        return NotSent(self._why)

    def look(self, _desk: Desk, _account_id: str, _ids: Sequence[str]) -> list[BrokerView]:
        """Raise `BrokerUnreachable`: being off is no answer."""
        raise BrokerUnreachable(self._why)


class BrokerRoutes:
    """The brokers of an installation behind one port: each account goes to its own.

    `seats` are the connected accounts outside by account id; `off` says why a broker is not.
    """

    def __init__(
        self, paper: Broker, seats: Mapping[str, Broker], off: Mapping[str, str] | None = None
    ) -> None:
        self._paper = paper
        self._seats = dict(seats)
        self._off = dict(off or {})

    @property
    def traits(self) -> BrokerTraits:
        """Return what the paper broker promises; `of` says it for an account."""
        return self._paper.traits

    def of(self, account_id: str) -> Broker:
        """Return the broker of an account."""
        name = broker_name(account_id)
        if name == "paper":
            return self._paper
        usual = f"{account_id} is not the account that this process is connected to"
        return self._seats.get(account_id) or AbsentBroker(name, self._off.get(name) or usual)

    def shut(self, account_id: str, why: str) -> None:
        """Switch the broker of an account off, for the reason `why`."""
        self._seats[account_id] = AbsentBroker(broker_name(account_id), why)

    def submit(self, desk: Desk, order: Order) -> Outcome:
        """Send through the order's own broker."""
        return self.of(order.account_id).submit(desk, order)

    def cancel(self, desk: Desk, account_id: str, client_order_id: str) -> Outcome:
        """Cancel at the account's own broker."""
        return self.of(account_id).cancel(desk, account_id, client_order_id)

    def look(
        self, desk: Desk, account_id: str, client_order_ids: Sequence[str]
    ) -> list[BrokerView]:
        """Look at the account's own broker. Raises `BrokerUnreachable`."""
        return self.of(account_id).look(desk, account_id, client_order_ids)


def broker_for(broker: Broker, account_id: str) -> Broker:
    """Return the adapter that serves an account, also where only one is wired."""
    return broker.of(account_id) if isinstance(broker, BrokerRoutes) else broker
