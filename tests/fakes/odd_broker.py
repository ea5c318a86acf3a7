"""Owns a broker that misbehaves by script: lost answers, late accepts, lag, odd fills, outages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerFill,
    BrokerStatus,
    BrokerTraits,
    BrokerUnreachable,
    BrokerView,
    Desk,
    NotSent,
    Outcome,
    Rejected,
)
from services.orders.order import Order

AT = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)


@dataclass
class Book:
    """What the outside really holds for one client id."""

    order: Order
    status: BrokerStatus = BrokerStatus.OPEN
    fills: list[BrokerFill] = field(default_factory=list)
    hidden_looks: int = 0


class OddBroker:
    """`answers` scripts the submits: accept, reject, not_sent, lost, lost_before, late."""

    def __init__(self, *answers: str, dedupes: bool = False) -> None:
        self.answers = list(answers)
        self.traits = BrokerTraits(name="odd", dedupes_client_id=dedupes)
        self.books: dict[str, Book] = {}
        self.late: dict[str, Order] = {}
        self.submits: list[str] = []
        self.cancel_answers: list[str] = []
        self.lag = 0
        self.down = False

    def submit(self, _desk: Desk, order: Order) -> Outcome:
        self.submits.append(order.client_order_id)
        answer = self.answers.pop(0) if self.answers else "accept"
        if answer == "not_sent":
            return NotSent("connection refused")
        if answer == "reject":
            return Rejected("too exotic")
        if answer == "lost_before":
            return Ambiguous("read timeout")
        if answer == "late":
            self.late[order.client_order_id] = order
            return Ambiguous("read timeout")
        self._book(order)
        return Ambiguous("reset") if answer == "lost" else Accepted(f"b-{order.client_order_id}")

    def _book(self, order: Order) -> None:
        if order.client_order_id in self.books:
            if self.traits.dedupes_client_id:
                return
            raise AssertionError("the same order was booked twice at a broker that allows it")
        self.books[order.client_order_id] = Book(order, hidden_looks=self.lag)

    def arrive(self) -> None:
        """Let every late accept arrive now."""
        for order in self.late.values():
            self._book(order)
        self.late.clear()

    def fill(self, quantity: str, price: str = "190.10", exec_id: str = "") -> None:
        """Execute part of the only order."""
        (book,) = self.books.values()
        name = exec_id or f"x{len(book.fills) + 1}"
        book.fills.append(
            BrokerFill(
                exec_id=name,
                quantity=Decimal(quantity),
                price=Decimal(price),
                at=AT,
                commission=Decimal("1.00"),
                provenance="SIMULATED",
            )
        )
        if sum(made.quantity for made in book.fills) >= book.order.quantity:
            book.status = BrokerStatus.FILLED

    def end(self, status: BrokerStatus) -> None:
        (book,) = self.books.values()
        book.status = status

    def cancel(self, _desk: Desk, _account_id: str, client_order_id: str) -> Outcome:
        answer = self.cancel_answers.pop(0) if self.cancel_answers else "accept"
        book = self.books[client_order_id]
        if answer == "lost_before":
            return Ambiguous("read timeout")
        if answer == "refuse":
            return Rejected("not now")
        if book.status is not BrokerStatus.OPEN:
            return Rejected("ended")
        book.status = BrokerStatus.CANCELLED
        return Ambiguous("reset") if answer == "lost" else Accepted("c")

    def look(self, _desk: Desk, _account_id: str, ids: Sequence[str]) -> list[BrokerView]:
        if self.down:
            raise BrokerUnreachable("down")
        views = []
        for client_id in ids:
            book = self.books.get(client_id)
            if book is None:
                continue
            if book.hidden_looks > 0:
                book.hidden_looks -= 1
                continue
            views.append(
                BrokerView(
                    client_order_id=client_id,
                    broker_order_id=f"b-{client_id}",
                    status=book.status,
                    fills=tuple(book.fills),
                    reason="",
                )
            )
        return views
