"""Owns the way to the venue: a broker adapter whose calls fail as the step says."""

from __future__ import annotations

from collections.abc import Sequence

from services.orders.broker import (
    Accepted,
    Ambiguous,
    BrokerStatus,
    BrokerTraits,
    BrokerUnreachable,
    BrokerView,
    Change,
    Desk,
    NotSent,
    Outcome,
    Rejected,
)
from services.orders.order import Order
from tests.sim.venue import Held, Venue

PAGE = 2
"""Orders per page of a listing; small, so that a cut page matters."""
LATE_S, VERY_LATE_S, HIDDEN_S = 100, 900, 60


class Weather:
    """The faults of the running step, by channel; each is used once, an outage lasts the step."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[str, int]]] = {}
        self.used: list[str] = []
        self.outage_until = -1.0

    def set(self, faults: Sequence[tuple[str, str, int]]) -> None:
        """Take the faults of a new step and forget those of the last."""
        self._waiting = {}
        for channel, value, number in faults:
            self._waiting.setdefault(channel, []).append((value, number))

    def take(self, channel: str) -> tuple[str, int]:
        """Return the next fault of a channel, or nothing."""
        waiting = self._waiting.get(channel)
        if not waiting:
            return "", 0
        found = waiting[0] if waiting[0][0] == "down" else waiting.pop(0)
        self.used.append(f"{channel}:{found[0]}")
        return found

    def strike(self, channel: str) -> str:
        """Return the fault of a channel that strikes its first, second or third call."""
        waiting = self._waiting.get(channel)
        if not waiting:
            return ""
        value, number = waiting[0]
        if number % 3:
            waiting[0] = (value, number - 1)
            return ""
        waiting.pop(0)
        self.used.append(f"{channel}:{value}")
        return value


class SimBroker:
    """An adapter of one POST per submit; what it can not know is ambiguous."""

    def __init__(self, venue: Venue, weather: Weather, *, changes: bool = False) -> None:
        self.venue, self.weather = venue, weather
        self.traits = BrokerTraits(name="sim", dedupes_client_id=venue.dedupes, replaces=changes)
        self.witness = None

    def submit(self, desk: Desk, order: Order) -> Outcome:
        fault, number = self.weather.take("submit")
        if fault == "not_sent":
            return NotSent("connection refused")
        if self.witness is not None:
            self.witness.saw_post(desk, order)
        return self.post(order, fault, number)

    @property
    def away(self) -> bool:
        """Return True during an outage: nothing arrives, nothing answers."""
        return self.venue.now() < self.weather.outage_until

    def post(self, order: Order, fault: str, number: int) -> Outcome:
        fault = "lost_request" if self.away else fault
        match fault:
            case "reject":
                return Rejected("the venue does not want it")
            case "lost_request":
                return Ambiguous("write timeout")
            case "late":
                self.venue.send_later(order, 1 + number % LATE_S)
                return Ambiguous("read timeout")
            case "very_late":
                self.venue.send_later(order, LATE_S + number % VERY_LATE_S)
                return Ambiguous("read timeout")
        repeated = bool(self.venue.of(order.client_order_id))
        made = self.venue.receive(order, hidden_s=number % HIDDEN_S if fault == "hidden" else 0)
        if fault == "bounced" and not repeated:
            self.venue.end(made, BrokerStatus.REJECTED, "margin")
        if fault in ("lost_response", "hidden"):
            return Ambiguous("connection reset")
        return Accepted(made.id)

    def cancel(self, desk: Desk, account_id: str, client_order_id: str) -> Outcome:
        fault, _ = self.weather.take("cancel")
        if fault == "not_sent":
            return NotSent("connection refused")
        if fault == "lost_request" or self.away:
            return Ambiguous("write timeout")
        known = self.venue.of(client_order_id)
        if fault == "refuse" or not known or not known[0].open:
            return Rejected("not now" if fault else "unknown or ended")
        known[0].earlier = known[0].view()
        self.venue.end(known[0], BrokerStatus.CANCELLED)
        return Ambiguous("connection reset") if fault == "lost_response" else Accepted(known[0].id)

    def replace(self, desk: Desk, account_id: str, client_order_id: str, change: Change) -> Outcome:
        fault, _ = self.weather.take("cancel")
        if fault == "not_sent":
            return NotSent("connection refused")
        if self.witness is not None:
            self.witness.saw_change(desk, client_order_id, change)
        if fault == "lost_request" or self.away:
            return Ambiguous("write timeout")
        known = self.venue.of(client_order_id)
        if fault == "refuse" or not known or not known[0].open:
            return Rejected("not now" if fault else "unknown or ended")
        known[0].change(change)
        return Ambiguous("connection reset") if fault == "lost_response" else Accepted(known[0].id)

    def look(
        self, desk: Desk, account_id: str, client_order_ids: Sequence[str]
    ) -> list[BrokerView]:
        fault, _ = self.weather.take("look")
        if fault == "down" or self.away:
            raise BrokerUnreachable("connection refused")
        listed = [one for one in self.venue.held if one.seen_from <= self.venue.now()]
        listed = [one for one in listed if one.order.account_id == account_id]
        read: list[Held] = []
        for start in range(0, len(listed), PAGE):
            if fault == "cut" and start:
                return self.cut_off(read, client_order_ids)
            read.extend(listed[start : start + PAGE])
        views = [one.view() for one in read if self._asked(one, client_order_ids)]
        if fault == "twice":
            return [*views, *views]
        if fault == "old":
            return [one.earlier or one.view() for one in read if self._asked(one, client_order_ids)]
        return views

    def cut_off(self, read: list[Held], client_order_ids: Sequence[str]) -> list[BrokerView]:
        """A scan that lost a page is no scan."""
        raise BrokerUnreachable(f"a page behind {len(read)} orders is missing")

    def _asked(self, one: Held, client_order_ids: Sequence[str]) -> bool:
        return one.order.client_order_id in client_order_ids
