"""Owns the outside: what a broker truly holds, what reached it and when. The product can not see it.

It runs on true time (the clock's monotonic reading), whatever the wall clock shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from services.kit.clock import HandClock
from services.orders.broker import BrokerFill, BrokerStatus, BrokerView, Change
from services.orders.change import change_of
from services.orders.order import Order, OrderType, Side

COMMISSION = Decimal("1.00")


@dataclass
class Held:
    """One order at the broker; `sent_at` is when it left us, `seen_from` when listings show it.

    `late` counts the units that were reported after its end.
    """

    id: str
    order: Order
    sent_at: float
    seen_from: float
    status: BrokerStatus = BrokerStatus.OPEN
    reason: str = ""
    fills: list[BrokerFill] = field(default_factory=list)
    earlier: BrokerView | None = None
    ended_at: float = 0.0
    late: Decimal = Decimal(0)

    @property
    def filled(self) -> Decimal:
        """Return how many units have been filled."""
        return sum((made.quantity for made in self.fills), Decimal(0))

    @property
    def open(self) -> bool:
        """Return True while it may trade."""
        return self.status is BrokerStatus.OPEN

    def view(self) -> BrokerView:
        """Return what a listing says of it."""
        return BrokerView(
            client_order_id=self.order.client_order_id,
            broker_order_id=self.id,
            status=self.status,
            fills=tuple(self.fills),
            reason=self.reason,
            terms=change_of(self.order),
        )

    def change(self, change: Change) -> None:
        """Let the order stand on other terms from now on."""
        self.earlier = self.view()
        banded = change.type is OrderType.STOP and self.order.side is Side.BUY
        self.order = replace(
            self.order,
            type=change.type,
            tif=change.tif,
            limit_price=None if banded else change.limit_price,
            stop_price=change.stop_price,
            worst_price=change.limit_price or change.stop_price or self.order.worst_price,
        )


class Venue:
    """A broker that allows two orders with one client id, unless it promises otherwise."""

    def __init__(self, clock: HandClock, *, dedupes: bool, lag_s: int) -> None:
        self.clock, self.dedupes, self.lag_s = clock, dedupes, lag_s
        self.held: list[Held] = []
        self.travelling: list[tuple[float, float, Order]] = []

    def now(self) -> float:
        """Return true time in seconds."""
        return self.clock.monotonic()

    def send_later(self, order: Order, delay_s: float) -> None:
        """Let a request arrive after its caller has given up."""
        self.travelling.append((self.now() + delay_s, self.now(), order))

    def tick(self) -> None:
        """Let everything arrive whose time has come."""
        due = [one for one in self.travelling if one[0] <= self.now()]
        self.travelling = [one for one in self.travelling if one[0] > self.now()]
        for _, sent_at, order in due:
            self.receive(order, sent_at=sent_at)

    def receive(self, order: Order, *, hidden_s: float = 0, sent_at: float = -1) -> Held:
        """Take an order that arrived; a repeated client id is a second order where none promises."""
        known = self.of(order.client_order_id)
        if known and self.dedupes:
            return known[0]
        seen_from = self.now() + max(self.lag_s, hidden_s)
        sent = self.now() if sent_at < 0 else sent_at
        made = Held(f"v-{len(self.held) + 1}", order, sent, seen_from)
        self.held.append(made)
        return made

    def of(self, client_order_id: str) -> list[Held]:
        """Return every order of a client id; more than one is the disaster."""
        return [one for one in self.held if one.order.client_order_id == client_order_id]

    def filled(self, client_order_id: str) -> Decimal:
        """Return how many units a client id has filled in all."""
        return sum((one.filled for one in self.of(client_order_id)), Decimal(0))

    def fill(self, one: Held, quantity: Decimal, *, at: datetime) -> None:
        """Execute units of an order, at its worst price or a few cents better."""
        one.earlier = one.view()
        one.late += Decimal(0) if one.open else quantity
        cents = Decimal(len(one.fills) % 3) / 100
        worst = one.order.worst_price.quantize(Decimal("0.01"))
        one.fills.append(
            BrokerFill(
                exec_id=f"{one.id}-x{len(one.fills) + 1}",
                quantity=quantity,
                price=worst - cents * one.order.sign,
                commission=COMMISSION,
                at=at,
                provenance="SIMULATED",
            )
        )
        if one.filled >= one.order.quantity:
            self.end(one, BrokerStatus.FILLED)

    def end(self, one: Held, status: BrokerStatus, reason: str = "") -> None:
        """Take an order to an end."""
        one.status, one.reason, one.ended_at = status, reason, self.now()

    def close_session(self) -> None:
        """End every open day order, as the session does."""
        for one in self.held:
            if one.open and one.order.tif == "day":
                self.end(one, BrokerStatus.EXPIRED, "the session ended")

    def words(self) -> str:
        """Return how everything stands, for the log."""
        return " ".join(f"{one.id}:{one.status}:{one.filled}" for one in self.held)
